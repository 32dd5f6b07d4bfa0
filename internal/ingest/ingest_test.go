package ingest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/ingest"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/natsd"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams"
)

// world is a log with a sealer and an ingest.
type world struct {
	log    *store.Log
	vkey   string
	ingest *ingest.Ingest
	http   *httptest.Server
}

// start runs a sealer and an ingest over a log until the test ends.
func start(t testing.TB, log *store.Log, cfg ingest.Config) *world {
	t.Helper()
	w := startSealer(t, log)
	cfg.Log = log
	w.run(t, cfg)
	return w
}

func startSealer(t testing.TB, log *store.Log) *world {
	t.Helper()
	l := logtest.New(t, log, nil)
	l.Run("sealer", l.Sealer().Run)
	return &world{log: log, vkey: l.Key}
}

func (w *world) run(t testing.TB, cfg ingest.Config) {
	t.Helper()
	in, err := ingest.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	logtest.Run(t, "ingest", in.Run)
	w.ingest = in
	w.http = httptest.NewServer(in.Handler())
	t.Cleanup(w.http.Close)
	logtest.Until(t, "ingest to be ready", func() bool { return in.Ready() == nil })
}

// onNATS makes a log on an embedded server of its own, durable.
func onNATS(t testing.TB) *store.Log {
	t.Helper()
	return open(t, server(t))
}

func server(t testing.TB) *natsd.Server {
	t.Helper()
	return logtest.Server(t, natsd.Config{})
}

// open opens the log on a connection of its own.
func open(t testing.TB, s *natsd.Server, opts ...nats.Option) *store.Log {
	t.Helper()
	_, log := logtest.Open(t, s, streams.Config{Log: logtest.Name}, opts...)
	return log
}

// entries audits the log and returns its entries, once all of EVENTS is sealed.
func (w *world) entries(t testing.TB) []entry.Entry {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	info, err := w.log.Events.Info(ctx)
	if err != nil {
		t.Fatal(err)
	}
	logtest.Until(t, "all of EVENTS to be sealed", func() bool {
		_, err := store.FindInput(ctx, w.log, 1, info.Last)
		return err == nil
	})
	report, err := store.Audit(ctx, w.log, audit.Config{Keys: []string{w.vkey}})
	if err != nil {
		t.Fatalf("audit: %v", err)
	}
	var list []entry.Entry
	for s, err := range (store.Follower{Log: w.log, Keys: []string{w.vkey}, Stop: true}).Batches(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, s.Entries...)
	}
	if uint64(len(list)) != report.Size {
		t.Fatalf("%d entries followed, %d audited", len(list), report.Size)
	}
	return list
}

// event is a small valid event.
func event(id string) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"did:web:a.example",`+
		`"type":"ai.agentmesh.tool.invoked","data":{"n":1}}`, id)
}

type result struct {
	status int
	header http.Header
	body   string
	api.Receipt
	Receipts []api.Receipt
	Problem  struct {
		Type, Title, Detail, Field string
		Status                     int
	}
}

// post sends a request and reads receipts or the problem.
func (w *world) post(t testing.TB, path, contentType, body string, header ...string) result {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, w.http.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	return w.do(t, req)
}

func (w *world) do(t testing.TB, req *http.Request) result {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	r := result{status: resp.StatusCode, header: resp.Header, body: string(raw)}
	if resp.StatusCode == http.StatusOK {
		var got struct{ Receipts []api.Receipt }
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		if r.Receipts = got.Receipts; len(r.Receipts) > 0 {
			r.Receipt = r.Receipts[0]
		}
		return r
	}
	if ct := resp.Header.Get("Content-Type"); ct != "application/problem+json" {
		t.Fatalf("status %d with content type %q: %s", resp.StatusCode, ct, raw)
	}
	if err := json.Unmarshal(raw, &r.Problem); err != nil || r.Problem.Status != resp.StatusCode ||
		r.Problem.Title == "" {
		t.Fatalf("status %d with problem %s: %v", resp.StatusCode, raw, err)
	}
	return r
}

const (
	structured = "application/cloudevents+json"
	batched    = "application/cloudevents-batch+json"
)

// parallel runs f for 0 to n-1 side by side.
func parallel(n int, f func(i int)) {
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { f(i) })
	}
	group.Wait()
}
