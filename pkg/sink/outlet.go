package sink

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
)

// ReplayName is the value of the attribute sealreplay in the events that sinks send (SPEC 11).
const ReplayName = "sink"

// outlet is a sink that sends entries and keeps nothing.
type outlet struct {
	write func(context.Context, []Record) error
	close func() error

	mu     sync.Mutex
	closed bool
}

// PartError reports that a receiver accepted only a part of a write: see NewOutlet. The runner does
// not send that part again.
type PartError struct {
	Taken int   // number of accepted entries, from the first on
	Err   error // why the next one was not accepted
}

func (e *PartError) Error() string { return fmt.Sprintf("after %d entries: %v", e.Taken, e.Err) }

// Unwrap returns Err.
func (e *PartError) Unwrap() error { return e.Err }

// Part returns a *PartError, or err itself if err is nil or no entry was accepted.
func Part(taken int, err error) error {
	if err == nil || taken == 0 {
		return err
	}
	return &PartError{taken, err}
}

// NewOutlet returns a sink that keeps nothing and whose Cursor is ErrNoCursor. write sends entries
// and returns when the receiver has accepted them. After an error or a crash, entries are sent
// again, except those that a *PartError reports as accepted. The receiver recognizes repeats by
// index or entry_hash. close may be nil.
func NewOutlet(write func(context.Context, []Record) error, close func() error) Sink {
	return &outlet{write: write, close: close}
}

func (o *outlet) Cursor(context.Context) (Cursor, error) { return Cursor{}, ErrNoCursor }

func (o *outlet) Write(ctx context.Context, records []Record) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil || len(records) == 0 {
		return err
	}
	return o.write(ctx, records)
}

func (o *outlet) Read(context.Context, uint64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) { yield(Record{}, errors.ErrUnsupported) }
}

func (o *outlet) Verify(context.Context) error { return errors.ErrUnsupported }

func (o *outlet) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || o.close == nil {
		o.closed = true
		return nil
	}
	o.closed = true
	return o.close()
}
