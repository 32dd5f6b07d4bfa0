// Package settings holds the types of settings that several programs share: sizes, shares of a
// disk, and flags. The struct tags are for kong, but the package does not import it.
package settings
