package sink

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
)

// outlet is a sink that gives entries away and keeps nothing.
type outlet struct {
	write func(context.Context, []Record) error
	close func() error

	mu     sync.Mutex
	closed bool
}

// PartError is what a write of an outlet may say when some of the entries were taken and others were not: that many, from the first on. They do not
// come again.
type PartError struct {
	Taken int
	Err   error
}

func (e *PartError) Error() string { return fmt.Sprintf("after %d entries: %v", e.Taken, e.Err) }

// Unwrap gives the cause.
func (e *PartError) Unwrap() error { return e.Err }

// Part is an error behind which some entries were taken; err itself if none was.
func Part(taken int, err error) error {
	if err == nil || taken == 0 {
		return err
	}
	return &PartError{taken, err}
}

// NewOutlet makes a sink without memory: write hands entries on and returns when they have been taken; after an error, or a crash, some come
// again, but for those that a *PartError says were taken; whoever takes them tells repeats by index or entry_hash. close may be nil.
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
