package query

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// ErrFull reports that the memory for reads is in use. Retry later.
var ErrFull = errors.New("the memory for reads is in use")

const (
	// readTimeout is how long a read waits for its share of the budget.
	readTimeout = 5 * time.Second
	// maxWaiting limits the reads that wait.
	maxWaiting = 1024
)

// budget limits the memory of the reads in progress. A read takes the most that its kind may need
// before it begins, or waits, in order. Once its answer is known, it keeps only what that takes
// until the client has read it. So a read that has begun never waits for memory.
type budget struct {
	limit   int64
	timeout time.Duration // readTimeout, or shorter in tests

	mu      sync.Mutex
	used    int64
	peak    int64
	waiting []*waiter
}

// waiter is a read that waits for its share.
type waiter struct {
	bytes   int64
	granted chan struct{} // closed with the grant
}

// lease is the share of one read. A nil lease is that of a caller in this process, which has no
// limit. One goroutine may use it at a time.
type lease struct {
	of    *budget
	bytes int64
}

// take waits for a share of the budget. The error wraps ErrFull if there is none in time. A patient
// read waits until ctx is done.
func (b *budget) take(ctx context.Context, bytes int64, patient bool) (*lease, error) {
	l := &lease{b, min(bytes, b.limit)}
	b.mu.Lock()
	if len(b.waiting) == 0 && b.fits(l.bytes) {
		b.grant(l.bytes)
		b.mu.Unlock()
		return l, nil
	}
	if !patient && len(b.waiting) >= maxWaiting {
		b.mu.Unlock()
		return nil, fmt.Errorf("%w: %d others wait", ErrFull, maxWaiting)
	}
	w := &waiter{l.bytes, make(chan struct{})}
	b.waiting = append(b.waiting, w)
	b.mu.Unlock()
	var late <-chan time.Time
	if !patient {
		timer := time.NewTimer(b.timeout)
		defer timer.Stop()
		late = timer.C
	}
	var err error
	select {
	case <-w.granted:
		return l, nil
	case <-late:
		err = ErrFull
	case <-ctx.Done():
		err = ctx.Err()
	}
	if b.leave(w) {
		return nil, err
	}
	return l, nil // granted meanwhile
}

func (b *budget) fits(bytes int64) bool { return b.used+bytes <= b.limit }

func (b *budget) grant(bytes int64) {
	b.used += bytes
	b.peak = max(b.peak, b.used)
}

// leave removes a waiter. It returns false if its share was granted already.
func (b *budget) leave(w *waiter) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.Index(b.waiting, w)
	if i >= 0 {
		b.waiting = slices.Delete(b.waiting, i, i+1)
		b.serve() // the next one may be smaller
	}
	return i >= 0
}

// give returns bytes to the budget.
func (b *budget) give(bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= bytes
	b.serve()
}

// serve grants shares in the order of waiting.
func (b *budget) serve() {
	for len(b.waiting) > 0 && b.fits(b.waiting[0].bytes) {
		b.grant(b.waiting[0].bytes)
		close(b.waiting[0].granted)
		b.waiting = slices.Delete(b.waiting, 0, 1)
	}
}

// more takes more, if it is there and nobody waits for it.
func (l *lease) more(bytes int64) bool {
	if l == nil {
		return true
	}
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	if len(l.of.waiting) > 0 || !l.of.fits(bytes) {
		return false
	}
	l.of.grant(bytes)
	l.bytes += bytes
	return true
}

// less gives back bytes that more has taken.
func (l *lease) less(bytes int64) {
	if l != nil {
		l.bytes -= bytes
		l.of.give(bytes)
	}
}

// keep gives back all but that many bytes.
func (l *lease) keep(bytes int64) {
	if l != nil && bytes < l.bytes {
		l.less(l.bytes - bytes)
	}
}

// leave gives back everything.
func (l *lease) leave() { l.keep(0) }

type leaseKey struct{}

// with returns a context that carries the lease.
func (l *lease) with(ctx context.Context) context.Context {
	return context.WithValue(ctx, leaseKey{}, l)
}

// leaseOf returns the lease of the request that a context belongs to, or nil.
func leaseOf(ctx context.Context) *lease {
	l, _ := ctx.Value(leaseKey{}).(*lease)
	return l
}
