package ingest

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealstream/sealstream/pkg/api"
)

// budget limits the memory of the requests in progress. Small requests take what they need or are
// refused. Large ones wait for a reservation before they are read, in their order: if all were read
// at once, each would be refused half-way, again and again.
type budget struct {
	limit int64
	used  atomic.Int64

	mu       sync.Mutex
	reserved int64
	waiting  []*waiter
	waits    atomic.Int64 // length of waiting, so that release need not lock
}

type waiter struct {
	bytes int64
	ready chan struct{} // closed when its reservation is granted
}

func (b *budget) take(n int64) bool {
	if b.used.Add(n) > b.limit {
		b.used.Add(-n)
		return false
	}
	return true
}

func (b *budget) release(n int64) {
	b.used.Add(-n)
	if b.waits.Load() > 0 {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.grant()
	}
}

// errTooLarge returns the problem for a request that alone needs more memory than there is for all.
func (b *budget) errTooLarge() error {
	return api.Problem{Status: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf(
		"this many events in one request need more memory than the %d MiB that there are for all; nothing was stored; "+
			"send them in several requests",
		b.limit>>20,
	)}
}

// Limits of large requests that wait for a reservation. Nothing of them is read while they wait.
const (
	largeTimeout = 5 * time.Second
	maxWaiting   = 1024
)

// reserveLarge waits until that many bytes are free, or returns ErrBusy. The reservation lasts
// until release, or until a client with 4 MiB/s would have sent the bytes: a slow client must not
// keep others out.
func (b *budget) reserveLarge(ctx context.Context, bytes int64) (release func(), err error) {
	bytes = min(bytes, b.limit/2) // a larger reservation would wait until no other request is left
	b.mu.Lock()
	w := &waiter{bytes, make(chan struct{})}
	b.waiting = append(b.waiting, w)
	b.grant()
	full := len(b.waiting) > maxWaiting
	b.mu.Unlock()
	t := time.NewTimer(largeTimeout)
	defer t.Stop()
	if !full {
		select {
		case <-w.ready:
		case <-t.C:
		case <-ctx.Done():
		}
	}
	if b.leave(w) {
		return nil, ErrBusy
	}
	end := sync.OnceFunc(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.reserved -= bytes
		b.grant()
	})
	slow := time.AfterFunc(2*time.Second+time.Duration(bytes)*time.Second>>22, end) // 4 MiB/s
	return func() { slow.Stop(); end() }, nil
}

// leave removes a waiter. It returns false if its reservation is granted already.
func (b *budget) leave(w *waiter) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.Index(b.waiting, w)
	if i < 0 {
		return false
	}
	b.waiting = slices.Delete(b.waiting, i, i+1)
	b.grant() // the next one may be smaller
	return true
}

// grant grants reservations in order. b.mu is held.
func (b *budget) grant() {
	for len(b.waiting) > 0 && b.used.Load()+b.reserved+b.waiting[0].bytes <= b.limit {
		w := b.waiting[0]
		b.waiting = slices.Delete(b.waiting, 0, 1)
		b.reserved += w.bytes
		close(w.ready)
	}
	b.waits.Store(int64(len(b.waiting)))
}
