// Package archive keeps the old part of a log in objects, so that SEALED and PAYLOADS need not grow for ever.
//
//	SEALED, PAYLOADS ─Archiver (verified)─▶ ARCHIVE ─Archive.Through─▶ every reader of SEALED and PAYLOADS
//
// The Archiver is a follower that writes full segments: the SEALED messages of 65,536 leaves, byte for byte, with the signed checkpoint that
// covers them, and their data in an object of its own (SPEC 12). It alone may trim SEALED, and only behind segments that it has read back and
// compared. Archive reads them, and Through makes a store.Log of which nobody can tell what was trimmed: followers, queries, proofs, audits
// and the sealer's start verify what comes from here exactly as what comes from SEALED, and trust it as little.
//
// No compatibility is promised for this package yet.
package archive

import (
	"fmt"

	"github.com/sealstream/sealstream/pkg/proof"
)

// SegmentLeaves is how many leaves a segment has, but for the rest of its last batch.
const SegmentLeaves = 65536

// DamagedError says that an object of the archive is missing or not what was written. It is a *proof.MismatchError too: nothing from Index on
// can be checked.
type DamagedError struct {
	Object string // its name in the ARCHIVE bucket
	Index  uint64 // of the first leaf that it should hold, or should hold the data of
	Why    error
}

func (e *DamagedError) Error() string { return fmt.Sprintf("archive object %s: %v", e.Object, e.Why) }

// Unwrap gives the mismatch, and the reason.
func (e *DamagedError) Unwrap() []error {
	return []error{&proof.MismatchError{Index: e.Index, What: "archive", Why: fmt.Sprintf("object %s: %v", e.Object, e.Why)}, e.Why}
}

func damaged(object string, index uint64, format string, args ...any) error {
	return &DamagedError{object, index, fmt.Errorf(format, args...)}
}

// missing does not wrap store.ErrNotFound, which would say that there is no such message.
func missing(object string, index uint64) error { return damaged(object, index, "it is not there") }
