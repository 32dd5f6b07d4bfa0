package ingest_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/ingest"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// blocked is a stream that takes nothing until it is let go.
type blocked struct {
	store.Stream
	entered, let chan struct{}
}

func (b *blocked) Append(ctx context.Context, m entry.Message, last *uint64) (uint64, error) {
	select {
	case b.entered <- struct{}{}:
	default:
	}
	select {
	case <-b.let:
		return b.Stream.Append(ctx, m, last)
	case <-ctx.Done():
		return 0, store.ErrAmbiguous
	}
}

func manyEvents(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		b.WriteByte("[,"[min(i, 1)])
		fmt.Fprintf(&b,
			`{"specversion":"1.0","id":"event-%d","source":"did:web:agent-%d.example.com",`+
				`"type":"ai.agentmesh.tool.invoked","subject":"/crm/contacts","action":"allow","data":{"n":%d}}`, i, i,
			i)
	}
	b.WriteByte(']')
	return b.Bytes()
}

func postBatch(h http.Handler, query string, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/v1/events"+query, bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/cloudevents-batch+json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func heap() int64 {
	runtime.GC()
	runtime.GC() // what pools kept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestCost: what the budget is charged for a request with many small events is what it takes, or a little more.
func TestCost(t *testing.T) {
	for name, h := range map[string]*inbox.Handover{"alone": nil, "with a handover": {}} {
		t.Run(name, func(t *testing.T) { testCost(t, h) })
	}
}

func testCost(t *testing.T, h *inbox.Handover) {
	const n = 60_000
	log := store.NewMemory("default")
	b := &blocked{log.Events, make(chan struct{}, 1), make(chan struct{})}
	log.Events = b
	in, err := ingest.New(ingest.Config{Log: log, StoreTimeout: time.Minute, Handover: h})
	if err != nil {
		t.Fatal(err)
	}
	go in.Run(t.Context())
	body := manyEvents(n)
	before := heap()
	answered := make(chan *httptest.ResponseRecorder)
	go func() { answered <- postBatch(in.Handler(), "", body) }()
	<-b.entered
	took := heap() - before // the body is read into a copy of its own
	charged := in.InFlight()
	close(b.let)
	if w := <-answered; w.Code != http.StatusOK || strings.Count(w.Body.String(), `"status":"stored"`) != n {
		t.Fatalf("%d %.200s", w.Code, w.Body)
	}
	t.Logf("%d bytes, %d events: %d taken (%d an event), %d charged", len(body), n, took, (took-int64(len(body)))/n,
		charged)
	if took > charged || took < charged/3 {
		t.Errorf("%d bytes are taken, %d charged", took, charged)
	}
	if left := in.InFlight(); left != 0 {
		t.Errorf("%d bytes are still charged after the answer", left)
	}
}

// TestManyEventsAreCharged: a body of few bytes may be many events. They fit into the budget, or
// are refused with nothing stored: at once with 413 where they never will fit, with 503 and
// Retry-After where others are in the way.
func TestManyEventsAreCharged(t *testing.T) {
	log := store.NewMemory("default")
	b := &blocked{log.Events, make(chan struct{}, 1), make(chan struct{})}
	log.Events = b
	in, err := ingest.New(ingest.Config{Log: log, MaxBody: 1 << 20, MaxInFlight: 8 << 20, StoreTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	go in.Run(t.Context())
	tiny := []byte("[" + strings.Repeat("1,", 60_000) + "1]") // 120 kB; each is refused with a receipt of its own
	if w := postBatch(in.Handler(), "", tiny); w.Code != http.StatusRequestEntityTooLarge ||
		!strings.Contains(w.Body.String(), "several requests") {
		t.Fatalf("60,000 events in a budget of 8 MiB: %d %.300s", w.Code, w.Body)
	}
	m := entry.Message{
		Subject: "audit.default.submit.x", Header: entry.Header{"Content-Type": {"application/cloudevents-batch+json"}},
		Data: tiny,
	}
	if h, _ := in.Request(t.Context(), m); h.Get("Nats-Service-Error-Code") != "413" {
		t.Fatalf("over NATS: %v", h)
	}
	first := make(chan *httptest.ResponseRecorder)
	go func() { first <- postBatch(in.Handler(), "", manyEvents(5000)) }()
	<-b.entered
	w := postBatch(in.Handler(), "?wait=sealed", manyEvents(5000)) // small enough alone
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" ||
		!strings.Contains(w.Body.String(), "urn:sealstream:problem:busy") {
		t.Fatalf("beside another: %d %v %.300s", w.Code, w.Header(), w.Body)
	}
	close(b.let)
	if w := <-first; w.Code != http.StatusOK {
		t.Fatalf("the first: %d %.300s", w.Code, w.Body)
	}
	if w := postBatch(in.Handler(), "", manyEvents(5000)); w.Code != http.StatusOK {
		t.Fatalf("afterwards: %d %.300s", w.Code, w.Body)
	}
	if left := in.InFlight(); left != 0 {
		t.Errorf("%d bytes are still charged", left)
	}
}

// TestInFlight: the budget by the memory that the process may use.
func TestInFlight(t *testing.T) {
	for limit, want := range map[int64]int64{
		0: 256 << 20, -1: 256 << 20, 512 << 20: 128 << 20, 64 << 20: 16 << 20, 64 << 30: 256 << 20,
	} {
		if got := ingest.InFlight(limit); got != want {
			t.Errorf("of %d: %d, want %d", limit, got, want)
		}
	}
}
