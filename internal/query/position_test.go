package query_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
)

// TestBeyondTheEnd: a position that the log does not have yet is refused wherever one is named:
// what comes up to there would be skipped later, in silence. The end itself is a position.
func TestBeyondTheEnd(t *testing.T) {
	f := newFixture(t)
	f.publishAll(tau(t, 94), 20)
	const size = 95
	head := func(values ...string) (h http.Header) {
		if h = (http.Header{}); len(values) > 0 {
			h["Last-Event-Id"] = values
		}
		return h
	}
	for _, c := range []struct {
		path   string
		header http.Header
		param  string // at fault; "": nothing is
	}{
		{"/v1/stream", head("100"), "Last-Event-ID"}, {"/v1/stream", head("95"), "Last-Event-ID"}, {"/v1/stream", head("9007199254740991"), "Last-Event-ID"},
		{"/v1/stream?from_index=3", head("95"), "Last-Event-ID"}, {"/v1/stream", head(""), "Last-Event-ID"}, {"/v1/stream", head("1", "2"), "Last-Event-ID"},
		{"/v1/stream", head("1", ""), "Last-Event-ID"}, {"/v1/stream", head("", "1"), "Last-Event-ID"}, {"/v1/stream", head("007"), "Last-Event-ID"}, {"/v1/stream", head("+1"), "Last-Event-ID"},
		{"/v1/stream", head("1, 2"), "Last-Event-ID"}, {"/v1/stream", head("-1"), "Last-Event-ID"}, {"/v1/stream", head("99999999999999999999"), "Last-Event-ID"},
		{"/v1/stream?from_index=96", head(), "from_index"}, {"/v1/stream?from_index=5000&type=nosuch", head(), "from_index"}, {"/v1/stream?from_index=", head(), "from_index"},
		{"/v1/entries?order=asc&from_index=96", head(), "from_index"}, {"/v1/entries?before_index=96", head(), "before_index"},
		{"/v1/entries?order=asc&from_index=9007199254740991", head(), "from_index"},
		{"/v1/stream", head("94"), ""}, {"/v1/stream", head("0"), ""}, {"/v1/stream", head(), ""}, {"/v1/stream?from_index=95", head(), ""},
		{"/v1/entries?order=asc&from_index=95", head(), ""}, {"/v1/entries?before_index=95", head(), ""},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), logtest.Bound)
		req, err := http.NewRequestWithContext(ctx, "GET", f.server.URL+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = c.header
		resp, err := f.server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		want, text := http.StatusOK, make([]byte, 2000)
		if c.param != "" {
			want = http.StatusBadRequest
		}
		n, _ := resp.Body.Read(text)
		if resp.StatusCode != want || c.param != "" &&
			!strings.Contains(string(text[:n]), fmt.Sprintf(`"parameter":%q`, c.param)) {
			t.Errorf("%s %v: %s, want %d\n%s", c.path, c.header, resp.Status, want, text[:n])
		}
		resp.Body.Close()
		cancel()
	}
	for _, p := range []query.Page{{Order: query.Ascending, From: size + 1}, {Before: size + 1}} {
		if _, err := f.q.Entries(t.Context(), api.Filter{}, p); err == nil ||
			!strings.Contains(err.Error(), "beyond the end: the log has 95 entries") {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

// TestReplicaBehind: a position that another replica has shown is waited for, and is never taken
// for one beyond the end.
func TestReplicaBehind(t *testing.T) {
	f := newFixture(t)
	f.publishAll(tau(t, 20), 20)
	slow := &gated{Stream: f.log.Sealed}
	replica := &fixture{T: t, size: 21}
	replica.serve(query.Config{
		Log: &store.Log{
			Name: "default", Events: f.log.Events, Sealed: slow, Payloads: f.log.Payloads, Head: f.log.Head,
		},
		Keys: []string{f.key},
	})
	replica.await()
	open := make(chan struct{})
	slow.gate.Store(&open)
	f.publishAll(tau(t, 60)[20:], 20)
	var p page
	f.get("/v1/entries?limit=2", &p)
	paths := []string{
		"/v1/entries?order=asc&from_index=61", "/v1/entries?before_index=61",
		"/v1/entries?limit=2&cursor=" + url.QueryEscape(*p.NextCursor), "/v1/stream?from_index=61",
	}
	replica.refused(503, "GET", paths[0])
	time.AfterFunc(300*time.Millisecond, func() { close(open) })
	for _, path := range paths {
		ctx, cancel := context.WithTimeout(t.Context(), logtest.Bound)
		req, err := http.NewRequestWithContext(ctx, "GET", replica.server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%s: %v %v", path, resp, err)
		}
		resp.Body.Close()
		cancel()
	}
}

// gated is a stream whose readers give out nothing while there is a gate, and it is closed.
type gated struct {
	store.Stream
	gate atomic.Pointer[chan struct{}]
}

func (g *gated) Read(ctx context.Context, from uint64) (store.Reader, error) {
	r, err := g.Stream.Read(ctx, from)
	return gatedReader{r, g}, err
}

type gatedReader struct {
	store.Reader
	g *gated
}

func (r gatedReader) Next(ctx context.Context, limit int) ([]entry.Message, error) {
	list, err := r.Reader.Next(ctx, limit)
	if gate := r.g.gate.Load(); gate != nil && err == nil {
		select {
		case <-*gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return list, err
}
