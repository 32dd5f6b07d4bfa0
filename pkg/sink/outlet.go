package sink

import (
	"context"
	"errors"
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

// NewOutlet makes a sink without memory: write hands entries on and returns when they have been taken; after an error, or a crash, some come
// again, and whoever takes them tells repeats by index or entry_hash. close may be nil.
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
