package client

import (
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/pkg/proof"
)

// The states of a receipt.
const (
	Stored    = "stored"    // on disk, not sealed yet
	Sealed    = "sealed"    // an entry of the log
	Witnessed = "witnessed" // sealed, and cosigned as Config.Policy asks
	Duplicate = "duplicate" // sealed before: Index and EntryHash are those of the original
	Rejected  = "rejected"  // not taken; see Error
)

// Receipt says what became of an event. Index, EntryHash, Checkpoint and Proof are there with WaitSealed and WaitWitnessed alone, and then verified.
type Receipt struct {
	EntryID    string `json:"entry_id"`
	AgentDID   string `json:"agent_did"`
	Status     string `json:"status"`
	Index      uint64 `json:"index,omitempty"` // index 0 is the log's own config, never an event
	EntryHash  string `json:"entry_hash,omitempty"`
	InputSeq   uint64 `json:"input_seq,omitempty"` // the EVENTS message that holds the event
	Position   uint64 `json:"position"`            // and its place in it
	Durability string `json:"durability,omitempty"`

	// EquivocationOf is the index of an earlier event with the same agent and id but other content; the log sealed this one
	// as sealstream.equivocation. 0: there is none.
	EquivocationOf uint64 `json:"equivocation_of,omitempty"`

	Checkpoint string            `json:"checkpoint,omitempty"` // the signed note that Proof leads to
	Proof      *proof.EntryProof `json:"proof,omitempty"`
	KeyPinned  bool              `json:"key_pinned"` // the checkpoint's key was given to the client, not learned from the server

	Error *RejectedError `json:"error,omitempty"` // LogBatch: why this event was not taken
}

// RejectedError says that an event was refused, and will be each time it is sent.
type RejectedError struct {
	EntryID string `json:"-"`
	Field   string `json:"field,omitempty"` // the attribute at fault; "": the event as a whole
	Reason  string `json:"reason"`
}

func (e *RejectedError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("event %.80q rejected: %s", e.EntryID, e.Reason)
	}
	return fmt.Sprintf("event %.80q rejected: %s: %s", e.EntryID, e.Field, e.Reason)
}

// What a client says no with. RejectedError is the other one; an error that wraps the context's says that time ran out, with the last
// trouble met.
var (
	// ErrClosed: the client was closed.
	ErrClosed = errors.New("client is closed")
	// ErrProof: what the server shows as proof does not hold, or is of another event. The event may be in the log or not.
	ErrProof = errors.New("proof of the entry does not hold")
	// ErrFork: the server's log is not the one that this client saw before: it forked, or was rolled back.
	ErrFork = errors.New("the log is not the one seen before")
	// ErrNotWitnessed: the event is sealed, and witnesses have not cosigned it in time.
	ErrNotWitnessed = errors.New("witnesses have not cosigned in time")
	// ErrRefused: the server does not serve this request at all, whatever the event: another log, or no such server.
	ErrRefused = errors.New("the server refuses the request")
)
