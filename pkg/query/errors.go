package query

import (
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/pkg/proof"
)

// What query says no with. Everything else is trouble of the store.
var (
	// ErrNotFound: no such entry, checkpoint or log.
	ErrNotFound = errors.New("not found")
	// ErrBuilding: the index has not yet reached the end that SEALED had at the start. Try again soon.
	ErrBuilding = errors.New("the index is being built from the log")
	// ErrBehind: the answer stands in a part of the log that is not indexed yet. Try again at once.
	ErrBehind = errors.New("the index is behind the log")
	// ErrBusy: as many exports as are allowed are running. Try again later.
	ErrBusy = errors.New("too many exports are running")
)

// RequestError says which parameter of a request is at fault, and why. Param is empty where it is the whole.
type RequestError struct{ Param, Reason string }

func (e *RequestError) Error() string {
	if e.Param == "" {
		return e.Reason
	}
	return e.Param + ": " + e.Reason
}

// Candidate is one of several entries with the same id.
type Candidate struct {
	Index    uint64 `json:"index"`
	AgentDID string `json:"agent_did"`
}

// AmbiguousError says that an entry id is not unique, and whose it is.
type AmbiguousError struct {
	ID         string
	Candidates []Candidate // ascending by index
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("%d entries have the id %.80q", len(e.Candidates), e.ID)
}

// CorruptError says that the store no longer holds what was verified and indexed: it was altered afterwards, or cannot be read right. What
// does not verify is never returned.
type CorruptError struct{ Mismatch *proof.MismatchError }

func (e *CorruptError) Error() string {
	return "the store has changed since it was verified: " + e.Mismatch.Error()
}
func (e *CorruptError) Unwrap() error { return e.Mismatch }

func corrupt(index uint64, what, format string, args ...any) error {
	return &CorruptError{&proof.MismatchError{Index: index, What: what, Why: fmt.Sprintf(format, args...)}}
}
