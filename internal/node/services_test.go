package node

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/agtapi"
	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/natsconn"
	"github.com/sealstream/sealstream/internal/natsd"
)

// TestServices runs ingest, sealer and query apart, against one NATS server, as the three commands
// do; the sealer is stopped and started again in between.
func TestServices(t *testing.T) {
	dir := t.TempDir()
	s := logtest.Server(t, natsd.Config{StoreDir: filepath.Join(dir, "nats"), Password: "secret"})
	keys, err := datadir.GenerateKeys(dir, "test.example", "default")
	if err != nil {
		t.Fatal(err)
	}
	flags := ServiceConfig{
		Plugins: withPlugins, Log: "default",
		ConnFlags: natsconn.ConnFlags{NATS: s.ClientURL(), User: "sealstream", Password: "secret"}, Replicas: 1,
	}
	sealerService := &SealerService{ServiceConfig: flags, Keys: dir, EventsOpen: true, Metrics: logtest.FreeAddr(t)}
	ingestService := &IngestService{
		ServiceConfig: flags, HTTP: logtest.FreeAddr(t), Key: filepath.Join(dir, datadir.FilePublic),
	}
	queryService := &QueryService{
		ServiceConfig: flags, HTTP: logtest.FreeAddr(t), Key: filepath.Join(dir, datadir.FilePublic),
	}

	serveForTest(t, queryService)
	serveForTest(t, ingestService)
	stopSealer := serveForTest(t, sealerService) // last: the others wait for it to make the log
	for _, addr := range []string{ingestService.HTTP, queryService.HTTP, sealerService.Metrics} {
		waitReady(t, addr)
	}
	for _, c := range []struct {
		addr, path string
		status     int
		says       string
	}{
		{ingestService.HTTP, "/readyz", 200, `"fsync"`},
		{ingestService.HTTP, "/healthz", 200, `"conditions"`},
		{ingestService.HTTP, "/", 404, `not-found`},
		{ingestService.HTTP, "/v1/entries", 404, "this is sealstream ingest: POST /v1/events"},
		{sealerService.Metrics, "/readyz", 200, `"active"`},
		{sealerService.Metrics, "/", 404, "this is the sealer: GET /metrics, GET /healthz, GET /readyz"},
		{queryService.HTTP, "/readyz", 200, `"backlog"`},
		{queryService.HTTP, "/v1/archive", 200, `"segments"`},
	} {
		// A page shows what a monitor has measured only once it has measured.
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			status, body := fetch(c.addr, c.path, nil)
			if status == c.status && strings.Contains(string(body), c.says) {
				break
			}
			if time.Now().After(deadline) {
				t.Errorf("%s: %d %s, want %d and %s", c.path, status, body, c.status, c.says)
				break
			}
		}
	}
	groups := slices.Collect(slices.Chunk(airline(), 256))
	for i, group := range groups {
		if i == 1 {
			stopSealer()
			stopSealer = serveForTest(t, sealerService)
		}
		list, err := receipts(ingestService.HTTP, "sealed", group...)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list {
			if r["status"] != "sealed" {
				t.Fatalf("receipt: %v", r)
			}
		}
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		if status, _ := fetch(queryService.HTTP, "/v1/entries/713", url.Values{}); status == http.StatusOK {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("the last entry is not shown: status %d", status)
		}
		time.Sleep(10 * time.Millisecond)
	}
	entries, _ := exported(t, queryService.HTTP, keys.Signer.VerifierKey())
	if len(entries) != 714 {
		t.Fatalf("%d entries, want 714", len(entries))
	}
	expect(t, ingestService.HTTP, map[string]float64{`sealstream_ingest_events_total{status="sealed"}`: 713})
	expect(t, queryService.HTTP, map[string]float64{
		`sealstream_follower_entries{follower="index"}`: 714, `sealstream_index_lag_messages`: 0,
	})
	expect(t, sealerService.Metrics, map[string]float64{
		`sealstream_log_entries`: 714, `sealstream_seal_lag_messages`: 0,
	})
	toolkitApart(t, ingestService.HTTP, queryService.HTTP)
}

// toolkitApart uses the routes of the toolkit's collector where one service writes and another reads.
func toolkitApart(t *testing.T, ingest, query string) {
	t.Helper()
	post := func(addr, path, body string) (int, string) {
		resp, err := http.Post("http://"+addr+agtapi.Prefix+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	one := `{"agent_did":"did:web:toolkit","action":"allow"}`
	if status, body := post(ingest, "log", one); status != http.StatusOK || !strings.Contains(body, `"entry_hash":"`) {
		t.Errorf("ingest: log: %d %s", status, body)
	}
	if status, body := post(ingest, "query", `{}`); status != http.StatusNotFound {
		t.Errorf("ingest: query: %d %s", status, body)
	}
	if status, body := post(query, "log", one); status/100 != 4 {
		t.Errorf("query: log: %d %s", status, body)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		status, body := post(query, "query", `{"agent_did":"did:web:toolkit"}`)
		if status == http.StatusOK && strings.Contains(body, `"total":1`) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("query: query: %d %s", status, body)
		}
	}
	if status, body := fetch(query, agtapi.Prefix+"summary", nil); status != http.StatusOK ||
		!strings.Contains(string(body), `"total_entries":714,`) {
		t.Errorf("query: summary: %d %s", status, body)
	}
}

// serveForTest runs a service until the returned function, or the end of the test, stops it.
func serveForTest(t *testing.T, s Service) func() {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%T: %v", s, err)
		}
	}
	t.Cleanup(stop)
	return stop
}

func waitReady(t *testing.T, addr string) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		status, body := fetch(addr, "/readyz", nil)
		if status == http.StatusOK {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is not ready: status %d: %s", addr, status, body)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
