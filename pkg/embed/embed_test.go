package embed_test

import (
	"bytes"
	"context"
	"io"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/pkg/client"
	"github.com/sealstream/sealstream/pkg/embed"
	"github.com/sealstream/sealstream/pkg/embed/prometheus"
	"github.com/sealstream/sealstream/pkg/redact"
	"github.com/sealstream/sealstream/pkg/sink"
)

// TestOptions: each option takes effect, in memory and in a directory, which can be opened again.
func TestOptions(t *testing.T) {
	for name, dir := range map[string]string{"memory": "", "directory": t.TempDir() + "/d"} {
		t.Run(name, func(t *testing.T) {
			var kept []sink.Record
			o := embed.Options{
				Dir: dir, Name: "fleet", Host: "example.com", Sinks: []string{"mine:?name=own"},
				Schemes: sink.Schemes{"mine": func(*url.URL, *sink.Params) (sink.Open, error) {
					return func(context.Context) (sink.Sink, error) { return sink.NewMemory(&kept), nil }, nil
				}},
				Redaction: &redact.Rules{}, Metrics: prometheus.Metrics,
			}
			l, err := embed.Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			receipt, err := l.Client().Log(t.Context(), client.Event{
				Agent: "did:web:a", Type: "t", Data: map[string]string{"password": "kept"},
			}, client.WaitSealed)
			if err != nil || receipt.Index == 0 {
				t.Fatal(receipt, err)
			}
			if !strings.HasPrefix(l.Key(), "example.com/fleet/") {
				t.Errorf("key %s", l.Key())
			}
			w := httptest.NewRecorder()
			l.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
			if body, err := io.ReadAll(w.Result().Body); err != nil ||
				!bytes.Contains(body, []byte(`sealstream_log_entries{log="fleet"}`)) {
				t.Errorf("/metrics: %d, %v", w.Code, err)
			}
			if err := l.Close(); err != nil { // after what is sealed is in the sink
				t.Fatal(err)
			}
			at := slices.IndexFunc(kept, func(r sink.Record) bool { return r.Entry.Index == receipt.Index })
			if at < 0 || !bytes.Contains(kept[at].Payload.Data, []byte("kept")) {
				t.Errorf("the sink has %d records, and not the data of index %d", len(kept), receipt.Index)
			}
			if dir == "" {
				return
			}
			again, err := embed.Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			if again.Key() != l.Key() {
				t.Errorf("key %s, was %s", again.Key(), l.Key())
			}
		})
	}
}

// TestOptionsInvalid: a setting that is wrong is an error of Open.
func TestOptionsInvalid(t *testing.T) {
	for name, o := range map[string]embed.Options{
		"name": {Name: "a/b"}, "host": {Host: "a b"}, "sink": {Sinks: []string{"postgres://h/d"}},
	} {
		if l, err := embed.Open(t.Context(), o); err == nil {
			l.Close()
			t.Errorf("%s: no error", name)
		}
	}
}

// TestReading reads the log inside the program: pages, and a stream while the log grows.
func TestReading(t *testing.T) {
	l, err := embed.Open(t.Context(), embed.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := l.Client()
	record := func() {
		if _, err := c.Log(t.Context(), client.Event{Agent: "did:web:a", Type: "t"}, client.WaitSealed); err != nil {
			t.Fatal(err)
		}
	}
	record()
	n := uint64(0)
	for e, err := range c.Entries(t.Context(), client.Filter{}) {
		if err != nil || e.Index != n {
			t.Fatalf("index %d, want %d: %v", e.Index, n, err)
		}
		n++
	}
	record()
	for e, err := range c.Follow(t.Context(), client.Filter{FromIndex: n}) {
		if err != nil || e.Index != n {
			t.Fatalf("index %d, want %d: %v", e.Index, n, err)
		}
		if n++; n == 5 {
			return
		}
		record()
	}
}
