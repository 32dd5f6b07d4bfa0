package alert

import (
	"context"
	"testing"
	"time"
)

// Hurry makes an alerter look about more often, and trust its clock.
func (a *Alerter) Hurry() { a.interval, a.grace = 5*time.Millisecond, 0 }

// SavedNext is the index that the saved state goes on with.
func (a *Alerter) SavedNext(ctx context.Context) (uint64, error) {
	s, _, err := loadState(ctx, a.cfg.Log.Cursors, a.cfg.Log.Name)
	return s.Next, err
}

// MaxStreams is how many streams may be open.
const MaxStreams = maxStreams

// Crowd makes room for one stream alone.
func Crowd(a *Alerter) { a.openStreams.Add(maxStreams - 1) }

// Streams is how many are open.
func Streams(a *Alerter) int64 { return a.openStreams.Load() }

// RedeliverFor makes a redelivery end sooner, until the test ends.
func RedeliverFor(t *testing.T, d time.Duration) {
	before := redeliverTimeout
	redeliverTimeout = d
	t.Cleanup(func() { redeliverTimeout = before })
}
