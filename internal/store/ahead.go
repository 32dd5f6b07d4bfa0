package store

import (
	"context"
	"fmt"
	"iter"
	"runtime"

	"github.com/sealstream/sealstream/pkg/entry"
)

// aheadMessages is how many messages may be read ahead of the one that is yielded, for each
// processor. A SEALED message has up to 0.5 MiB, so this bounds the memory of a reader that falls
// behind.
const aheadMessages = 4

// Ahead reads a stream from a sequence on and yields the results of work for each message, in
// order. It runs work in several goroutines ahead of the caller, so work must be pure. If last is
// not 0, Ahead ends after that sequence. Otherwise it waits for more until ctx is done. It ends
// after the first error of the stream.
func Ahead[T any](ctx context.Context, s Stream, from, last uint64, work func(entry.Message) T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		if last != 0 && from > last {
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		r, err := s.Read(ctx, from)
		if err != nil {
			cancel()
			yield(*new(T), err)
			return
		}
		workers := runtime.GOMAXPROCS(0)
		a := &ahead[T]{
			r:     r,
			last:  last,
			work:  work,
			jobs:  make(chan chan T, aheadMessages*workers),
			slots: make(chan struct{}, 2*workers), // work may wait for the store
		}
		stopped := make(chan struct{})
		go func() { defer close(stopped); a.read(ctx) }()
		defer func() { cancel(); <-stopped; r.Close() }()
		for job := range a.jobs {
			if !yield(<-job, nil) {
				return
			}
		}
		if a.err != nil {
			yield(*new(T), a.err)
		}
	}
}

// ahead is one run of Ahead. jobs holds the results to come, in order.
type ahead[T any] struct {
	r     Reader
	last  uint64
	work  func(entry.Message) T
	jobs  chan chan T
	slots chan struct{}
	err   error // why reading ended early; valid once jobs is closed
}

func (a *ahead[T]) read(ctx context.Context) {
	defer close(a.jobs)
	for {
		messages, err := a.r.Next(ctx, 16)
		if err != nil {
			a.err = fmt.Errorf("read ahead: %w", err)
			return
		}
		for _, m := range messages {
			if a.last != 0 && m.Seq > a.last {
				return
			}
			job := make(chan T, 1)
			select {
			case a.jobs <- job:
			case <-ctx.Done():
				a.err = ctx.Err()
				return
			}
			a.slots <- struct{}{}
			go func() {
				job <- a.work(m)
				<-a.slots
			}()
			if m.Seq == a.last {
				return
			}
		}
	}
}
