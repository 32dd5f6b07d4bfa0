package query

import (
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/pkg/api"
)

// Errors of this package. Any other error comes from the store.
var (
	// ErrNotFound reports that there is no such entry, checkpoint or log.
	ErrNotFound = errors.New("not found")
	// ErrBuilding reports that the index has not yet reached the end that SEALED had at the start.
	// Retry soon.
	ErrBuilding = errors.New("the index is being built from the log")
	// ErrBehind reports that the answer is in a part of the log that is not indexed yet. Retry at
	// once.
	ErrBehind = errors.New("the index is behind the log")
	// ErrBusy reports that the maximum number of exports is running. Retry later.
	ErrBusy = errors.New("too many exports are running")
	// ErrLarge reports that the maximum number of large answers is being sent. Retry later, or with
	// a lower limit.
	ErrLarge = errors.New("too many large answers are being sent")
)

// AmbiguousError reports that several entries have the requested id.
type AmbiguousError struct {
	ID         string
	Candidates []api.Candidate // ascending by index
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("%d entries have the id %.80q", len(e.Candidates), e.ID)
}

// CorruptError reports that the store no longer holds what was verified and indexed: it was altered
// later, or cannot be read correctly. Query never returns data that fails to verify.
type CorruptError struct{ Mismatch *audit.MismatchError }

func (e *CorruptError) Error() string {
	return "the store has changed since it was verified: " + e.Mismatch.Error()
}
func (e *CorruptError) Unwrap() error { return e.Mismatch }

func corrupt(index uint64, what audit.Check, format string, args ...any) error {
	return &CorruptError{&audit.MismatchError{Index: index, What: what, Why: fmt.Sprintf(format, args...)}}
}
