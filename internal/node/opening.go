package node

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/internal/sealer"
)

// errOpening: the sealer reads the end of the log, and may yet find that it does not verify.
var errOpening = errors.New("the sealer is opening the log")

const (
	// openingLimit is how long after the start events are refused because the sealer has not opened
	// the log. On a very long log it takes longer; events are then stored and wait, as they do for a
	// sealer that is away.
	openingLimit = 10 * time.Second
	// openTimeout is how long a request that writes waits for the sealer. Then it fails, and the
	// answer says when to retry.
	openTimeout = 2 * time.Second
	// startTimeout is how long the start waits for the sealer. Opening a long log takes longer,
	// because its window is read first. The start then goes on, and the process is not ready.
	startTimeout = 500 * time.Millisecond
)

// opening holds back what writes while the sealer of this process opens the log. A nil opening
// holds back nothing.
type opening struct {
	sealer *sealer.Sealer
	began  time.Time
	parts  *group // of the sealer; what ends it ends the waiting
}

// holds reports whether events are to wait for the sealer.
func (o *opening) holds() bool {
	return o != nil && o.sealer.Status().Size == 0 && time.Since(o.began) < openingLimit
}

// handler lets no request through before the sealer has opened the log. A request waits for a
// while, and is then told when to retry.
func (o *opening) handler(h http.Handler) http.Handler {
	if o == nil {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if o.holds() {
			ctx, cancel := context.WithTimeout(r.Context(), openTimeout)
			err := o.await(ctx)
			cancel()
			if err != nil {
				w.Header().Set("Retry-After", "1")
				httpapi.Refuse(w, http.StatusServiceUnavailable, errOpening.Error())
				return
			}
		}
		h.ServeHTTP(w, r)
	})
}

// await waits until the sealer has opened the log, or that has taken long.
func (o *opening) await(ctx context.Context) error {
	for o.holds() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-o.parts.ctx.Done():
			return context.Cause(o.parts.ctx)
		case <-time.After(2 * time.Millisecond):
		}
	}
	return nil
}

// begin waits at most startTimeout, so that what stops the sealer in that time is an error of the
// start. Of a new log, index 0 is sealed then.
func (o *opening) begin(ctx context.Context) error {
	timeout := time.After(startTimeout)
	for o.sealer.Status().Size == 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-o.parts.ctx.Done():
			return context.Cause(o.parts.ctx)
		case <-timeout:
			return nil
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}
