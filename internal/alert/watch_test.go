package alert_test

import (
	"bytes"
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/alert"
	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/sealer"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// kinds are the alerts on ALERTS that are about no entry of an agent, as "type text".
func (f *fixture) own() (list []alert.Alert) {
	for _, a := range f.told() {
		switch a.Kind {
		case alert.KindVoid, alert.KindFailure, alert.KindLag, alert.KindSilence:
			list = append(list, a)
		}
	}
	return list
}

// watch runs a hurried alerter.
func (f *fixture) watch(cfg alert.Config) (*alert.Alerter, func()) {
	f.Helper()
	a := f.alerter(f.Store, cfg)
	a.Hurry()
	return a, f.Run("alerter", a.Run)
}

// altered is SEALED after somebody had his hands on it; change may return false to leave a message out.
func (f *fixture) altered(change func(m *entry.Message) bool) *store.MemoryStream {
	f.Helper()
	info, err := f.Store.Sealed.Info(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	var list []entry.Message
	for seq := info.First; seq <= info.Last; seq++ {
		m, err := f.Store.Sealed.Get(f.Context(), seq)
		if err != nil {
			f.Fatal(err)
		}
		if m.Data = bytes.Clone(m.Data); change(&m) {
			list = append(list, m)
		}
	}
	return store.NewMemoryStreamOf(info.Created, list)
}

// batches seals three events, each in a batch of its own.
func (f *fixture) batches() {
	for range 3 {
		f.publish(1)
		f.Seal()
	}
}

// TestVoidMessage: a message on SEALED that continues nothing is told once, however often the walk begins again.
func TestVoidMessage(t *testing.T) {
	f := newFixture(t, store.NewMemory("default"))
	f.batches()
	if _, err := f.Store.Sealed.Append(t.Context(),
		entry.Message{Subject: "audit.default.sealed", Data: []byte("mine")}, nil); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		f.batches()
		a, stop := f.watch(alert.Config{Lag: -1})
		f.Until("the end", func() bool { return a.Status().CaughtUp })
		stop()
	}
	if list := f.own(); len(list) != 1 || list[0].Type != alert.TypeVoid || list[0].SealedSeq != 5 ||
		!strings.Contains(list[0].Text, "sequence 5") {
		t.Fatalf("%+v", list)
	}
}

// TestFailure: a log that does not verify is told once, with the index and what is wrong, and so it is after a restart.
func TestFailure(t *testing.T) {
	last := func(f *fixture) uint64 {
		info, err := f.Store.Sealed.Info(f.Context())
		if err != nil {
			f.Fatal(err)
		}
		return info.Last
	}
	for name, c := range map[string]struct {
		alter func(f *fixture) store.Stream
		what  string
	}{
		"a leaf changed": {func(f *fixture) store.Stream {
			f.batches()
			return f.altered(func(m *entry.Message) bool {
				if m.Seq == 6 {
					m.Data = bytes.Replace(m.Data, []byte(`"/crm/`), []byte(`"/CRM/`), 1)
				}
				return true
			})
		}, "index 5: "},
		"cut": {func(f *fixture) store.Stream {
			return f.altered(func(m *entry.Message) bool { return m.Seq < 3 })
		}, "index 3: cut: "},
		"written again": {func(f *fixture) store.Stream {
			same := func(c *sealer.Config) { c.Signer = f.Config.Signer }
			other := &fixture{Fixture: logtest.New(f.TB, store.NewMemory(logtest.Name), same)}
			other.Seal()
			other.n = 1000
			other.batches()
			if last(other) != last(f) {
				f.Fatal("not the same length")
			}
			return other.Store.Sealed
		}, "it is another entry"},
		"a message lost": {func(f *fixture) store.Stream {
			f.batches()
			return f.altered(func(m *entry.Message) bool { return m.Seq != 6 })
		}, "index 5: "},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, store.NewMemory("default"))
			f.batches()
			a, stop := f.watch(alert.Config{Lag: -1})
			f.Until("the end", func() bool { return a.Status().CaughtUp })
			stop()
			if list := f.own(); len(list) != 0 {
				t.Fatalf("%+v", list)
			}
			f.Store.Sealed = c.alter(f)
			for range 2 {
				a, stop := f.watch(alert.Config{Lag: -1})
				f.Until("the failure", func() bool {
					return a.Status().Err != "" && strings.Contains(a.Status().Err, c.what)
				})
				stop()
			}
			if list := f.own(); len(list) != 1 || list[0].Type != alert.TypeFailure ||
				!strings.Contains(list[0].Text, c.what) || list[0].Agent != list[0].Source {
				t.Fatalf("%+v", list)
			}
		})
	}
}

// TestLag: events that nobody seals are told once, until they are sealed and others wait.
func TestLag(t *testing.T) {
	f := newFixture(t, store.NewMemory("default"))
	f.batches()
	a, stop := f.watch(alert.Config{Lag: 40 * time.Millisecond})
	f.Until("the end", func() bool { return a.Status().CaughtUp })
	lags := func() (n int) {
		for _, x := range f.own() {
			if x.Type == alert.TypeLag {
				n++
			}
		}
		return n
	}
	f.publish(2)
	f.Until("the lag", func() bool { return lags() == 1 })
	stop()
	again, _ := f.watch(alert.Config{Lag: 40 * time.Millisecond})
	f.publish(2)
	time.Sleep(100 * time.Millisecond) // nothing is to happen
	if n := lags(); n != 1 {
		t.Fatalf("told %d times", n)
	}
	f.Seal()
	f.Until("all looked at", func() bool { return again.Status().Next == 8 })
	time.Sleep(50 * time.Millisecond) // some looks at an EVENTS of which nothing waits
	f.publish(1)
	f.Until("the next lag", func() bool { return lags() == 2 })
	if x := f.own()[0]; x.InputSeq != 5 || x.Index != 3 || !strings.Contains(x.Text, "EVENTS sequence 5") {
		t.Fatalf("%+v", x)
	}
}

// TestSilence: an agent is missed although nothing else happens in the log; once for each time that it falls silent.
func TestSilence(t *testing.T) {
	t.Parallel()
	f := newFixture(t, store.NewMemory("default"))
	quiet := []alert.Rule{
		{Name: "quiet", Match: []alert.Condition{{Field: "agent_did", Values: []string{"did:web:agent-1"}}}, Silence: time.Second},
	}
	f.publish(6) // agents 0 to 5
	f.Seal()
	a, stop := f.watch(alert.Config{Lag: -1, Rules: quiet})
	f.Until("the silence", func() bool { return len(f.own()) == 1 })
	stop()
	a, _ = f.watch(alert.Config{Lag: -1, Rules: quiet})
	f.Until("the end", func() bool { return a.Status().CaughtUp })
	f.n = 8 // agent 1 again
	f.publish(1)
	f.Seal()
	f.Until("the second silence", func() bool { return len(f.own()) == 2 })
	list := f.own()
	for i, index := range []uint64{2, 7} {
		x, e := list[i], f.entries()[index]
		if x.Type != alert.TypeSilence || x.Agent != "did:web:agent-1" || x.Index != index ||
			x.Hash != e.EntryHash.String() || x.Rule != "quiet" {
			t.Fatalf("%+v", x)
		}
		received, err := canonical.ParseTime(e.ReceivedAt)
		if err != nil || x.Time != canonical.FormatReceived(received.Add(time.Second)) {
			t.Fatalf("received %s, silent at %s", e.ReceivedAt, x.Time)
		}
	}
}

// growing is SEALED of a log that has always one message more than was read.
type growing struct {
	store.Stream
	on    atomic.Bool
	looks atomic.Int64
}

func (g *growing) Info(ctx context.Context) (store.Info, error) {
	info, err := g.Stream.Info(ctx)
	if g.on.Load() {
		info.Last++
		g.looks.Add(1)
	}
	return info, err
}

// TestNeverAtTheEnd: a follower that was at the end once stays ready while the log grows faster than it is looked at.
func TestNeverAtTheEnd(t *testing.T) {
	f := newFixture(t, store.NewMemory("default"))
	f.batches()
	g := &growing{Stream: f.Store.Sealed}
	f.Store.Sealed = g
	a, _ := f.watch(alert.Config{Lag: -1})
	f.Until("the end", func() bool { return a.Status().CaughtUp })
	g.on.Store(true)
	f.Until("some looks", func() bool { return g.looks.Load() > 5 })
	if st := a.Status(); !st.CaughtUp || st.Err != "" {
		t.Errorf("%+v", st)
	}
}

// deposed is SEALED behind a broker that for some looks says that it ends earlier than it does.
type deposed struct {
	store.Stream
	left atomic.Int64
}

func (d *deposed) Info(ctx context.Context) (store.Info, error) {
	info, err := d.Stream.Info(ctx)
	if d.left.Add(-1) >= 0 {
		info.Last -= min(info.Last, 3)
	}
	return info, err
}

// TestDeposed: a broker that is behind for a while, as one is after a pause, is no log that was cut.
func TestDeposed(t *testing.T) {
	f := newFixture(t, store.NewMemory("default"))
	f.batches()
	d := &deposed{Stream: f.Store.Sealed}
	f.Store.Sealed = d
	a, stop := f.watch(alert.Config{Lag: -1})
	f.Until("the end", func() bool { return a.Status().CaughtUp })
	d.left.Store(20) // while it runs
	f.Until("some looks", func() bool { return d.left.Load() < 0 })
	stop()
	d.left.Store(20) // when it begins
	a, _ = f.watch(alert.Config{Lag: -1})
	f.Until("the end again", func() bool { return a.Status().CaughtUp })
	f.Until("all looks", func() bool { return d.left.Load() < 0 })
	if s := a.Status(); s.Bad || s.Err != "" {
		t.Fatalf("%+v", s)
	}
	if list := f.own(); len(list) != 0 {
		t.Fatalf("%+v", list)
	}
}
