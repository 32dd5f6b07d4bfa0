package audit

import (
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/pkg/proof"
)

// Check names the part of a log that failed to verify.
type Check string

// The checks of SPEC 10.
const (
	CheckLeaf       Check = "leaf"       // a leaf is malformed, or its bytes were altered
	CheckChain      Check = "chain"      // previous_hash is not the hash of the entry before
	CheckIndex      Check = "index"      // an index is out of order
	CheckLog        Check = "log"        // a leaf names another log
	CheckOrigin     Check = "origin"     // an entry, a manifest or a checkpoint names another origin
	CheckID         Check = "id"         // the entry_id of one of the log's own entries is wrong
	CheckConfig     Check = "config"     // a config entry is missing, or does not follow the one before
	CheckRules      Check = "rules"      // an entry does not follow the rules of its config
	CheckAccounting Check = "accounting" // entries and input positions do not agree
	CheckFrontier   Check = "frontier"   // a batch's frontier is not that of its tree
	CheckRoot       Check = "root"       // a root is not that of the tree
	CheckSignature  Check = "signature"  // a checkpoint is not signed by a key that counts, or of another tree
	CheckPayload    Check = "payload"    // data is missing or does not open its commitment; the leaves verify
	CheckDigest     Check = "digest"     // the digest of a rejected message does not fit the bytes kept
	CheckOrder      Check = "order"      // the PAYLOADS sequence falls
	CheckProof      Check = "proof"      // an entry of a filtered export is not proven
	CheckTile       Check = "tile"       // a tile is not made of the entries
	CheckManifest   Check = "manifest"   // an export has more entries than its manifest counts, or others
	CheckMissing    Check = "missing"    // a message or a file is missing or unreadable
	CheckCut        Check = "cut"        // the log ends before the size that it has to have
)

// MismatchError reports that a log fails to verify.
type MismatchError struct {
	// Index is the first index concerned. Every entry before it verifies.
	Index uint64
	// What is the check that failed.
	What Check
	// Why says in words what is wrong.
	Why string
	// Known is the checkpoint, known beside the log, that contradicts the log or does not count
	// itself. nil means that the log fails by itself.
	Known *proof.Checkpoint
}

// Error returns the index, the check and the reason.
func (e *MismatchError) Error() string {
	return fmt.Sprintf("index %d: %s: %s", e.Index, e.What, e.Why)
}

func mismatch(index uint64, what Check, format string, args ...any) *MismatchError {
	return &MismatchError{Index: index, What: what, Why: fmt.Sprintf(format, args...)}
}

// Missing returns the error of SEALED messages that are missing: those of the sequences from to to.
// The log is unreadable from index on.
func Missing(index, from, to uint64) error {
	if from == to {
		return mismatch(index, CheckMissing,
			"SEALED sequence %d is missing or unreadable; nothing from index %d on can be checked", from, index)
	}
	return mismatch(index, CheckMissing,
		"SEALED sequences %d to %d are missing or unreadable; nothing from index %d on can be checked", from, to, index)
}

// Kind is a kind of fault (SPEC 10.1). The zero Kind means that an error is none.
type Kind string

// The kinds of faults (SPEC 10.1).
const (
	KindMalformed Kind = "malformed"
	KindNotSigned Kind = "not-signed"
	KindOtherLog  Kind = "other-log"
	KindAltered   Kind = "altered"
	KindMissing   Kind = "missing"
	KindRewritten Kind = "rewritten"
	KindCut       Kind = "cut"
)

// KindOf returns the kind of fault that an error of this package or of pkg/proof reports. It
// returns "" for other errors, such as that of a file that cannot be read.
func KindOf(err error) Kind {
	m, ok := errors.AsType[*MismatchError](err)
	switch {
	case ok:
		return m.kind()
	case errors.Is(err, proof.ErrCheckpoint):
		return KindNotSigned
	case errors.Is(err, proof.ErrForm), errors.Is(err, proof.ErrExport):
		return KindMalformed
	case errors.Is(err, proof.ErrProof):
		return KindAltered
	}
	return ""
}

func (e *MismatchError) kind() Kind {
	switch e.What {
	case CheckRoot:
		if e.Known != nil {
			return KindRewritten
		}
	case CheckSignature:
		return KindNotSigned
	case CheckLog, CheckOrigin:
		return KindOtherLog
	case CheckMissing:
		return KindMissing
	case CheckCut:
		return KindCut
	}
	return KindAltered
}
