// Package integrity says whether a program is the one that somebody vouched for: its file, the modules it was built from, the machine code of its
// critical functions, and, in a checkout, its source files.
//
//	generate: executable, checkout ─▶ Manifest ─signed─▶ file
//	verify:   executable, checkout, Manifest, key from outside ─▶ Report
//
// A manifest is worth what its key is worth: make it where the program is built, and verify it where the program runs. Nothing here makes a manifest
// and trusts it in one run. A program that was changed could also lie about itself: verify another machine's file, or with another copy, if that matters.
//
// No compatibility is promised for this package yet.
package integrity
