package query

import (
	"context"
	"time"
)

// pace makes work rest for as long as it works, in steps of some milliseconds.
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
