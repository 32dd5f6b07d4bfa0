package query

import (
	"context"
	"time"
)

// pace halves the speed of background work: it makes it sleep as long as it worked, in steps of at
// least 5 ms.
type pace struct{ since time.Time }

func newPace() *pace { return &pace{time.Now()} }

func (p *pace) wait(ctx context.Context) {
	worked := time.Since(p.since)
	if worked < 5*time.Millisecond {
		return
	}
	select {
	case <-time.After(min(worked, 100*time.Millisecond)):
	case <-ctx.Done():
	}
	p.since = time.Now()
}
