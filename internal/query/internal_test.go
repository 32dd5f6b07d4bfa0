package query

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/segment"
	"github.com/sealstream/sealstream/pkg/api"
)

func TestPrefersText(t *testing.T) {
	for accept, want := range map[string]bool{
		"": false, "text/plain": true, "TEXT/plain; charset=utf-8": true, "application/json": false, "*/*": false, "text/plain, */*": true,
		"application/json, text/plain, */*": false, "text/plain;q=0.5, application/json": false, "text/plain, application/json;q=0.5": true,
		"text/html,application/xhtml+xml,*/*;q=0.8": false, "text/plain;q=0": false, "text/plain;q=0.1,*/*;q=0.5": false,
	} {
		if got := prefersText(accept); got != want {
			t.Errorf("Accept: %s: text %t", accept, got)
		}
	}
}

// TestCache: what was used last stays, and the bytes are bounded.
func TestCache(t *testing.T) {
	c := newCache[cacheKey](3000)
	key := func(i int) cacheKey { return cacheKey{seq: uint64(i)} }
	for i := range 100 {
		c.put(key(i), bytes.Repeat([]byte{byte(i)}, 700))
		c.get(key(0))
		if c.bytes > 3000 || len(c.byKey) != c.order.Len() {
			t.Fatalf("%d bytes, %d messages, %d in order", c.bytes, len(c.byKey), c.order.Len())
		}
	}
	if body, ok := c.get(key(0)); !ok || body[0] != 0 {
		t.Fatal("the message used most is gone")
	}
	if _, ok := c.get(key(50)); ok {
		t.Fatal("an old message is still there")
	}
	c.put(key(0), make([]byte, 4000))
	if _, ok := c.get(key(0)); ok || c.bytes != 0 {
		t.Fatal("a message that is larger than all is kept")
	}
}

// TestAudits: one runs at a time, those who ask meanwhile share the next, and one that nobody waits for ends.
func TestAudits(t *testing.T) {
	begun, finish := make(chan uint64), make(chan bool)
	n := uint64(0)
	a := &audits{}
	a.run = func(ctx context.Context) (Verdict, error) {
		n++ // one at a time: the race detector would tell
		begun <- n
		select {
		case <-finish:
			return Verdict{TreeSize: n}, nil
		case <-ctx.Done():
			return Verdict{}, ctx.Err()
		}
	}
	got := make(chan uint64, 10)
	ask := func(ctx context.Context) {
		v, err := a.wait(ctx)
		if err != nil {
			v.TreeSize = 99
		}
		got <- v.TreeSize
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	go ask(ctx)
	<-begun
	for range 5 {
		go ask(ctx)
	}
	for waiting := 0; waiting < 5; time.Sleep(time.Millisecond) {
		a.mu.Lock()
		if a.next != nil {
			waiting = a.next.waiting
		}
		a.mu.Unlock()
	}
	finish <- true
	if v := <-got; v != 1 {
		t.Fatalf("the first got run %d", v)
	}
	<-begun
	finish <- true
	for range 5 {
		if v := <-got; v != 2 {
			t.Fatalf("one who came during the first run got run %d", v)
		}
	}
	gone, leave := context.WithCancel(ctx)
	go ask(gone)
	<-begun
	leave()
	if v := <-got; v != 99 {
		t.Fatalf("one who left got run %d", v)
	}
	go ask(ctx) // the abandoned run makes room
	if v := <-begun; v != 4 {
		t.Fatalf("run %d", v)
	}
	finish <- true
	<-got
}

func TestCursor(t *testing.T) {
	f := api.Filter{Agent: []string{"b", "a"}, From: "2024-01-01T01:00:00+01:00"}
	normal, err := f.Normal()
	if err != nil {
		t.Fatal(err)
	}
	for _, index := range []uint64{0, 1, 1 << 40} {
		s := formatCursor(index, "o", nil, normal, Ascending)
		same, err := api.Filter{Agent: []string{"a", "b", "a"}, From: "2024-01-01T00:00:00Z"}.Normal()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parseCursor(s, "o", nil, same, Ascending); err != nil || got != index {
			t.Fatalf("%d: %d %v", index, got, err)
		}
		for what, err := range map[string]error{
			"another log": second(parseCursor(s, "p", nil, normal, Ascending)), "another order": second(parseCursor(s, "o", nil, normal, Descending)),
			"another filter":                    second(parseCursor(s, "o", nil, api.Filter{Agent: []string{"ab"}, From: normal.From}, Ascending)),
			"a field's values in another field": second(parseCursor(s, "o", nil, api.Filter{Type: []string{"a", "b"}, From: normal.From}, Ascending)),
		} {
			if _, ok := errors.AsType[*api.ParamError](err); !ok {
				t.Errorf("a cursor of %s: %v", what, err)
			}
		}
	}
}

func second[T any](_ T, err error) error { return err }

// FuzzCursor: whatever is sent as a cursor, it is the one that this service made, or an error.
func FuzzCursor(f *testing.F) {
	f.Add("")
	f.Add("e30")
	for i := range 5 {
		f.Add(formatCursor(uint64(i), "o", nil, api.Filter{}, Descending))
	}
	f.Fuzz(func(t *testing.T, s string) {
		index, err := parseCursor(s, "o", nil, api.Filter{}, Descending)
		if err == nil && formatCursor(index, "o", nil, api.Filter{}, Descending) != s {
			t.Fatalf("%q is taken for %d", s, index)
		}
	})
}

// TestTally: hostile event types do not make statistics grow.
func TestTally(t *testing.T) {
	var c tally
	for i := range 1000 {
		c.add(fmt.Sprint(i), 1)
		c.add("0", 1)
		c.add("", 1)
	}
	if len(c.counts) != maxTally || c.counts["0"] != 1001 || c.other != 1000-maxTally {
		t.Fatalf("%d counts, %d other", len(c.counts), c.other)
	}
}

// TestSeen: an id that was added is always known, and few others are.
func TestSeen(t *testing.T) {
	var s seen
	key := segment.Key{9}
	const n = 300_000
	wrong := 0
	for i := range n {
		if s.add(segment.ShortID(key.Hash(fmt.Sprint("id-", i)))) {
			wrong++
		}
	}
	if wrong > n/50 || len(s.parts) != 3 {
		t.Fatalf("%d of %d new ids are taken for known ones; %d parts", wrong, n, len(s.parts))
	}
	for i := range n {
		if !s.add(segment.ShortID(key.Hash(fmt.Sprint("id-", i)))) {
			t.Fatalf("id %d is not known any more", i)
		}
	}
}
