// Package interop holds a real log to other people's programs: whoever trusts nobody here can check
// it with tools that know nothing of sealstream. It is a module of its own, so that what these need
// stays out of the main one; it knows the main one by its program and its public formats alone. It
// has nothing but tests.
package interop
