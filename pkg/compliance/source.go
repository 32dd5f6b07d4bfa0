package compliance

import (
	"context"
	"errors"

	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Source answers questions about one log. Package online has one that asks a server. Every error
// wraps ErrSource.
type Source interface {
	// Checkpoint returns the newest signed checkpoint.
	Checkpoint(ctx context.Context) ([]byte, error)
	// Counts counts those of the first size entries that match in a window.
	Counts(ctx context.Context, f api.Filter, w Window, size uint64, top int) (api.Counts, error)
	// Find returns up to limit of the first size entries that match in a window, in ascending order:
	// the newest ones, or, if from is not nil, the oldest ones from that index on. There is a
	// checkpoint of the size.
	Find(ctx context.Context, f api.Filter, w Window, size uint64, from *uint64, limit int) ([]Found, error)
	// Health tells whether the service has seen anything that fails to verify.
	Health(ctx context.Context) (api.Stats, error)
}

// Found is an entry that a Source has found.
type Found struct {
	entry.Entry

	// Path returns the inclusion proof of the entry, in the tree of the size that was asked for.
	Path func() (proof.Path, error)
}

// Window is a range of the times at which the log received entries, both ends included, as RFC 3339
// texts with nine digits. An empty end is open.
type Window struct {
	From string `json:"from"` // first time; empty means from the beginning
	To   string `json:"to"`   // last time; empty means without end
}

// Of returns a filter of which the times are those of the window, if it has any.
func (w Window) Of(f api.Filter) api.Filter {
	if w != (Window{}) {
		f.From, f.To, f.Time = w.From, w.To, api.Received
	}
	return f
}

// ErrSource is wrapped by every error of an answer that is missing, unreadable or contradictory.
var ErrSource = errors.New("query service")

// ErrNoAnswer is wrapped, beside ErrSource, if the service was not reached or could not answer at
// this time. It says nothing about the log.
var ErrNoAnswer = errors.New("no answer")
