package node

import (
	"context"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/logtest"
	pgsink "github.com/sealstream/sealstream/internal/sinks/postgres"
	"github.com/sealstream/sealstream/internal/sinks/postgres/pgtest"
)

// TestPostgresSink kills the whole process with -9 while agents publish and it sinks into Postgres,
// and starts it again: in the end the rows are the log's entries, each once. SEALSTREAM_KILLS says
// how often.
func TestPostgresSink(t *testing.T) {
	kills := 5
	if testing.Short() {
		kills = 2
	}
	if n, err := strconv.Atoi(os.Getenv("SEALSTREAM_KILLS")); err == nil {
		kills = n
	}
	_, url := pgtest.Database(t)
	dir := filepath.Join(t.TempDir(), "d")
	cfg := UpConfig{
		Plugins: withPlugins, Data: dir, HTTP: logtest.FreeAddr(t), NATS: logtest.FreeAddr(t),
		Sinks: []string{url + "&name=pg"},
	}
	up := startProcess(t, cfg)
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	publishers := []*publisher{
		{source: "did:web:a", send: postOne(cfg.HTTP, "stored")},
		{source: "did:web:b", send: postOne(cfg.HTTP, "stored")},
	}
	for _, p := range publishers {
		group.Go(func() { p.run(ctx) })
	}
	s, err := pgsink.Open(t.Context(), pgsink.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	size := func() uint64 {
		c, err := s.Cursor(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return c.Next
	}
	for range kills {
		awaitSink(t, "rows", func() func() bool { before := size(); return func() bool { return size() > before } }())
		time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond)
		up.kill()
		up = startProcess(t, cfg)
	}
	stop()
	group.Wait()
	end := &publisher{source: "did:web:end"}
	ev, raw := end.event(0)
	if err := postOne(cfg.HTTP, "sealed")(t.Context(), ev, raw); err != nil { // and so is all before it
		t.Fatal(err)
	}
	key, err := datadir.PublicKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	awaitSink(t, "the end in query", func() bool { // which may be a second behind the receipt
		status, _ := fetch(cfg.HTTP, "/v1/entries/id/"+ev.ID, map[string][]string{"agent": {ev.Source}})
		return status == http.StatusOK
	})
	entries, _ := exported(t, cfg.HTTP, key)
	checkHistory(t, publishers, entries)
	awaitSink(t, "all rows", func() bool { return size() == uint64(len(entries)) })
	up.stop(t)
	for r, err := range s.Read(t.Context(), 0) {
		if err != nil || r.Entry.EntryHash != entries[r.Entry.Index].EntryHash {
			t.Fatalf("index %d: %s, %v", r.Entry.Index, r.Entry.EntryHash, err)
		}
	}
	if n := pgtest.Count(t, url, "SELECT count(*) FROM sealstream.entries"); n != int64(len(entries)) {
		t.Fatalf("%d rows of %d entries", n, len(entries))
	}
	if err := s.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d kills, %d entries", kills, len(entries))
}
