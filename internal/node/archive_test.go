package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/archive"
	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/natsconn"
	"github.com/sealstream/sealstream/internal/natsd"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/internal/settings"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/internal/vitals"
)

// ask asks a pipeline without a network.
func ask(t *testing.T, p *pipeline, method, path string, body []byte, header ...string) (int, []byte) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "http://127.0.0.1"+path, bytes.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	unguarded(p.handler()).ServeHTTP(w, r)
	return w.Code, w.Body.Bytes()
}

// answers is what a log of n entries says to all kinds of questions.
func answers(t *testing.T, p *pipeline, n int) map[string]string {
	t.Helper()
	paths := []string{"/checkpoint", "/v1/verify"}
	for _, format := range []string{"jsonl", "json", "cloudevents", "cloudevents-jsonl", "csv"} {
		paths = append(paths, "/v1/export?format="+format, "/v1/export?action=allow&format="+format)
	}
	for _, filter := range []string{
		"", "type=policy_violation", "action=allow&outcome=success",
		"agent=" + url.QueryEscape("did:web:airline-agent-1.example.com"), "type=sealstream.config",
	} {
		for _, order := range []string{"asc", "desc"} {
			paths = append(paths, fmt.Sprintf("/v1/entries?raw=1&limit=1000&order=%s&%s", order, filter),
				fmt.Sprintf("/v1/entries?limit=7&order=%s&%s", order, filter))
		}
	}
	for i := 0; i < n; i += 11 {
		paths = append(paths, fmt.Sprintf("/v1/entries/%d?raw=1", i), fmt.Sprintf("/v1/entries/%d/proof", i),
			fmt.Sprintf("/v1/consistency?from=%d&to=%d", i/2, i))
	}
	all := map[string]string{}
	for _, path := range paths {
		code, body := ask(t, p, "GET", path, nil)
		if code != http.StatusOK {
			t.Fatalf("%s: status %d: %.300s", path, code, body)
		}
		all[path] = string(body)
	}
	return all
}

// TestArchived: every answer of a log whose begin stands in the archive alone is what it was
// before; and what is damaged there is named.
func TestArchived(t *testing.T) {
	keys, err := datadir.NewKeys("test.example", "default")
	if err != nil {
		t.Fatal(err)
	}
	log := store.NewMemory("default")
	start := func(archiver *archiverConfig) *pipeline {
		p, err := startPipeline(t.Context(), pipelineConfig{
			processConfig: processConfig{log: log, vitals: &vitals.Config{}, logger: slog.New(slog.DiscardHandler)},
			sealer:        sealerConfig{keys: keys, keepEvents: true}, archiver: archiver,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.stop(stopGrace) })
		if err := p.query.CaughtUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := start(nil)
	events := airline()
	for group := range slices.Chunk(events, 50) {
		body := append(append([]byte("["), bytes.Join(group, []byte(","))...), ']')
		if code, answer := ask(t, p, "POST", "/v1/events?wait=sealed", body, "Content-Type",
			"application/cloudevents-batch+json"); code != http.StatusOK {
			t.Fatalf("status %d: %s", code, answer)
		}
	}
	size := len(events) + 1
	if err := p.query.Await(t.Context(), uint64(size)); err != nil {
		t.Fatal(err)
	}
	before := answers(t, p, size)
	p.stop(stopGrace)

	archiver := &archiverConfig{trimSealed: 100, segmentLeaves: 256}
	start(archiver).stopWhenArchived(t, 2)
	p = start(archiver) // again, so that the sealer and the index begin in the archive
	if info, err := log.Sealed.Info(t.Context()); err != nil || info.First == 1 {
		t.Fatalf("SEALED begins at sequence %d, %v", info.First, err)
	}
	after := answers(t, p, size)
	for _, path := range slices.Sorted(maps.Keys(before)) {
		if after[path] != before[path] {
			t.Errorf("%s: %.200s\nbefore: %.200s", path, after[path], before[path])
		}
	}
	var list archive.Listing
	code, body := ask(t, p, "GET", "/v1/archive", nil)
	if err := json.Unmarshal(body, &list); err != nil || code != http.StatusOK || len(list.Segments) != 2 ||
		list.Archiver == nil || list.Archiver.Error != nil {
		t.Fatalf("%d %s, %v", code, body, err)
	}
	var v archive.Verdict
	code, body = ask(t, p, "GET", "/v1/archive/verify", nil)
	if err := json.Unmarshal(body, &v); err != nil || code != http.StatusOK || !v.Valid || v.TreeSize != uint64(size) {
		t.Fatalf("%d %s, %v", code, body, err)
	}
	p.stop(stopGrace)
	damage(t, log, "default/00000001/sealed.zst")
	p, err = startPipeline(t.Context(), pipelineConfig{
		processConfig: processConfig{log: log, logger: slog.New(slog.DiscardHandler)},
		sealer:        sealerConfig{keys: keys, keepEvents: true},
	})
	if err == nil { // the sealer may find it after the start
		t.Cleanup(func() { p.stop(stopGrace) })
		<-p.parts.ctx.Done()
		err = context.Cause(p.parts.ctx)
	}
	if d, ok := errors.AsType[*archive.DamagedError](err); !ok || d.Object != "default/00000001/sealed.zst" {
		t.Errorf("sealed on without the whole window: %v", err)
	}
}

// stopWhenArchived stops a pipeline once its archiver has written n segments.
func (p *pipeline) stopWhenArchived(t *testing.T, n uint64) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); p.archiver.Status().Segments < n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) || p.archiver.Status().Err != nil {
			t.Fatalf("%+v", p.archiver.Status())
		}
	}
	p.stop(stopGrace)
}

// damage changes one bit of an object.
func damage(t *testing.T, log *store.Log, name string) {
	t.Helper()
	r, err := log.Archive.Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	b = bytes.Clone(b)
	b[len(b)/2] ^= 1
	if err := log.Archive.Put(t.Context(), name, bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
}

// TestArchiveDir: the archive of a directory is looked at on a copy; one of a log that has none yet
// is empty, and whole.
func TestArchiveDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	n, err := Up(t.Context(), UpConfig{
		Plugins: withPlugins, Data: dir, HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0", Archive: true, TrimSealed: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := datadir.ListArchiveDir(t.Context(), dir); !errors.Is(err, datadir.ErrLocked) {
		t.Errorf("of a log that runs: %v", err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if l, err := datadir.ListArchiveDir(t.Context(), dir); err != nil || l.Log != "default" || len(l.Segments) != 0 ||
		l.SealedFirst != 1 {
		t.Errorf("%+v, %v", l, err)
	}
	if v, err := datadir.VerifyArchiveDir(t.Context(), dir, audit.Config{}); err != nil || !v.Valid || v.TreeSize != 1 {
		t.Errorf("%+v, %v", v, err)
	}
	if _, err := Up(t.Context(), UpConfig{
		Plugins: withPlugins, Data: dir, HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0", TrimSealed: 1,
	}); !errors.Is(err, settings.ErrInvalid) {
		t.Errorf("trimmed without an archive: %v", err)
	}
}

// TestIndexerFits: the parts of an index are as long as the segments of an archive, or there would
// be no indexes in it.
func TestIndexerFits(t *testing.T) {
	if got := query.NewIndexer("default").Rows(); got != archive.SegmentLeaves {
		t.Errorf("parts of %d entries, segments of %d leaves", got, archive.SegmentLeaves)
	}
}

// TestArchiverService runs the archiver apart from the sealer.
func TestArchiverService(t *testing.T) {
	dir := t.TempDir()
	s := logtest.Server(t, natsd.Config{StoreDir: filepath.Join(dir, "nats"), Password: "secret"})
	if _, err := datadir.GenerateKeys(dir, "test.example", "default"); err != nil {
		t.Fatal(err)
	}
	flags := ServiceConfig{
		Plugins: withPlugins, Log: "default",
		ConnFlags: natsconn.ConnFlags{NATS: s.ClientURL(), User: "sealstream", Password: "secret"}, Replicas: 1,
	}
	q := &QueryService{ServiceConfig: flags, HTTP: logtest.FreeAddr(t), Key: filepath.Join(dir, datadir.FilePublic)}
	x := &ArchiverService{
		ServiceConfig: flags, Key: filepath.Join(dir, datadir.FilePublic), TrimSealed: 10, Metrics: logtest.FreeAddr(t),
	}
	serveForTest(t, x)
	serveForTest(t, q)
	serveForTest(t, &SealerService{ServiceConfig: flags, Keys: dir, EventsOpen: true})
	waitReady(t, q.HTTP)
	waitReady(t, x.Metrics)
	for _, c := range []struct{ addr, path, holds string }{
		{q.HTTP, "/v1/archive/verify", `"valid":true`}, {x.Metrics, "/v1/archive/verify", `"valid":true`}, {x.Metrics, "/v1/archive", `"archiver":{"error":null}`},
		{x.Metrics, "/healthz", `"ok"`}, {x.Metrics, "/readyz", `"segments":0`}, {x.Metrics, "/metrics", `follower="archive"`},
	} {
		if status, body := fetch(c.addr, c.path, nil); status != http.StatusOK ||
			!strings.Contains(string(body), c.holds) {
			t.Errorf("%s: %d %s", c.path, status, body)
		}
	}
	if err := (&ArchiverService{ServiceConfig: ServiceConfig{
		Plugins: withPlugins, Log: "other", Replicas: 1,
	}, Key: filepath.Join(dir, datadir.FilePublic)}).Serve(t.Context()); !errors.Is(err, datadir.ErrKeys) {
		t.Errorf("with another log's key: %v", err)
	}
}
