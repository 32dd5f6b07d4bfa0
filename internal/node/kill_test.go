package node

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/demo"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/sealer"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// publisher sends its events one after the other, each again and again until it is acknowledged, and notes what was.
type publisher struct {
	source string
	acked  atomic.Int64 // events 0 to acked-1
	send   func(ctx context.Context, ev entry.Event, raw []byte) error
}

func (p *publisher) event(n int) (entry.Event, []byte) {
	seq := uint64(n)
	ev := entry.Event{
		ID: fmt.Sprintf("e-%d", n), Source: p.source, Type: "ai.agentmesh.tool.invoked", Subject: "/r", AgentSeq: &seq,
		Action: "allow",
	}
	if err := ev.SetJSON(fmt.Appendf(nil, `{"n":%d}`, n)); err != nil {
		panic(err)
	}
	return ev, ev.AppendJSON(nil)
}

func (p *publisher) run(ctx context.Context) {
	for n := 0; ctx.Err() == nil; {
		ev, raw := p.event(n)
		if p.send(ctx, ev, raw) != nil {
			select {
			case <-ctx.Done():
			case <-time.After(10 * time.Millisecond):
			}
			continue
		}
		n++
		p.acked.Store(int64(n))
	}
}

// publishOver returns a function that publishes an event over NATS, on a connection that outlives
// the server.
func publishOver(t *testing.T, addr string) func(context.Context, entry.Event, []byte) error {
	t.Helper()
	nc, err := nats.Connect("nats://"+addr, nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond),
		nats.ReconnectBufSize(-1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return func(ctx context.Context, ev entry.Event, raw []byte) error {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		return demo.Publish(ctx, nc, "default", ev, raw)
	}
}

func postOne(addr, wait string) func(context.Context, entry.Event, []byte) error {
	return func(ctx context.Context, _ entry.Event, raw []byte) error {
		list, err := receipts(addr, wait, raw)
		if err == nil && list[0]["status"] == "rejected" {
			err = fmt.Errorf("rejected: %v", list[0])
		}
		return err
	}
}

// TestKill kills the process with -9 while agents publish over HTTP and NATS, and starts it again,
// 20 times. Nothing that was acknowledged may be lost, doubled or reordered; no checkpoint that was
// shown or kept may have another root later; and sealing a copy of EVENTS again in other batches
// must make the same log (case 40 of conformance/cases_test.go).
func TestKill(t *testing.T) {
	kills := 20
	if testing.Short() {
		kills = 5
	}
	dir := filepath.Join(t.TempDir(), "d")
	cfg := UpConfig{
		Plugins: withPlugins, Data: dir, HTTP: logtest.FreeAddr(t), NATS: logtest.FreeAddr(t), KeepEvents: true,
	}
	up := startProcess(t, cfg)
	publish := publishOver(t, cfg.NATS)
	publishers := []*publisher{
		{source: "did:web:http-stored", send: postOne(cfg.HTTP, "stored")}, {source: "did:web:http-sealed", send: postOne(cfg.HTTP, "sealed")},
		{source: "did:web:http-too", send: postOne(cfg.HTTP, "stored")}, {source: "did:web:nats", send: publish}, {source: "did:web:nats-too", send: publish},
	}
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for _, p := range publishers {
		group.Go(func() { p.run(ctx) })
	}
	shown := newRoots(t, dir)
	group.Go(func() { shown.watch(ctx, cfg.HTTP) })
	for range kills {
		before := publishers[0].acked.Load()
		for publishers[0].acked.Load() < before+3 { // some progress, however slow the machine
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(rand.IntN(150)) * time.Millisecond)
		up.kill()
		shown.kept()
		up = startProcess(t, cfg)
	}
	stop()
	group.Wait()
	up.stop(t)

	up = startProcess(t, cfg)
	key, err := datadir.PublicKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	entries, report := exported(t, cfg.HTTP, key)
	up.stop(t)
	checkHistory(t, publishers, entries)
	shown.check(entries)
	if _, _, err := datadir.AuditDir(t.Context(), dir, audit.Config{}); err != nil {
		t.Fatalf("audit of the directory: %v", err)
	}
	sealAgain(t, dir, report)
	t.Logf("%d kills, %d entries", kills, len(entries))
}

// checkHistory: every acknowledged event is in the log exactly once, in its publisher's order, and
// nothing that was not sent.
func checkHistory(t *testing.T, publishers []*publisher, entries []entry.Entry) {
	t.Helper()
	next := map[string]uint64{}
	for _, e := range entries {
		if e.IsOwn() {
			if e.EventType != entry.TypeDuplicate && e.EventType != entry.TypeConfig {
				t.Fatalf("index %d: %s", e.Index, e.EventType)
			}
			continue
		}
		if e.AgentSeq == nil || *e.AgentSeq != next[e.AgentDID] {
			t.Fatalf("index %d: %s has %v, want %d", e.Index, e.AgentDID, e.AgentSeq, next[e.AgentDID])
		}
		next[e.AgentDID]++
	}
	for _, p := range publishers {
		acked := uint64(p.acked.Load())
		if sealed := next[p.source]; sealed < acked || sealed > acked+1 {
			t.Fatalf("%s: %d acknowledged, %d sealed", p.source, acked, sealed)
		}
		if acked == 0 {
			t.Fatalf("%s: nothing was acknowledged", p.source)
		}
	}
}

// sealAgain seals a copy of EVENTS into an empty log, with other limits, and compares the roots.
func sealAgain(t *testing.T, dir string, want audit.Report) {
	t.Helper()
	c, err := datadir.OpenCopy(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	log, err := c.OpenLog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	again := store.NewMemory("default")
	again.Events = copyStream(t, log.Events)
	keys, err := datadir.LoadKeys(filepath.Join(dir, datadir.FileKey), filepath.Join(dir, datadir.FileSecret))
	if err != nil {
		t.Fatal(err)
	}
	s, err := sealer.New(sealer.Config{
		Log: again, Signer: keys.Signer, Secret: keys.Secret, MaxEntries: 7, MaxLeafBytes: 5000, KeepEvents: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	failed := make(chan error, 1)
	go func() { failed <- s.Run(ctx) }()
	for s.Status().Size < want.Size {
		select {
		case err := <-failed:
			t.Fatalf("sealing again: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	cancel()
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	r, err := store.Audit(t.Context(), again, audit.Config{Keys: []string{keys.Signer.VerifierKey()}})
	if err != nil || r.Size != want.Size || r.Root != want.Root {
		t.Fatalf("sealed again: size %d root %s, %v; want %d, %s", r.Size, r.Root, err, want.Size, want.Root)
	}
}

func copyStream(t *testing.T, s store.Stream) *store.MemoryStream {
	t.Helper()
	info, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return store.NewMemoryStreamOf(info.Created, readAll(t, s))
}

func readAll(t *testing.T, s store.Stream) []entry.Message {
	t.Helper()
	last, _, err := store.End(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Read(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var list []entry.Message
	for seen := uint64(0); seen < last; {
		messages, err := r.Next(t.Context(), 256)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range messages {
			list, seen = append(list, m), m.Seq
		}
	}
	return list
}
