// Package audit checks whole logs: every leaf, the chain, the accounting of input positions, the
// data, and the root and signature of every checkpoint (SPEC 10). Log checks the messages of
// SEALED, Export the lines of an export, Tiles the files of a tile log. A Chain does the same step
// by step for programs that follow a log. The tests and the command line use the same functions.
//
// The package does no I/O, reads no clock and starts no goroutine. A *MismatchError says what
// failed to verify, and KindOf sorts errors into the kinds of SPEC 10.1.
package audit
