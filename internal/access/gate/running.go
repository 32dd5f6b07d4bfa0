package gate

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/sealstream/sealstream/internal/access"
)

// ErrChanged is the cause with which a running request ends when its caller's rights have changed.
var ErrChanged = errors.New("what this caller may do has changed")

// running is a request that may run for long, such as a stream or an export.
type running struct {
	caller access.Caller
	cancel context.CancelCauseFunc
}

// enter returns a context for a request that may run for long. The context ends when the rights of
// the caller change, and when its credential expires. Then a write that is under way fails, too, so
// that a client that does not read cannot hold what it may not have any more. Call leave when the
// handler has returned.
func (g *Gate) enter(ctx context.Context, w http.ResponseWriter, c access.Caller) (_ context.Context, leave func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stopExpiry := func() {}
	if at := c.Expires(); !at.IsZero() {
		ctx, stopExpiry = context.WithDeadlineCause(ctx, at, access.ErrExpired)
	}
	var mu sync.Mutex
	left := false
	stopCut := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		if !left { // later the connection may serve another request
			http.NewResponseController(w).SetWriteDeadline(time.Now())
		}
	})
	r := &running{c, cancel}
	g.mu.Lock()
	g.running[r] = true
	g.check(r) // another version may have come into force since the caller was judged
	g.mu.Unlock()
	return ctx, func() {
		stopCut()
		mu.Lock()
		left = true
		mu.Unlock()
		g.mu.Lock()
		delete(g.running, r)
		g.mu.Unlock()
		stopExpiry()
		cancel(nil)
	}
}

// check ends a request whose caller may not do the same any more. The caller of check holds mu.
func (g *Gate) check(r *running) {
	v := g.force.Load()
	if v == r.caller.Version() {
		return
	}
	now, err := v.Rejudge(r.caller, time.Now())
	switch {
	case err != nil:
		r.cancel(err)
	case !now.Same(r.caller), !now.Expires().Equal(r.caller.Expires()): // its deadline is that of before
		r.cancel(ErrChanged)
	}
}
