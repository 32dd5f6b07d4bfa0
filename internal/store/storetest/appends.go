package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

func testExpect(t *testing.T, l *store.Log) {
	s := l.Payloads
	for _, c := range []struct {
		expect uint64
		want   error
	}{{1, store.ErrConflict}, {0, nil}, {0, store.ErrConflict}, {2, store.ErrConflict}, {1, nil}} {
		_, err := s.Append(t.Context(), entry.Message{Subject: payloads, Data: []byte("x")}, &c.expect)
		if !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Fatalf("expecting %d: %v, want %v", c.expect, err, c.want)
		}
	}
	if info, err := s.Info(t.Context()); err != nil || info.Last != 2 {
		t.Fatalf("%+v, %v; want 2 messages", info, err)
	}
}

// testBatches: a batch is written whole or not at all, whichever way it goes wrong.
func testBatches(t *testing.T, l *store.Log) {
	b, ok := l.Alerts.(store.BatchAppender)
	if !ok {
		t.Skip("this store takes no batches")
	}
	batch := func(n int) (list []entry.Message) {
		for i := range n {
			list = append(
				list,
				entry.Message{Subject: alerts, Header: entry.Header{"n": {fmt.Sprint(i)}}, Data: fmt.Append(nil, "m", i)},
			)
		}
		return list
	}
	last := uint64(0)
	for _, n := range []int{1, 2, store.MaxBatch, 7} {
		if _, err := b.AppendBatch(t.Context(), batch(n), last+1); !errors.Is(err, store.ErrConflict) {
			t.Fatalf("%d messages, a wrong last sequence: %v", n, err)
		}
		seq, err := b.AppendBatch(t.Context(), batch(n), last)
		if err != nil || seq != last+uint64(n) {
			t.Fatalf("%d messages behind %d: %d, %v", n, last, seq, err)
		}
		for i, m := range Collect(t, l.Alerts, last+1, n) {
			if string(m.Data) != fmt.Sprint("m", i) || m.Header.Get("n") != fmt.Sprint(i) || m.Subject != alerts {
				t.Fatalf("message %d: %+v", i, m)
			}
		}
		last = seq
	}
	if info, err := l.Alerts.Info(t.Context()); err != nil || info.Last != last {
		t.Fatalf("%+v, %v; want %d messages", info, err, last)
	}
}

// testBatchRace: batches of many writers never mix, and none is half there.
func testBatchRace(t *testing.T, l *store.Log) {
	b, ok := l.Alerts.(store.BatchAppender)
	if !ok {
		t.Skip("this store takes no batches")
	}
	const writers, each, size = 4, 10, 5
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for n := 0; n < each; {
				info, err := l.Alerts.Info(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				var list []entry.Message
				for i := range size {
					list = append(list, entry.Message{Subject: alerts, Data: fmt.Append(nil, w, n, i)})
				}
				switch _, err := b.AppendBatch(t.Context(), list, info.Last); {
				case err == nil:
					n++
				case !errors.Is(err, store.ErrConflict):
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	done := map[string]bool{}
	list := Collect(t, l.Alerts, 1, writers*each*size)
	for i := 0; i < len(list); i += size {
		var w, n, at int
		for k := range size {
			var x, y int
			if _, err := fmt.Sscan(string(list[i+k].Data), &x, &y, &at); err != nil || at != k || k > 0 && (x != w || y != n) {
				t.Fatalf("message %d is %s", i+k+1, list[i+k].Data)
			}
			w, n = x, y
		}
		done[fmt.Sprint(w, n)] = true
	}
	if len(done) != writers*each {
		t.Fatalf("%d batches, want %d", len(done), writers*each)
	}
}

// testRace: of many writers that expect the same last sequence, exactly one wins each time.
func testRace(t *testing.T, l *store.Log) {
	const writers, slots = 4, 100
	wins := make([][]uint64, writers)
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for slot := uint64(0); slot < slots; {
				_, err := l.Payloads.Append(t.Context(), entry.Message{Subject: payloads, Data: fmt.Append(nil, w)}, &slot)
				switch {
				case err == nil:
					wins[w] = append(wins[w], slot)
				case !errors.Is(err, store.ErrConflict):
					t.Error(err)
					return
				}
				slot++
			}
		})
	}
	group.Wait()
	seen := map[uint64]int{}
	for _, list := range wins {
		for _, slot := range list {
			seen[slot]++
		}
	}
	info, err := l.Payloads.Info(t.Context())
	if err != nil || int(info.Last) != len(seen) {
		t.Fatalf("%d messages, %d slots won, %v", info.Last, len(seen), err)
	}
	for slot, n := range seen {
		if n != 1 {
			t.Fatalf("slot %d was won %d times", slot, n)
		}
	}
}

func testAsync(t *testing.T, l *store.Log) {
	var pending []store.Pending
	for i := range 500 {
		p, err := l.Payloads.AppendAsync(t.Context(), entry.Message{Subject: payloads, Data: fmt.Append(nil, i)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		pending = append(pending, p)
	}
	for i, p := range pending {
		if seq, err := p(t.Context()); err != nil || seq != uint64(i+1) {
			t.Fatalf("message %d: sequence %d, %v", i, seq, err)
		}
	}
	expect := uint64(3)
	p, err := l.Payloads.AppendAsync(t.Context(), entry.Message{Subject: payloads}, &expect)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p(t.Context()); !errors.Is(err, store.ErrConflict) {
		t.Fatalf("expecting 3: %v, want ErrConflict", err)
	}
}

// testAlias: what the caller does with its bytes after an append changes nothing.
func testAlias(t *testing.T, l *store.Log) {
	data, header := []byte("before"), entry.Header{"A": {"before"}}
	if _, err := l.Payloads.Append(t.Context(), entry.Message{Subject: payloads, Data: data, Header: header},
		nil); err != nil {
		t.Fatal(err)
	}
	copy(data, "after.")
	header["A"][0] = "after"
	m, err := l.Payloads.Get(t.Context(), 1)
	if err != nil || string(m.Data) != "before" || m.Header.Get("A") != "before" {
		t.Fatalf("%+v, %v", m, err)
	}
}

// testExpectEmptied: the last sequence ever given stays the one to expect, whatever has been
// removed.
func testExpectEmptied(t *testing.T, l *store.Log) {
	p := l.Payloads.(store.Purger)
	for i := range 5 {
		add(t, l.Payloads, fmt.Sprint(i))
	}
	if err := p.SecureDelete(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	for i, remove := range []func() error{
		func() error { return nil }, // the newest is gone already
		func() error { return p.PurgeBelow(t.Context(), 7) },
		func() error { return p.PurgeBelow(t.Context(), 1<<62) }, // all; no sequence is used up by it
	} {
		if err := remove(); err != nil {
			t.Fatal(err)
		}
		expect := uint64(5 + i)
		for _, wrong := range []uint64{0, expect - 1, expect + 1} {
			if _, err := l.Payloads.Append(t.Context(), entry.Message{Subject: payloads}, &wrong); !errors.Is(
				err,
				store.ErrConflict,
			) {
				t.Fatalf("expecting %d of %d: %v, want ErrConflict", wrong, expect, err)
			}
		}
		if seq, err := l.Payloads.Append(t.Context(), entry.Message{Subject: payloads}, &expect); err != nil ||
			seq != expect+1 {
			t.Fatalf("expecting %d: %d, %v", expect, seq, err)
		}
	}
}

// testAsyncExpect: of messages under way, one that does not meet its expectation fails alone, and
// those behind it go by what is there.
func testAsyncExpect(t *testing.T, l *store.Log) {
	var pending []store.Pending
	for _, expect := range []uint64{0, 1, 7, 2, 2, 3} {
		p, err := l.Payloads.AppendAsync(
			t.Context(),
			entry.Message{Subject: payloads, Data: fmt.Append(nil, expect)},
			&expect,
		)
		if err != nil {
			t.Fatal(err)
		}
		pending = append(pending, p)
	}
	for i, want := range []uint64{1, 2, 0, 3, 0, 4} {
		seq, err := pending[i](t.Context())
		if seq != want || (want == 0) != errors.Is(err, store.ErrConflict) {
			t.Fatalf("message %d: %d, %v; want %d", i, seq, err, want)
		}
	}
	for _, m := range Collect(t, l.Payloads, 1, 4) {
		if string(m.Data) != fmt.Sprint(m.Seq-1) {
			t.Fatalf("sequence %d is %q", m.Seq, m.Data)
		}
	}
}
