// Package retry waits between attempts, with exponential backoff.
package retry

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Pauses are the pauses between attempts. Each is about twice the one before.
type Pauses struct{ b *backoff.ExponentialBackOff }

// New returns pauses from first to most. Half of each pause is random, so that many clients of one
// server do not return at once: the first pause is between first/2 and first.
func New(first, most time.Duration) *Pauses {
	return pauses(first*3/4, most*3/4, 1./3)
}

// Exact returns pauses from first to most without randomness, for runs that must be reproducible.
func Exact(first, most time.Duration) *Pauses { return pauses(first, most, 0) }

func pauses(first, most time.Duration, random float64) *Pauses {
	return &Pauses{&backoff.ExponentialBackOff{
		InitialInterval: min(first, most), MaxInterval: most, Multiplier: 2, RandomizationFactor: random,
	}}
}

// Reset starts again with the shortest pause. Call it after a successful attempt.
func (p *Pauses) Reset() { p.b.Reset() }

// Next returns the next pause without waiting.
func (p *Pauses) Next() time.Duration { return p.b.NextBackOff() }

// Wait waits for the next pause, or for least if that is longer. If ctx ends first, it returns the
// cause.
func (p *Pauses) Wait(ctx context.Context, least time.Duration) error {
	return Sleep(ctx, max(p.Next(), least))
}

// Sleep waits for d. If ctx ends first, it returns the cause.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
