package sealer

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams/subject"
)

// candidate is a running sealer that waits for the lease.
type candidate struct {
	*Sealer
	kill func() // it is gone at once: nothing more that it does reaches the store
	stop func()
	done chan error
}

// severed is a store that a killed process cannot reach any more.
type severed struct {
	store.KV
	dead context.Context
}

func (s severed) Get(ctx context.Context, key string) ([]byte, uint64, error) {
	if s.dead.Err() != nil {
		return nil, 0, errors.New("killed")
	}
	return s.KV.Get(ctx, key)
}

func (s severed) Update(ctx context.Context, key string, value []byte, revision uint64) error {
	if s.dead.Err() != nil {
		return errors.New("killed")
	}
	return s.KV.Update(ctx, key, value, revision)
}

func (f *fixture) candidate(name string) *candidate {
	f.t.Helper()
	dead, kill := context.WithCancel(context.Background())
	log := *f.log
	log.Head = severed{f.log.Head, dead}
	cfg := f.cfg
	cfg.Log, cfg.Holder = &log, name
	s, err := New(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(f.t.Context())
	c := &candidate{Sealer: s, stop: stop, done: make(chan error, 1)}
	go func() { c.done <- s.Run(ctx) }()
	c.kill = func() { kill(); stop(); <-c.done }
	f.t.Cleanup(func() { kill(); stop() })
	return c
}

// until waits, in the bubble's time, for a condition, and returns how long it took.
func (f *fixture) until(what string, condition func() bool) time.Duration {
	f.t.Helper()
	start := time.Now()
	for !condition() {
		if time.Since(start) > time.Minute {
			f.t.Fatalf("never: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(start)
}

// TestLeaseLapses: a standby takes over within the lapse and a look after the active one died, and
// has the log read by then.
func TestLeaseLapses(t *testing.T) {
	onLog(t, func(t *testing.T, f *fixture) {
		a := f.candidate("a")
		f.until("a seals", func() bool { return a.Status().Active && a.Status().Size == 1 })
		b := f.candidate("b")
		f.publish(tokenSubject("did:a"), event("1", "1"))
		f.until("b follows", func() bool { return b.Status().Size == 2 })
		time.Sleep(time.Minute)
		if !a.Status().Active || b.Status().Active || b.Status().Batches > 0 {
			t.Fatalf("a %+v, b %+v: the standby must wait", a.Status(), b.Status())
		}
		a.kill()
		f.publish(tokenSubject("did:a"), event("2", "1"))
		took := f.until("b seals", func() bool { return b.Status().Size == 3 })
		if most := leaseTimeout + 2*beatInterval; took > most {
			t.Errorf("the take-over took %v, more than %v", took, most)
		}
		b.stop()
		<-b.done
		f.expect("config 1/0", "tool_invocation 2/0 1", "tool_invocation 3/0 2")
		f.audit()
	})
}

// TestLeaseReleased: a sealer that stops in peace hands over without any wait for a lapse, and back again.
func TestLeaseReleased(t *testing.T) {
	onLog(t, func(t *testing.T, f *fixture) {
		a := f.candidate("a")
		f.until("a seals", func() bool { return a.Status().Active })
		b := f.candidate("b")
		f.until("b follows", func() bool { return b.Status().Size == 1 })
		a.stop()
		if err := <-a.done; err != nil {
			t.Fatal(err)
		}
		if took := f.until("b seals", func() bool { return b.Status().Active }); took > beatInterval {
			t.Errorf("the hand-over took %v", took)
		}
		c := f.candidate("a") // as its supervisor starts it again
		time.Sleep(10 * time.Second)
		if c.Status().Active || !b.Status().Active {
			t.Fatal("the lease moved without a reason")
		}
	})
}

// TestLeaseTaken: a holder that was cut off for longer than the lapse becomes the standby, and no
// batch of it is lost or done twice.
func TestLeaseTaken(t *testing.T) {
	onLog(t, func(t *testing.T, f *fixture) {
		a := f.candidate("a")
		f.until("a seals", func() bool { return a.Status().Active })
		b := f.candidate("b")
		f.until("b follows", func() bool { return b.Status().Size == 1 })
		l := &lease{kv: f.log.Head, key: subject.Lease(testLog), holder: "administrator", id: "x"}
		now, revision, err := l.read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		took, err := l.write(t.Context(), beat{Term: now.Term + 1}, func(v []byte) error {
			return f.log.Head.Update(t.Context(), l.key, v, revision)
		})
		if !took || err != nil {
			t.Fatal(took, err)
		}
		f.until("a has seen it", func() bool { return !a.Status().Active })
		f.until("one of them seals again", func() bool { return a.Status().Active || b.Status().Active })
		f.publish(tokenSubject("did:a"), event("1", "1"))
		f.until("both know the entry", func() bool { return a.Status().Size == 2 && b.Status().Size == 2 })
		if a.Status().Active && b.Status().Active {
			t.Fatal("both seal")
		}
		f.audit()
	})
}

// partitioned is a stream that nobody can append to while cut is set.
type partitioned struct {
	store.Stream
	cut *atomic.Bool
}

func (p partitioned) Append(ctx context.Context, m entry.Message, last *uint64) (uint64, error) {
	if p.cut.Load() {
		return 0, errors.New("partitioned")
	}
	return p.Stream.Append(ctx, m, last)
}

// partitionedKV is a bucket that nobody can reach while cut is set.
type partitionedKV struct {
	store.KV
	cut *atomic.Bool
}

func (p partitionedKV) Get(ctx context.Context, key string) ([]byte, uint64, error) {
	if p.cut.Load() {
		return nil, 0, errors.New("partitioned")
	}
	return p.KV.Get(ctx, key)
}

// TestStandbyAfterTrouble: a sealer that lost the lease while it could not commit is a healthy
// standby as soon as it follows the log. Its last error was about sealing, which the other one does.
func TestStandbyAfterTrouble(t *testing.T) {
	onLog(t, func(t *testing.T, f *fixture) {
		var cut atomic.Bool
		sealed, head := f.log.Sealed, f.log.Head
		f.log.Sealed, f.log.Head = partitioned{sealed, &cut}, partitionedKV{head, &cut}
		a := f.candidate("a")
		f.until("a seals", func() bool { return a.Status().Active })
		f.log.Sealed, f.log.Head = sealed, head
		b := f.candidate("b")
		f.until("b follows", func() bool { return b.Status().Size == 1 })

		cut.Store(true)
		f.publish(tokenSubject("did:a"), event("1", "1"))
		f.until("a fails", func() bool { return a.Status().Err != nil })
		f.until("b seals", func() bool { return b.Status().Size == 2 })
		cut.Store(false)
		f.until("a has lost the lease", func() bool { return !a.Status().Active })
		f.until("a is well", func() bool { return a.Status().Err == nil && a.Status().Size == 2 })
	})
}

// TestLeaseOfNobody: what no sealer wrote lapses, and a lease that is removed is made anew.
func TestLeaseOfNobody(t *testing.T) {
	onLog(t, func(t *testing.T, f *fixture) {
		if err := f.log.Head.Put(t.Context(), subject.Lease(testLog), []byte("?")); err != nil {
			t.Fatal(err)
		}
		a := f.candidate("a")
		if took := f.until("a seals", func() bool { return a.Status().Active }); took > leaseTimeout+beatInterval {
			t.Errorf("it took %v", took)
		}
		time.Sleep(10 * beatInterval)
		if !a.Status().Active {
			t.Error("a seals no more")
		}
	})
}

// TestLeaseOldAnswers: a replica that lags makes no holder give up, and lets no standby take over what is held.
func TestLeaseOldAnswers(t *testing.T) {
	onLog(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		l := &lease{kv: f.log.Head, key: subject.Lease(testLog), holder: "l", id: "l"}
		if held, err := l.acquire(ctx); !held || err != nil {
			t.Fatal(held, err)
		}
		old, revision, err := f.log.Head.Get(ctx, l.key)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.writeNext(ctx, false); err != nil {
			t.Fatal(err)
		}
		l.kv = lagging{f.log.Head, old, revision}
		if err := l.writeNext(ctx, false); err != nil {
			t.Errorf("the holder: %v", err)
		}
		standby := &lease{kv: l.kv, key: l.key, holder: "s", id: "s"}
		for range 3 {
			if held, err := standby.acquire(ctx); held || err != nil {
				t.Errorf("the standby: %v, %v", held, err)
			}
			time.Sleep(leaseTimeout)
		}
	})
}

// lagging answers reads with what stood there once.
type lagging struct {
	store.KV
	value    []byte
	revision uint64
}

func (l lagging) Get(context.Context, string) ([]byte, uint64, error) {
	return l.value, l.revision, nil
}
