package alert_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/alert"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/internal/store/storetest"
)

// follow runs an alerter over a log until it has looked at size entries, or the process that has
// the log is dead. It says whether it came there.
func (f *fixture) follow(log *store.Log, plan *storetest.Plan, size uint64) bool {
	f.Helper()
	a := f.alerter(log, alert.Config{Rules: rules, Lag: -1})
	ctx, cancel := context.WithTimeout(f.Context(), logtest.Bound)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	came := false
	for a.Status().Next < size && ctx.Err() == nil && !came {
		select {
		case <-plan.Dead():
			came = true
		case <-time.After(200 * time.Microsecond):
		}
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		f.Fatalf("stuck: %+v", a.Status())
	}
	there := a.Status().Next >= size
	cancel()
	if err := <-done; err != nil {
		f.Fatal(err)
	}
	return there
}

// TestCrashAnywhere lets the process die before and after each of its writes, one write later in
// each life. Whoever comes next goes on without loss or repetition.
func TestCrashAnywhere(t *testing.T) {
	for _, single := range []bool{false, true} {
		t.Run(fmt.Sprintf("single=%v", single), func(t *testing.T) { testCrashAnywhere(t, single) })
	}
}

func testCrashAnywhere(t *testing.T, single bool) {
	f := newFixture(t, store.NewMemory("default"))
	f.Config.MaxEntries = 8
	if single {
		f.Store.Alerts = onlyStream{f.Store.Alerts}
	}
	f.publish(300)
	f.Seal()
	size := uint64(len(f.entries()))
	lives, log := 0, f.Store
	for there := false; !there; lives++ {
		n := uint64(lives % 4)
		kind := []storetest.Fault{storetest.Crash, storetest.WriteThenCrash}[lives/4%2]
		plan := &storetest.Plan{Hook: func(op storetest.Op) storetest.Fault {
			if op.Writes() && op.Resource == "ALERTS" && op.Count == n ||
				op.Resource == "CURSORS" && op.Method == "Put" && op.Count == n {
				return kind
			}
			return storetest.None
		}}
		there = f.follow(storetest.Faulty(log, plan), plan, size)
		plan.Settle()
		if lives > 2000 {
			t.Fatal("no end")
		}
	}
	if n := f.check(); lives < 15 {
		t.Fatalf("%d lives for %d alerts: too few", lives, n)
	}
	t.Logf("%d lives", lives)
}

// onlyStream hides what a stream can do beside.
type onlyStream struct{ store.Stream }

// TestTroubledStores runs two alerters at a time over stores that fail, lose answers and write late
// what nobody waits for any more.
func TestTroubledStores(t *testing.T) {
	seeds := 12
	if testing.Short() {
		seeds = 4
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, store.NewMemory("default"))
			f.Config.MaxEntries = 16
			if seed%3 == 0 {
				f.Store.Alerts = onlyStream{f.Store.Alerts}
			}
			f.publish(200)
			f.Seal()
			size := uint64(len(f.entries()))
			done := make(chan bool, 2)
			for i := range 2 {
				plan := &storetest.Plan{DelayedFor: 3, Hook: storetest.Random(uint64(2*seed+i), map[storetest.Fault]int{
					storetest.Fail: 10, storetest.Lose: 20, storetest.WriteThenFail: 20, storetest.Delay: 20,
				})}
				go func() { done <- f.follow(storetest.Faulty(f.Store, plan), plan, size) }()
			}
			for range 2 {
				if !<-done {
					t.Error("one did not come to the end")
				}
			}
			f.check()
		})
	}
}

// TestStateLost: without its saved state, or with ALERTS made anew, a follower reads the log again,
// and tells what is missing and nothing else.
func TestStateLost(t *testing.T) {
	f := newFixture(t, store.NewMemory("default"))
	none := &storetest.Plan{}
	f.publish(100)
	f.Seal()
	f.follow(f.Store, none, uint64(len(f.entries())))
	f.check()

	f.Store.Cursors = store.NewMemoryKV()
	f.publish(100)
	f.Seal()
	f.follow(f.Store, none, uint64(len(f.entries())))
	f.check()

	if err := f.Store.Cursors.Put(t.Context(), "default/alerts",
		[]byte(`{"generation":0,"parts":3,"digest":"00"}`)); err != nil {
		t.Fatal(err)
	}
	f.publish(100)
	f.Seal()
	f.follow(f.Store, none, uint64(len(f.entries())))
	all := f.check()

	f.Store.Alerts = store.NewMemoryStream()
	f.follow(f.Store, none, uint64(len(f.entries())))
	if n := f.check(); n != all {
		t.Fatalf("%d alerts written again, there were %d", n, all)
	}
}

// TestRulesChange: a rule holds from the entry on at which it was first there; the others keep what they remember.
func TestRulesChange(t *testing.T) {
	f := newFixture(t, store.NewMemory("default"))
	f.publish(30)
	f.Seal()
	size := uint64(len(f.entries()))
	f.follow(f.Store, &storetest.Plan{}, size)
	before := f.check()

	more := append([]alert.Rule{{
		Name: "all", Match: []alert.Condition{{Field: "agent_did", Prefixes: []string{"did:"}}},
	}}, rules...)
	a := f.alerter(f.Store, alert.Config{Rules: more, Lag: -1})
	stop := f.Run("alerter", a.Run)
	f.publish(3)
	f.Seal()
	f.Until("the new entries", func() bool { return a.Status().Next == size+3 })
	stop()
	all := 0
	for _, a := range f.told()[before:] {
		if a.Index < size {
			t.Fatalf("%s tells of index %d, which is before the change", a.Rule, a.Index)
		}
		if a.Rule == "often" {
			t.Fatalf("a rate that was told is told again")
		}
		if a.Rule == "all" {
			all++
		}
	}
	if all != 3 {
		t.Fatalf("%d alerts of the new rule, want 3", all)
	}
}

// TestRestartReadsLittle: a follower that told nothing for long does not read the log again when it starts.
func TestRestartReadsLittle(t *testing.T) {
	f := newFixture(t, store.NewMemory("default"))
	for i := range 20 { // a batch each
		f.n = 3*i + 1
		f.publish(1)
		f.Seal()
	}
	size := uint64(len(f.entries()))
	quiet := func(plan *storetest.Plan) {
		a := f.alerter(storetest.Faulty(f.Store, plan), alert.Config{Lag: -1})
		stop := f.Run("alerter", a.Run)
		f.Until("the end", func() bool { return a.Status().Next == size })
		stop()
	}
	quiet(&storetest.Plan{})
	if n := len(f.told()); n != 0 {
		t.Fatalf("%d alerts", n)
	}
	first := uint64(0)
	quiet(&storetest.Plan{Hook: func(op storetest.Op) storetest.Fault {
		if op.Resource == "SEALED" && op.Method == "Read" {
			first = op.Seq
		}
		return storetest.None
	}})
	info, err := f.Store.Sealed.Info(t.Context())
	if err != nil || first+1 < info.Last {
		t.Fatalf("read from SEALED sequence %d of %d, %v", first, info.Last, err)
	}
}
