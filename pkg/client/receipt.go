package client

import (
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/proof"
)

// States of a Receipt. Package api describes them.
const (
	Stored    = api.Stored
	Sealed    = api.Sealed
	Witnessed = api.Witnessed
	Duplicate = api.Duplicate
	Rejected  = api.Rejected
)

// Receipt is the state of an event. With WaitSealed and WaitWitnessed, the client has verified
// Index, EntryHash, Checkpoint and Proof. With WaitStored, Checkpoint and Proof are empty, and the
// other fields are what the server says. The field Wait is always empty.
type Receipt struct {
	api.Receipt

	// Proof proves that the entry is in the tree of Checkpoint.
	Proof *proof.EntryProof `json:"proof,omitempty"`

	// KeyPinned reports that the key of the checkpoint came from Config.Key, and not from the server.
	KeyPinned bool `json:"key_pinned"`

	// Error says why a rejected event was refused.
	Error *RejectedError `json:"error,omitempty"`
}

// RejectedError reports that the log refused an event, and will refuse it each time it is sent.
type RejectedError struct {
	EntryID string `json:"-"`
	api.Refusal
}

// Error returns the id of the event, the field and the reason.
func (e *RejectedError) Error() string {
	return fmt.Sprintf("event %.80q rejected: %v", e.EntryID, &e.Refusal)
}

// Errors of a Client, besides RejectedError and the errors of reading. If an error wraps that of
// the context, time ran out, and the error also names the last failure.
var (
	// ErrClosed reports that the client is closed.
	ErrClosed = errors.New("client is closed")
	// ErrProof reports that a receipt or a proof does not verify, or belongs to another event. The
	// event may or may not be in the log.
	ErrProof = errors.New("proof of the entry does not hold")
	// ErrFork reports that the server's log does not continue the one that this client saw before. The
	// log was forked or rolled back.
	ErrFork = errors.New("the log is not the one seen before")
	// ErrNotWitnessed reports that the event is sealed, but witnesses have not cosigned it in time.
	ErrNotWitnessed = errors.New("witnesses have not cosigned in time")
	// ErrRefused reports that the log refuses the request for a reason that does not depend on the
	// event, such as the name of another log. Answers of proxies and of other programs are not
	// ErrRefused: the client retries after them.
	ErrRefused = errors.New("the server refuses the request")
)
