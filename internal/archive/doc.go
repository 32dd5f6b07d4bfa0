// Package archive keeps the old part of a log in objects, so that SEALED and PAYLOADS need not grow
// for ever.
//
//	SEALED, PAYLOADS ─Archiver (verified)─▶ ARCHIVE ─Archive.Through─▶ every reader of SEALED and PAYLOADS
//
// The Archiver is a follower that writes full segments: the SEALED messages of 65,536 leaves, byte
// for byte, with the signed checkpoint that covers them, and their data in an object of its own
// (SPEC 12). Only the Archiver may trim SEALED, and only the part in segments that it has read back
// and compared. Beside each segment it keeps an index for query services that begin with an empty
// folder (index.go).
//
// Archive reads the segments. Through makes a store.Log that reads as if nothing had been trimmed.
// Followers, queries, proofs, audits and the sealer's start verify what comes from the archive
// exactly as what comes from SEALED.
package archive

import (
	"fmt"

	"github.com/sealstream/sealstream/internal/audit"
)

// SegmentLeaves is the number of leaves of a segment. It has more if its last batch does.
const SegmentLeaves = 65536

// DamagedError reports that an object of the archive is missing or was changed. It wraps a
// *proof.MismatchError: nothing from Index on can be verified.
type DamagedError struct {
	Object string // name of the object in the ARCHIVE bucket
	Index  uint64 // index of the first leaf that it should hold, or hold the data of
	Why    error  // the cause
}

func (e *DamagedError) Error() string { return fmt.Sprintf("archive object %s: %v", e.Object, e.Why) }

// Unwrap returns the mismatch and the cause.
func (e *DamagedError) Unwrap() []error {
	return []error{
		&audit.MismatchError{Index: e.Index, What: "archive", Why: fmt.Sprintf("object %s: %v", e.Object, e.Why)},
		e.Why,
	}
}

func damaged(object string, index uint64, format string, args ...any) error {
	return &DamagedError{object, index, fmt.Errorf(format, args...)}
}

// missing does not wrap store.ErrNotFound, which would mean that the log has no such message.
func missing(object string, index uint64) error { return damaged(object, index, "it is missing") }
