package ingest_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sealstream/sealstream/internal/ingest"
	"github.com/sealstream/sealstream/internal/store"
)

// TestDiskIsFull: while there is no room nothing is stored, over HTTP with a 503 that says when to
// come again, and later it is.
func TestDiskIsFull(t *testing.T) {
	var full atomic.Bool
	log := store.NewMemory("default")
	in, err := ingest.New(ingest.Config{Log: log, Room: func(int) error {
		if full.Load() {
			return errors.New("/data has 3 MiB free")
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	go in.Run(t.Context())
	post := func() *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "/v1/events",
			strings.NewReader(`{"specversion":"1.0","id":"1","source":"did:web:a","type":"t"}`))
		r.Header.Set("Content-Type", "application/cloudevents+json")
		w := httptest.NewRecorder()
		in.Handler().ServeHTTP(w, r)
		return w
	}
	full.Store(true)
	w := post()
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "5" ||
		!strings.Contains(w.Body.String(), "urn:sealstream:problem:disk-full") ||
		!strings.Contains(w.Body.String(), "/data has 3 MiB free") {
		t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	if _, err := in.Submit(t.Context(), []ingest.Raw{{
		Event: []byte(`{"specversion":"1.0","id":"1","source":"did:web:a","type":"t"}`),
	}}, ingest.WaitStored); !errors.Is(err, ingest.ErrDiskFull) {
		t.Fatalf("submit: %v", err)
	}
	if info, err := log.Events.Info(t.Context()); err != nil || info.Last != 0 {
		t.Fatalf("EVENTS: %+v, %v", info, err)
	}
	full.Store(false)
	if w := post(); w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
}
