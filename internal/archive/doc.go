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
//
// # What query and the archive share
//
// The index of a segment is query's own file (package segment): a service takes it as it is. The
// messages are not in the form of query's other files, for three reasons:
//
//   - A segment gives back whole SEALED messages with headers and times, void ones included, and
//     ends with a batch. Query's files hold the leaves of exactly 65,536 entries.
//   - The archive is read in order, in frames of at least 128 KiB. Query reads at random, in frames
//     of 12 KiB. With synthetic records of 1 KB, an entry takes 158 bytes here and 229 there.
//   - Verifiers in other languages read the archive. It needs nothing but JSON, text and Zstandard.
//
// So query's other files are made from the messages: their lines are hashed, compared with the
// index and compressed again, but not parsed.
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
