package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/ingest"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
)

// TestManyProducers lets 4,096 producers submit side by side. Each event is sealed once, at the
// place its receipt says, each producer's in its order; and no group is larger than allowed
// (case 59 of conformance/cases_test.go).
func TestManyProducers(t *testing.T) {
	for name, log := range map[string]func(testing.TB) *store.Log{
		"memory": func(testing.TB) *store.Log { return store.NewMemory("default") },
		"nats":   onNATS,
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, log(t), ingest.Config{})
			producers, each := 4096, 3
			if testing.Short() {
				producers = 512
			}
			var mu sync.Mutex
			receipts := map[string]api.Receipt{}
			parallel(producers, func(p int) {
				for n := range each {
					raw := []ingest.Raw{
						{Event: []byte(event(fmt.Sprintf("%d-%d", p, n))), Publisher: fmt.Sprint("producer ", p)},
					}
					got, err := w.ingest.Submit(t.Context(), raw, ingest.WaitStored)
					if err != nil || len(got) != 1 || got[0].Status != api.Stored {
						t.Errorf("producer %d: %+v %v", p, got, err)
						return
					}
					mu.Lock()
					receipts[got[0].EntryID] = got[0]
					mu.Unlock()
				}
			})
			next := make([]int, producers)
			for _, e := range w.entries(t)[1:] {
				r, ok := receipts[e.EntryID]
				if !ok || r.InputSeq != e.InputSeq || r.Position != e.Position {
					t.Fatalf("receipt %+v for %s", r, e.Leaf)
				}
				delete(receipts, e.EntryID)
				producer, number, _ := strings.Cut(e.EntryID, "-")
				p, _ := strconv.Atoi(producer)
				if n, _ := strconv.Atoi(number); n != next[p] || e.Publisher != fmt.Sprint("producer ", p) {
					t.Fatalf("event %s of %q after %d others", e.EntryID, e.Publisher, next[p])
				}
				next[p]++
			}
			if len(receipts) != 0 {
				t.Errorf("%d events have a receipt and no entry", len(receipts))
			}
			groups := checkGroups(t, w.log)
			t.Logf("%d events in %d groups", producers*each, groups)
			if name == "nats" && groups > producers*each/4 { // in memory nothing takes long enough to wait for
				t.Errorf("%d groups: hardly any grouping", groups)
			}
		})
	}
}

// checkGroups holds the limits of an EVENTS message, and counts those of ingest.
func checkGroups(t *testing.T, log *store.Log) (groups int) {
	t.Helper()
	info, err := log.Events.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for seq := info.First; seq <= info.Last; seq++ {
		m, err := log.Events.Get(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(m.Subject, ".batch.") {
			continue
		}
		groups++
		if list, err := inbox.Split(m.Data); err != nil || len(list) > ruleset.MaxMessageEvents ||
			len(m.Data) > ruleset.MaxMessageBytes {
			t.Errorf("message %d: %d events, %d bytes: %v", seq, len(list), len(m.Data), err)
		}
	}
	return groups
}

// TestLargeGroups: groups of large events end before the message's limit.
func TestLargeGroups(t *testing.T) {
	w := start(t, store.NewMemory("default"), ingest.Config{})
	data := strings.Repeat("x", 200<<10)
	parallel(40, func(i int) {
		raw := fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"s","type":"t","data":%q}`, i, data)
		if got, err := w.ingest.Submit(t.Context(), []ingest.Raw{{Event: []byte(raw)}},
			ingest.WaitSealed); err != nil || got[0].Status != api.Sealed {
			t.Errorf("%d: %.300v %v", i, got, err)
		}
	})
	if n := len(w.entries(t)); n != 41 {
		t.Errorf("%d entries, want 41", n)
	}
	if n := checkGroups(t, w.log); n < 10 {
		t.Errorf("%d groups for 40 events of 200 KiB", n)
	}
}

// faulty is EVENTS behind a bad connection.
type faulty struct {
	store.Stream
	mu    sync.Mutex
	rng   *rand.Rand
	mean  int // one append in mean goes wrong; 0: none
	full  atomic.Bool
	down  atomic.Bool
	lost  int // appends answered with ErrAmbiguous
	later int // of these, written later
	late  sync.WaitGroup
	reads int // Last fails this often after a fault
}

func (f *faulty) Append(ctx context.Context, m entry.Message, expect *uint64) (uint64, error) {
	if f.full.Load() {
		return 0, store.ErrFull
	}
	if f.down.Load() {
		return 0, errors.New("nobody there")
	}
	f.mu.Lock()
	kind := -1
	if f.mean > 0 && f.rng.IntN(f.mean) == 0 && strings.Contains(m.Subject, ".batch.") {
		kind = f.rng.IntN(3)
		f.lost++
		f.reads = f.rng.IntN(3)
	}
	f.mu.Unlock()
	switch kind {
	case 0: // not written
		return 0, store.ErrAmbiguous
	case 1: // written, and the answer lost
		if _, err := f.Stream.Append(ctx, m, expect); err != nil {
			return 0, err
		}
		return 0, store.ErrAmbiguous
	case 2: // written a little later, perhaps after it was looked for, or was sent again
		m.Data = append([]byte(nil), m.Data...)
		f.later++
		f.late.Go(func() {
			time.Sleep(time.Duration(f.rand(30)) * time.Millisecond)
			f.Stream.Append(context.Background(), m, expect)
		})
		return 0, store.ErrAmbiguous
	}
	return f.Stream.Append(ctx, m, expect)
}

func (f *faulty) rand(n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rng.IntN(n)
}

func (f *faulty) Last(ctx context.Context, subject string) (entry.Message, error) {
	f.mu.Lock()
	fail := f.reads > 0 || f.down.Load()
	f.reads = max(0, f.reads-1)
	f.mu.Unlock()
	if fail {
		return entry.Message{}, errors.New("no answer")
	}
	return f.Stream.Last(ctx, subject)
}

// TestAmbiguous: whatever an append without an answer came to, each event is an entry once, and its receipt is true.
func TestAmbiguous(t *testing.T) {
	seeds := uint64(8)
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		log := store.NewMemory("default")
		w := startSealer(t, log)
		mine := *log
		f := &faulty{Stream: log.Events, rng: rand.New(rand.NewPCG(seed, 1)), mean: 3}
		mine.Events = f
		w.run(t, ingest.Config{Log: &mine, ID: "one"})
		var mu sync.Mutex
		var receipts []api.Receipt
		parallel(20, func(p int) {
			for n := range 10 {
				got, err := w.ingest.Submit(t.Context(), []ingest.Raw{{
					Event: []byte(event(fmt.Sprintf("%d-%d", p, n))),
				}}, ingest.WaitSealed)
				if err != nil {
					t.Errorf("seed %d: %v", seed, err)
					return
				}
				mu.Lock()
				receipts = append(receipts, got...)
				mu.Unlock()
			}
		})
		f.late.Wait()
		list := w.entries(t)
		seen := map[string]uint64{}
		for _, e := range list {
			if _, twice := seen[e.EntryID]; twice || e.EventType == entry.TypeRejected ||
				e.EventType == entry.TypeEquivocation {
				t.Fatalf("seed %d: %s", seed, e.Leaf)
			}
			seen[e.EntryID] = e.Index
		}
		if n := repeatedGroups(t, log); n > f.later {
			t.Errorf("seed %d: %d groups were sent again, but only %d were not there when they were looked for", seed,
				n, f.later)
		}
		if len(receipts) != 200 || f.lost == 0 {
			t.Fatalf("seed %d: %d receipts, %d faults", seed, len(receipts), f.lost)
		}
		for _, r := range receipts {
			if index, ok := seen[r.EntryID]; !ok || index != r.Index || r.EntryHash != list[index].EntryHash.String() ||
				r.Status != "sealed" && r.Status != "duplicate" {
				t.Errorf("seed %d: receipt %+v, index %d", seed, r, index)
			}
		}
	}
}

// repeatedGroups counts the groups that stand in EVENTS more than once.
func repeatedGroups(t *testing.T, log *store.Log) (n int) {
	t.Helper()
	info, err := log.Events.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[entry.Hash]bool{}
	for seq := info.First; seq <= info.Last; seq++ {
		m, err := log.Events.Get(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		if seen[m.Digest()] {
			n++
		}
		seen[m.Digest()] = true
	}
	return n
}

// TestNoAnswer: what cannot be settled in time is told apart: unknown for the group under way,
// certainly not stored for those behind it.
func TestNoAnswer(t *testing.T) {
	log := store.NewMemory("default")
	w := startSealer(t, log)
	mine := *log
	f := &faulty{Stream: log.Events}
	mine.Events = f
	w.run(t, ingest.Config{Log: &mine, StoreTimeout: 50 * time.Millisecond})
	f.down.Store(true)
	if r := w.post(t, "/v1/events", structured, event("lost")); r.status != 503 || r.header.Get("Retry-After") == "" ||
		!strings.Contains(r.Problem.Detail, "not known whether") ||
		!strings.Contains(r.Problem.Detail, "same ids is safe") {
		t.Errorf("no answer: %d %s", r.status, r.body)
	}
	if err := w.ingest.Ready(); !errors.Is(err, ingest.ErrUnavailable) {
		t.Errorf("ready while EVENTS is away: %v", err)
	}
	f.down.Store(false)
	f.full.Store(true)
	if r := w.post(t, "/v1/events", structured, event("full")); r.status != 507 ||
		!strings.Contains(r.Problem.Type, "full") || r.header.Get("Retry-After") == "" {
		t.Errorf("full: %d %s", r.status, r.body)
	}
	f.full.Store(false)
	if r := w.post(t, "/v1/events", structured, event("after")); r.Status != "stored" {
		t.Errorf("after: %s", r.body)
	}
	if err := w.ingest.Ready(); err != nil {
		t.Errorf("not ready after all: %v", err)
	}
	if list := w.entries(t); len(list) != 2 || list[1].EntryID != "after" {
		t.Errorf("%d entries", len(list))
	}
}

// TestStop: a stopping ingest writes what it has taken, and refuses the rest.
func TestStop(t *testing.T) {
	log := store.NewMemory("default")
	w := startSealer(t, log)
	in, err := ingest.New(ingest.Config{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stored atomic.Int64
	var submitters sync.WaitGroup
	for p := range 64 {
		submitters.Go(func() {
			for n := 0; ; n++ {
				got, err := in.Submit(t.Context(), []ingest.Raw{{Event: []byte(event(fmt.Sprintf("%d-%d", p, n)))}},
					ingest.WaitStored)
				if errors.Is(err, ingest.ErrUnavailable) {
					return
				}
				if err != nil || got[0].Status != api.Stored {
					t.Errorf("%+v %v", got, err)
					return
				}
				if stored.Add(1) == 1000 {
					cancel()
				}
			}
		})
	}
	if err := in.Run(ctx); err != nil {
		t.Error(err)
	}
	submitters.Wait()
	if n := len(w.entries(t)); int64(n) != stored.Load()+1 {
		t.Errorf("%d entries for %d receipts", n, stored.Load())
	}
}

// TestBusy: what does not fit into the budget is refused at once, and the budget comes back.
func TestBusy(t *testing.T) {
	log := store.NewMemory("default")
	w := startSealer(t, log)
	in, err := ingest.New(ingest.Config{Log: log, MaxBody: 1 << 20, MaxInFlight: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	large := []ingest.Raw{{Event: []byte(strings.Replace(event("1"), "{", "{"+strings.Repeat(" ", 900<<10), 1))}}
	go func() { _, err := in.Submit(ctx, large, ingest.WaitStored); first <- err }()
	logtest.Until(t, "ingest to be busy", func() bool {
		_, err := in.Submit(ctx, large, ingest.WaitWitnessed)
		return errors.Is(err, ingest.ErrBusy)
	})
	cancel() // it waits for a Run that never comes
	if err := <-first; !errors.Is(err, ingest.ErrUnknown) || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	logtest.Run(t, "ingest", in.Run)
	if got, err := in.Submit(t.Context(), large, ingest.WaitSealed); err != nil || got[0].Status != api.Sealed {
		t.Errorf("%+v %v", got, err)
	}
	if n := len(w.entries(t)); n != 2 {
		t.Errorf("%d entries: one whose caller has left was written", n)
	}
}
