package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// once gives the n-th operation of a resource and method a fault.
func once(resource, method string, n uint64, f Fault) Hook {
	return func(op Op) Fault {
		if op.Resource == resource && op.Method == method && op.Count == n {
			return f
		}
		return None
	}
}

func data(t *testing.T, s store.Stream) (list []string) {
	t.Helper()
	info, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for seq := info.First; seq <= info.Last; seq++ {
		m, err := s.Get(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(m.Data))
	}
	return list
}

// TestFaultsOfAppend writes a, b and c; the fault falls on b.
func TestFaultsOfAppend(t *testing.T) {
	for _, c := range []struct {
		fault  Fault
		err    error
		before []string // in the store after c
		after  []string // and when all that was on the wire has come
	}{
		{None, nil, []string{"a", "b", "c"}, []string{"a", "b", "c"}},
		{Fail, ErrInjected, []string{"a", "c"}, []string{"a", "c"}},
		{Lose, store.ErrAmbiguous, []string{"a", "c"}, []string{"a", "c"}},
		{WriteThenFail, store.ErrAmbiguous, []string{"a", "b", "c"}, []string{"a", "b", "c"}},
		{Delay, store.ErrAmbiguous, []string{"a", "c"}, []string{"a", "c", "b"}},
		{Crash, ErrCrashed, []string{"a"}, []string{"a"}},
		{WriteThenCrash, ErrCrashed, []string{"a", "b"}, []string{"a", "b"}},
	} {
		under := store.NewMemory("x")
		plan := &Plan{Hook: once("EVENTS", "Append", 1, c.fault)}
		l := Faulty(under, plan)
		for i, text := range []string{"a", "b", "c"} {
			want := error(nil)
			if i == 1 || i == 2 && errors.Is(c.err, ErrCrashed) {
				want = c.err
			}
			if _, err := l.Events.Append(t.Context(), entry.Message{Data: []byte(text)}, nil); !errors.Is(err, want) {
				t.Errorf("fault %d, %s: %v, want %v", c.fault, text, err, want)
			}
		}
		if got := data(t, under.Events); !slices.Equal(got, c.before) {
			t.Errorf("fault %d: %v, want %v", c.fault, got, c.before)
		}
		plan.Settle()
		if got := data(t, under.Events); !slices.Equal(got, c.after) {
			t.Errorf("fault %d, settled: %v, want %v", c.fault, got, c.after)
		}
	}
}

// TestDelayedWriteComes: a delayed write is done by itself after so many operations, and fails by
// then if its turn has passed.
func TestDelayedWriteComes(t *testing.T) {
	under := store.NewMemory("x")
	l := Faulty(under, &Plan{Hook: once("SEALED", "Append", 0, Delay), DelayedFor: 2})
	zero := uint64(0)
	if _, err := l.Sealed.Append(t.Context(), entry.Message{Data: []byte("late")}, &zero); !errors.Is(err,
		store.ErrAmbiguous) {
		t.Fatal(err)
	}
	for want := range uint64(2) {
		info, err := l.Sealed.Info(t.Context())
		if err != nil || info.Last != want {
			t.Fatalf("last sequence %d, want %d (%v)", info.Last, want, err)
		}
	}
}

func TestFaultsOfReading(t *testing.T) {
	under := store.NewMemory("x")
	if _, err := under.Events.Append(t.Context(), entry.Message{Data: []byte("a")}, nil); err != nil {
		t.Fatal(err)
	}
	plan := &Plan{Hook: func(op Op) Fault {
		switch op.Method {
		case "Get":
			return Stale
		case "Info":
			return []Fault{None, Stale}[op.Count%2]
		case "Next":
			return []Fault{None, Fail}[op.Count%2]
		}
		return None
	}}
	l := Faulty(under, plan)
	if _, err := l.Events.Get(t.Context(), 1); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("stale Get: %v", err)
	}
	for range 2 {
		if info, err := l.Events.Info(t.Context()); err != nil || info.Last != 1 {
			t.Errorf("Info %+v, %v", info, err)
		}
		if _, err := under.Events.Append(t.Context(), entry.Message{}, nil); err != nil {
			t.Fatal(err)
		}
	}
	r, err := l.Events.Read(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if list, err := r.Next(t.Context(), 1); err != nil || string(list[0].Data) != "a" {
		t.Errorf("Next %v, %v", list, err)
	}
	for range 2 { // once cut, it stays so
		if _, err := r.Next(t.Context(), 1); !errors.Is(err, ErrInjected) {
			t.Errorf("Next after the cut: %v", err)
		}
	}
}

// TestCrashEndsWaiting: a reader that waits while the process dies elsewhere does not wait for ever.
func TestCrashEndsWaiting(t *testing.T) {
	plan := &Plan{Hook: once("HEAD", "Put", 0, Crash)}
	l := Faulty(store.NewMemory("x"), plan)
	r, err := l.Events.Read(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		_, err := r.Next(context.Background(), 1)
		ended <- err
	}()
	if err := l.Head.Put(t.Context(), "k", nil); !errors.Is(err, ErrCrashed) {
		t.Errorf("Put: %v", err)
	}
	<-plan.Dead()
	if err := <-ended; !errors.Is(err, ErrCrashed) {
		t.Errorf("Next: %v", err)
	}
}

// TestRandomIsSeeded: the same seed gives the same faults, another one others, each about as often as asked.
func TestRandomIsSeeded(t *testing.T) {
	draw := func(seed uint64, method string) map[Fault]int {
		h, n := Random(seed, map[Fault]int{Fail: 100, Delay: 200, Stale: 50}), map[Fault]int{}
		for i := range uint64(10_000) {
			op := Op{Resource: "EVENTS", Method: method, Count: i}
			if f := h(op); f != h(op) {
				t.Fatalf("two decisions about %+v", op)
			} else {
				n[f]++
			}
		}
		return n
	}
	n := draw(1, "Append")
	if n[Fail] < 800 || n[Fail] > 1200 || n[Delay] < 1700 || n[Delay] > 2300 || n[Stale] != 0 {
		t.Errorf("faults of Append: %v", n)
	}
	if n := draw(1, "Get"); n[Stale] < 300 || n[Stale] > 700 || n[Delay] != 0 {
		t.Errorf("faults of Get: %v", n)
	}
	if m := draw(2, "Append"); m[Fail] == n[Fail] && m[Delay] == n[Delay] {
		t.Error("two seeds give the same faults")
	}
}
