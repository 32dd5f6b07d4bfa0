package alert_test

import (
	"slices"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/alert"
	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/store"
)

// TestConditions: a condition is told when it becomes worse, once, also by an alerter that is
// started again or runs beside; and anew after it was well.
func TestConditions(t *testing.T) {
	f := newFixture(t, store.NewMemory("default"))
	f.batches()
	var board, none health.Board
	cfg := alert.Config{Lag: -1, Health: &board}
	var want []string
	check := func(state health.State, told bool) {
		t.Helper()
		board.Set("payloads", state, "PAYLOADS holds 9 of at most 10 bytes")
		if told {
			want = append(want, "payloads "+state.String())
		}
		states := func() (list []string) {
			for _, a := range f.told() {
				if a.Kind == alert.KindState {
					list = append(list, a.Condition+" "+a.State)
				}
			}
			return list
		}
		f.Until("the alert", func() bool { return len(states()) >= len(want) })
		time.Sleep(50 * time.Millisecond) // nothing more is to happen
		if got := states(); !slices.Equal(got, want) {
			t.Fatalf("told %q, want %q", got, want)
		}
	}
	a, stop := f.watch(cfg)
	f.Until("the end", func() bool { return a.Status().CaughtUp })
	check(health.OK, false)
	check(health.Warning, true)
	check(health.Urgent, true)
	check(health.Warning, false)
	check(health.Urgent, true)
	stop()
	cfg.Health = &none
	_, stop = f.watch(cfg) // and knows of no condition yet
	check(health.Urgent, false)
	stop()
	cfg.Health = &board
	f.watch(cfg)
	f.watch(cfg)
	check(health.Urgent, false)
	check(health.Failing, true)
	check(health.OK, false)
	check(health.Failing, true)
}
