// Package integrity checks whether a program is the one that somebody vouched for: its file, the
// modules it was built from, the machine code of its critical functions and, in a checkout, its
// source files.
//
//	generate: executable, checkout ─▶ Manifest ─signed─▶ file
//	verify:   executable, checkout, Manifest, key from outside ─▶ Report
//
// A manifest is worth as much as its key. Make it where the program is built, and verify it where
// the program runs. Nothing here makes a manifest and trusts it in one run. A program that was
// changed can also lie about itself. If that matters, verify it with a copy of sealstream from
// another machine.
//
// No compatibility is promised for this package yet.
package integrity
