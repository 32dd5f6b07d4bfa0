package alert

import (
	"context"
	"time"
)

// Hurry makes an alerter look about more often, and trust its clock.
func (a *Alerter) Hurry() { a.tick, a.grace = 5*time.Millisecond, 0 }

// SavedNext is the index that the saved state goes on with.
func (a *Alerter) SavedNext(ctx context.Context) (uint64, error) {
	s, _, err := loadState(ctx, a.cfg.Log.Cursors, a.cfg.Log.Name)
	return s.Next, err
}
