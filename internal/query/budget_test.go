package query

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/store"
)

// TestBudgetOrder: shares are granted in the order of asking, a small one does not overtake a large
// one, and what is given back goes to whoever waits.
func TestBudgetOrder(t *testing.T) {
	b := &budget{limit: 10, timeout: logtest.Bound}
	first, err := b.take(t.Context(), 8, false)
	if err != nil {
		t.Fatal(err)
	}
	var order []int64
	granted := make(chan *lease)
	for i, bytes := range []int64{5, 1} {
		go func() {
			l, err := b.take(t.Context(), bytes, false)
			if err != nil {
				t.Error(err)
			}
			granted <- l
		}()
		logtest.Until(t, "the read waits", func() bool { return waitingOf(b) == i+1 })
	}
	if first.more(1) {
		t.Error("more was given past those who wait")
	}
	select {
	case l := <-granted:
		t.Fatalf("%d bytes were granted beside 8 of 10", l.bytes)
	default:
	}
	first.keep(5)
	l := <-granted
	order = append(order, l.bytes)
	l.leave()
	l = <-granted
	if order = append(order, l.bytes); !slices.Equal(order, []int64{5, 1}) {
		t.Errorf("granted in the order %v", order)
	}
	if !first.more(4) || first.more(1) {
		t.Errorf("more beyond what is free, or not what is: %d used", b.used)
	}
	l.leave()
	first.leave()
	if b.used != 0 || b.peak != 10 {
		t.Errorf("%d used at the end, %d at most", b.used, b.peak)
	}
}

// TestBudgetRefuses: a read that waits in vain is refused, and leaves nothing behind.
func TestBudgetRefuses(t *testing.T) {
	b := &budget{limit: 10, timeout: time.Millisecond}
	all, err := b.take(t.Context(), 1<<40, false)
	if err != nil || all.bytes != 10 {
		t.Fatalf("a share of more than there is: %+v, %v", all, err)
	}
	if _, err := b.take(t.Context(), 1, false); !errors.Is(err, ErrFull) {
		t.Errorf("a read that waited in vain: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	patient := make(chan error)
	go func() {
		_, err := b.take(ctx, 1, true)
		patient <- err
	}()
	logtest.Until(t, "the patient one waits", func() bool { return waitingOf(b) == 1 })
	if _, err := b.take(t.Context(), 1, false); !errors.Is(err, ErrFull) {
		t.Errorf("a read behind a patient one: %v", err)
	}
	cancel()
	if err := <-patient; !errors.Is(err, context.Canceled) {
		t.Errorf("a patient one whose request ended: %v", err)
	}
	b.timeout = logtest.Bound
	for range maxWaiting {
		b.waiting = append(b.waiting, &waiter{1, make(chan struct{})})
	}
	if _, err := b.take(t.Context(), 1, false); !errors.Is(err, ErrFull) {
		t.Errorf("one more than may wait: %v", err)
	}
	all.leave()
	if waitingOf(b) != maxWaiting-10 || b.used != 10 {
		t.Errorf("%d wait, %d are used", waitingOf(b), b.used)
	}
}

// TestBudgetIsFull: while all memory for reads is in use, a request that needs some is refused with
// 503 and Retry-After. One that needs none is answered.
func TestBudgetIsFull(t *testing.T) {
	q, err := New(Config{Log: store.NewMemory(logtest.Name)})
	if err != nil {
		t.Fatal(err)
	}
	q.reads.timeout = time.Millisecond
	all, err := q.reads.take(t.Context(), q.reads.limit, false)
	if err != nil {
		t.Fatal(err)
	}
	h := q.Handler()
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	for _, path := range []string{
		"/v1/entries", "/v1/entries/0", "/v1/entries/0/proof", "/v1/traces/t", "/v1/sessions/s", "/v1/consistency?from=1&to=2",
		"/tile/0/000", "/tile/entries/000", "/logs/default/tile/0/000", "/v1/agents/a/entries", "/v1/types/t/entries",
		"/v1/entries/id/x", "/v1/counts", "/v1/export",
	} {
		w := get(path)
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "1" ||
			!strings.Contains(w.Body.String(), ErrFull.Error()) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	for _, path := range []string{"/healthz", "/v1/stats", "/openapi.json", "/"} {
		if w := get(path); w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	all.leave()
	if w := get("/v1/entries"); strings.Contains(w.Body.String(), ErrFull.Error()) {
		t.Errorf("still full: %s", w.Body)
	}
	if n := q.ReadBytes(); n != 0 {
		t.Errorf("%d bytes are still taken", n)
	}
}

// TestNoLease: a caller in this process has no limit.
func TestNoLease(t *testing.T) {
	var l *lease
	if !l.more(1 << 60) {
		t.Error("refused")
	}
	l.less(1 << 60)
	l.keep(0)
	l.leave()
	if leaseOf(t.Context()) != nil || leaseOf(l.with(t.Context())) != nil {
		t.Error("a lease out of nothing")
	}
}

func waitingOf(b *budget) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiting)
}
