package ingest_test

import (
	"maps"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/ingest"
	"github.com/sealstream/sealstream/internal/store"
)

// TestObserver: every event is answered once, and every group written or not.
func TestObserver(t *testing.T) {
	log := store.NewMemory("default")
	w := startSealer(t, log)
	mine := *log
	f := &faulty{Stream: log.Events}
	mine.Events = f
	var mu sync.Mutex
	answered, written, failed := map[string]int{}, 0, 0
	w.run(t, ingest.Config{Log: &mine, Observe: ingest.Observer{
		Events: func(status string, n int) {
			mu.Lock()
			defer mu.Unlock()
			answered[status] += n
		},
		Group: func(events, bytes int, took time.Duration, err error) {
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed++
				return
			}
			written += events
			if bytes < events*len(`{"event":{}}`) || took < 0 {
				t.Errorf("a group of %d events: %d bytes, %v", events, bytes, took)
			}
		},
	}})
	batch := "[" + event("1") + "," + event("2") + `,{"specversion":"1.0"}]`
	if r := w.post(t, "/v1/events", "application/cloudevents-batch+json", batch); r.status != http.StatusOK {
		t.Fatal(r.body)
	}
	if r := w.post(t, "/v1/events?wait=sealed", structured, event("3")); r.Status != "sealed" {
		t.Fatal(r.body)
	}
	if r := w.post(t, "/v1/events?wait=sealed", structured, event("1")); r.Status != "duplicate" {
		t.Fatal(r.body)
	}
	f.full.Store(true)
	if r := w.post(t, "/v1/events", structured, event("4")); r.status != http.StatusInsufficientStorage {
		t.Fatal(r.body)
	}
	if r := w.post(t, "/v1/events?wiat=sealed", structured, event("5")); r.status != http.StatusBadRequest {
		t.Fatalf("a misspelt parameter: %d %s", r.status, r.body)
	}
	mu.Lock()
	defer mu.Unlock()
	if want := map[string]int{
		"stored": 2, "rejected": 1, "sealed": 1, "duplicate": 1, "failed": 1,
	}; !maps.Equal(answered, want) || written != 4 || failed != 1 {
		t.Errorf("answered %v, written %d, failed %d", answered, written, failed)
	}
}
