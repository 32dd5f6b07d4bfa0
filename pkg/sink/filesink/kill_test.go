package filesink_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/internal/natsd"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/sealer"
	"github.com/sealstream/sealstream/pkg/sink"
	"github.com/sealstream/sealstream/pkg/sink/filesink"
	"github.com/sealstream/sealstream/pkg/store"
	"github.com/sealstream/sealstream/pkg/store/natsstore"
	"github.com/sealstream/sealstream/streams"
)

// child is what this test program does instead of tests when the variable below holds it: it writes a log into files until it is killed, and says how
// far it has come.
type child struct{ URL, Key, Path string }

const childVariable = "SEALSTREAM_TEST_FILESINK"

func TestMain(m *testing.M) {
	args := os.Getenv(childVariable)
	if args == "" {
		os.Exit(m.Run())
	}
	var c child
	if err := json.Unmarshal([]byte(args), &c); err != nil {
		panic(err)
	}
	if err := c.run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (c child) run(ctx context.Context) error {
	nc, err := nats.Connect(c.URL, nats.UserInfo("sealstream", "secret"), nats.CustomInboxPrefix(natsd.InboxPrefix))
	if err != nil {
		return err
	}
	log, err := natsstore.Open(ctx, nc, streams.Config{Log: "default"})
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	open := func(ctx context.Context) (sink.Sink, error) {
		s, err := filesink.Open(ctx, filesink.Config{Path: c.Path, Keys: ring, Sync: 2 * time.Millisecond, MaxSize: 300_000, Gzip: true, Logger: logger})
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	r, err := sink.New(sink.Config{Log: log, Keys: []string{c.Key}, Sink: sink.Spec{Name: "file", Open: open}, Batch: 16, Logger: logger})
	if err != nil {
		return err
	}
	go func() {
		for last := uint64(0); ; time.Sleep(200 * time.Microsecond) {
			if s := r.Status(); s.Next != last {
				last = s.Next
				fmt.Println(last)
			}
		}
	}()
	return r.Run(ctx)
}

// sealedLog is a log on a real server, with so many events sealed.
func sealedLog(t *testing.T, events int) (s *natsd.Server, log *store.Log, key string, size uint64) {
	t.Helper()
	s, err := natsd.Start(t.Context(), natsd.Config{StoreDir: t.TempDir(), Addr: "127.0.0.1:0", Log: "default", Password: "secret", Relaxed: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	nc, err := s.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err == nil {
		err = streams.Ensure(t.Context(), js, streams.Config{Log: "default"})
	}
	if err == nil {
		log, err = natsstore.Open(t.Context(), nc, streams.Config{Log: "default"})
	}
	if err != nil {
		t.Fatal(err)
	}
	skey, _, err := proof.GenerateKey("sink.example.com", "default")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := proof.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	cfg := sealer.Config{Log: log, Signer: signer, Secret: bytes.Repeat([]byte{7}, 32), KeepEvents: true}
	if err := sealer.Create(t.Context(), cfg, true); err != nil {
		t.Fatal(err)
	}
	for n := 0; n < events; {
		var body [][]byte
		for ; n < events && len(body) < 200; n++ {
			body = append(body, fmt.Appendf(nil, `{"specversion":"1.0","id":"e%d","source":"did:web:a","type":"ai.agentmesh.tool.invoked","data":{"n":%d}}`, n, n))
		}
		m := entry.Message{Subject: "audit.default.events.open", Data: append(append([]byte("["), bytes.Join(body, []byte(","))...), ']')}
		if _, err := log.Events.Append(t.Context(), m, nil); err != nil {
			t.Fatal(err)
		}
	}
	sl, err := sealer.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- sl.Run(ctx) }()
	for deadline := time.Now().Add(time.Minute); sl.Status().Size <= uint64(events); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the sealer does not come to the end")
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return s, log, signer.VerifierKey(), sl.Status().Size
}

// TestKill kills the process that writes the files with -9, again and again, while it writes, closes and compresses files. Then each entry stands in them once.
// SEALSTREAM_KILLS says how often.
func TestKill(t *testing.T) {
	kills := 20
	if testing.Short() {
		kills = 5
	}
	if n, err := strconv.Atoi(os.Getenv("SEALSTREAM_KILLS")); err == nil {
		kills = n
	}
	s, log, key, size := sealedLog(t, 100*(kills+1))
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.jsonl")
	env, err := json.Marshal(child{s.ClientURL(), key, path})
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n <= kills; n++ {
		goal := size * uint64(n+1) / uint64(kills+1)
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), childVariable+"="+string(env))
		c.Stderr = os.Stderr
		out, err := c.StdoutPipe()
		if err == nil {
			err = c.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		watchdog := time.AfterFunc(time.Minute, func() { c.Process.Kill() })
		came := uint64(0)
		for lines := bufio.NewScanner(out); came < goal && lines.Scan(); {
			came, _ = strconv.ParseUint(lines.Text(), 10, 63)
		}
		if n < kills {
			time.Sleep(time.Duration(rand.IntN(2500)) * time.Microsecond)
		}
		c.Process.Kill()
		c.Wait()
		if !watchdog.Stop() || came < goal {
			t.Fatalf("life %d ended at index %d of %d", n, came, goal)
		}
	}
	f := open(t, filesink.Config{Path: path, Keys: ring}) // mends what the last kill has left
	var held []string
	for r, err := range f.Read(t.Context(), 0) {
		if err != nil || r.Erased() {
			t.Fatalf("index %d: %v, erased %v", len(held), err, r.Erased())
		}
		held = append(held, r.Entry.EntryHash)
	}
	closeSink(t, f)
	n := 0
	for b, err := range (store.Follower{Log: log, Keys: []string{key}, Stop: true}).Batches(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range b.Entries {
			if n < len(held) && held[n] != e.EntryHash {
				t.Fatalf("index %d is not the log's", n)
			}
			n++
		}
	}
	// What the last life has written without an fsync is in the page cache, which outlives a process; so all must be there.
	if len(held) != n || uint64(n) != size {
		t.Fatalf("%d entries in the files, %d in the log", len(held), n)
	}
	r := verify(t, dir)
	if !r.Valid || r.Entries != size {
		t.Fatalf("%d entries: %v", r.Entries, r.Problem)
	}
	t.Logf("%d kills, %d entries in %d files", kills, size, len(r.Files))
}
