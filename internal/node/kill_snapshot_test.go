package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/logtest"
)

// sender sends batches of small events, one after the other, each until it is acknowledged.
type sender struct {
	addr, source string
	acked        atomic.Int64 // batches 0 to acked-1
}

const senderBatch = 250

func (s *sender) batch(n int) [][]byte {
	list := make([][]byte, senderBatch)
	for i := range list {
		list[i] = fmt.Appendf(nil, `{"specversion":"1.0","id":"%d","source":%q,"type":"t"}`, n*senderBatch+i, s.source)
	}
	return list
}

func (s *sender) run(ctx context.Context) {
	for ctx.Err() == nil {
		if _, err := receipts(s.addr, "stored", s.batch(int(s.acked.Load()))...); err == nil {
			s.acked.Add(1)
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// TestKillStartsFromSnapshot kills the process with -9 at full load, once its sealer has written a
// snapshot. The next process starts from that. Every acknowledged event is in the log once, also if
// its sender repeats it: the window of repeats has come back from the snapshot.
func TestKillStartsFromSnapshot(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	cfg := UpConfig{Plugins: withPlugins, Data: dir, HTTP: logtest.FreeAddr(t), NATS: logtest.FreeAddr(t)}
	up := startProcess(t, cfg)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var group sync.WaitGroup
	senders := make([]*sender, 4)
	for i := range senders {
		senders[i] = &sender{addr: cfg.HTTP, source: fmt.Sprint("did:web:sender-", i)}
		group.Go(func() { senders[i].run(ctx) })
	}
	logtest.Until(t, "a snapshot", func() bool {
		_, err := os.Stat(filepath.Join(dir, datadir.DirSnapshot, "head"))
		return err == nil
	})
	up.kill()
	up = startProcess(t, cfg)
	at := senders[0].acked.Load()
	logtest.Until(t, "more events", func() bool { return senders[0].acked.Load() > at })
	stop()
	group.Wait()
	if said := up.stderr.String(); !strings.Contains(said, "sealer starts from its snapshot") {
		t.Fatalf("the process did not start from the snapshot:\n%s", said)
	}
	list, err := receipts(cfg.HTTP, "sealed", senders[0].batch(0)...)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range list {
		if r["status"] != "duplicate" {
			t.Fatalf("a repeat is taken for new: %v", r)
		}
	}
	up.stop(t)
	up = startProcess(t, cfg)
	key, err := datadir.PublicKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	entries, report := exported(t, cfg.HTTP, key)
	up.stop(t)
	sealed := map[string]int{}
	for _, e := range entries {
		if !e.IsOwn() {
			sealed[e.AgentDID+" "+e.EntryID]++
		}
	}
	acked := 0
	for _, s := range senders {
		for n := range int(s.acked.Load()) * senderBatch {
			if acked++; sealed[fmt.Sprint(s.source, " ", n)] != 1 {
				t.Fatalf("%s: event %d is acknowledged and sealed %d times", s.source, n, sealed[fmt.Sprint(s.source, " ", n)])
			}
		}
	}
	t.Logf("%d events acknowledged, %d entries", acked, report.Size)
}
