//go:build cluster

package node

import (
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/cluster"
	"github.com/sealstream/sealstream/internal/migrate"
	"github.com/sealstream/sealstream/internal/natsconn"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/internal/store/natsstore"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/streams"
)

// migrate moves an embedded log of another name onto the cluster: the same entries under the same
// root, three copies of each stream, the old checkpoint consistent, and behind it the entries that
// tell of the move.
func (c *compose) migrate(t *testing.T) {
	const name = "moved"
	dir := filepath.Join(t.TempDir(), "d")
	n, err := Up(t.Context(), UpConfig{
		Plugins: withPlugins, Data: dir, HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0", Log: name,
	})
	if err != nil {
		t.Fatal(err)
	}
	for group := range slices.Chunk(airline()[:400], 100) {
		if _, err := receipts(n.http.Addr().String(), "sealed", group...); err != nil {
			t.Fatal(err)
		}
	}
	var before []entry.Entry
	var source audit.Report
	cameTrue(t.Context(), 30*time.Second, func() bool { // a query shows an entry a moment after its receipt
		before, source = exported(t, n.http.Addr().String(), n.Key())
		return source.Size == 401
	})
	known, err := proof.OpenCheckpoint(source.Checkpoint, n.Key())
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	admin := filepath.Join(t.TempDir(), "admin.nkey")
	c.docker("cp", c.container("apply")+":/secrets/admin.nkey", admin)
	host, _, err := net.SplitHostPort(c.addrs()["nats-1"])
	if err != nil {
		t.Fatal(err)
	}
	cfg := migrate.Config{From: dir, To: natsconn.ConnFlags{
		NATS: "nats://" + net.JoinHostPort(host, "4222"), NKey: admin,
	}, Replicas: 3, Keys: t.TempDir(),
		Streams: cluster.StreamFlags{
			EventsMaxBytes: 64 << 20, SealedMaxBytes: 64 << 20, PayloadsMaxBytes: 64 << 20, AlertsMaxBytes: 16 << 20,
		}}
	begin := time.Now()
	moved, err := migrate.Run(t.Context(), cfg)
	if err != nil || moved.Size != source.Size || moved.Root != source.Root || moved.Size != 401 {
		t.Fatalf("size %d root %s, not %d %s: %v", moved.Size, moved.Root, source.Size, source.Root, err)
	}
	took := time.Since(begin)
	nc, err := cfg.To.Reach(cluster.RoleAdmin).Connect("test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	log, err := natsstore.Open(t.Context(), nc, streams.Config{Log: name, Replicas: 3})
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.Audit(t.Context(), log, audit.Config{Keys: []string{n.Key()}, Known: []proof.Checkpoint{known}})
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	for s, err := range (store.Follower{Log: log, Keys: []string{n.Key()}, Stop: true}).Batches(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range s.Entries {
			if i < len(before) && e.EntryHash != before[i].EntryHash ||
				i == len(before) && e.EventType != entry.TypeEpoch {
				t.Fatalf("index %d is another entry: %s", i, e.Leaf)
			}
			i++
		}
	}
	if i <= len(before) {
		t.Errorf("%d entries, and none of the move", i)
	}
	t.Logf("an embedded log of %d entries moved in %.1f s: the same root, the old checkpoint consistent, %d "+
		"entries with those of the move", len(before), took.Seconds(), i)
}
