package alert

import "context"

// SavedNext is the index that the saved state goes on with.
func (a *Alerter) SavedNext(ctx context.Context) (uint64, error) {
	s, _, err := loadState(ctx, a.cfg.Log.Cursors, a.cfg.Log.Name)
	return s.Next, err
}
