package alert_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/internal/alert"
	"github.com/sealstream/sealstream/streams"
)

// TestFull: when ALERTS is full, alerts wait, the status says why, and nothing is lost or half
// there once there is room.
func TestFull(t *testing.T) {
	t.Parallel()
	_, nc, log := startBroker(t, true)
	f := newFixture(t, log)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	limit := func(n int64) {
		t.Helper()
		s, err := js.Stream(t.Context(), streams.AlertsName("default"))
		if err != nil {
			t.Fatal(err)
		}
		cfg := s.CachedInfo().Config
		cfg.MaxBytes = n
		if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	limit(700 << 10)
	f.publish(2000)
	f.Seal()
	a := f.alerter(log, alert.Config{Rules: rules, Lag: -1})
	a.Hurry()
	f.Run("alerter", a.Run)
	f.Until("the status", func() bool { return a.Status().Err != "" })
	if n, st := len(f.told()), a.Status(); n == 0 || n > 700 || !strings.Contains(st.Err, "maximum bytes exceeded") {
		t.Fatalf("%d alerts in 700 KiB: %+v", n, st)
	}
	limit(1 << 30)
	f.Until("the rest", func() bool { return a.Status().CaughtUp && a.Status().Err == "" })
	f.check()
}

// TestOldStream: a stream that takes no batches gets its alerts one by one.
func TestOldStream(t *testing.T) {
	t.Parallel()
	_, nc, log := startBroker(t, true)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), streams.AlertsName("default"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	cfg.AllowAtomicPublish = false
	if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if err := streams.Check(t.Context(), js, streams.Config{Log: "default"}); err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, log)
	f.publish(500)
	f.Seal()
	a := f.alerter(log, alert.Config{Rules: rules, Lag: -1})
	f.Run("alerter", a.Run)
	f.Until("the end", func() bool { return a.Status().CaughtUp })
	f.check()
}

// TestTwoFollowers: two processes follow one log while it grows; each alert is told once, those
// that follow from the clock too.
func TestTwoFollowers(t *testing.T) {
	t.Parallel()
	s, _, log := startBroker(t, true)
	f := newFixture(t, log)
	more := append([]alert.Rule{{Name: "quiet", Silence: time.Second}}, rules...)
	var list []*alert.Alerter
	for range 2 {
		_, other := connect(t, s)
		a := f.alerter(other, alert.Config{Rules: more, Lag: -1})
		a.Hurry()
		f.Run("alerter", a.Run)
		list = append(list, a)
	}
	for range 20 {
		f.publish(50)
		f.Seal()
	}
	for _, a := range list {
		f.Until("the end", func() bool { return a.Status().Next == 1001 && a.Status().CaughtUp })
	}
	f.Until("a silence of each agent", func() bool { return len(f.own()) >= 7 })
	time.Sleep(100 * time.Millisecond) // time for one too many
	seen := map[string]bool{}
	for _, x := range f.own() {
		if seen[x.Agent] {
			t.Fatalf("%s is missed twice", x.Agent)
		}
		seen[x.Agent] = true
	}
	t.Logf("one told %d, the other %d", list[0].Status().Published, list[1].Status().Published)
	f.checkWithout(alert.KindSilence)
}

// BenchmarkAlerts tells of every third entry of a log, on disk.
func BenchmarkAlerts(b *testing.B) {
	for _, relaxed := range []bool{true, false} {
		name := map[bool]string{true: "relaxed", false: "fsync"}[relaxed]
		b.Run(name, func(b *testing.B) {
			_, _, log := startBroker(b, relaxed)
			f := newFixture(b, log)
			f.publish(max(b.N*3, 3))
			f.Seal()
			a := f.alerter(log, alert.Config{Lag: -1})
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			b.ResetTimer()
			go a.Run(ctx)
			f.Until("the end", func() bool { return a.Status().Next > uint64(b.N*3) })
			b.ReportMetric(float64(a.Status().Published)/b.Elapsed().Seconds(), "alerts/s")
		})
	}
}
