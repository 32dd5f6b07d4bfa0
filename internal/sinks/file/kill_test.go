package filesink_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/natsd"
	filesink "github.com/sealstream/sealstream/internal/sinks/file"
	sinkrun "github.com/sealstream/sealstream/internal/sinks/run"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/sink"
	"github.com/sealstream/sealstream/streams"
)

// child is what this test program does instead of tests when the variable below holds it: it writes
// a log into files until it is killed, and says how far it has come.
type child struct{ URL, Key, Path string }

const childVariable = "SEALSTREAM_TEST_FILESINK"

func TestMain(m *testing.M) { logtest.Main(m, childVariable, keepWriting) }

func keepWriting(ctx context.Context, c child) error {
	log, err := logtest.Dial(ctx, c.URL, "secret")
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	open := func(ctx context.Context) (sink.Sink, error) {
		s, err := filesink.Open(ctx, filesink.Config{
			Path: c.Path, Keys: ring, Sync: 2 * time.Millisecond, MaxSize: 300_000, Gzip: true, Logger: logger,
		})
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	r, err := sinkrun.New(sinkrun.Config{
		Log: log, Keys: []string{c.Key}, Sink: sink.Spec{Name: "file", Open: open}, Batch: 16, Logger: logger,
	})
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
	s = logtest.Server(t, natsd.Config{Password: "secret", Relaxed: true})
	_, log = logtest.Open(t, s, streams.Config{Log: logtest.Name})
	f := logtest.New(t, log, nil)
	return s, log, f.Key, f.Grow(events)
}

// TestKill kills the process that writes the files with -9, again and again, while it writes,
// closes and compresses files. Then each entry stands in them once. SEALSTREAM_KILLS says how
// often.
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
	for n := 0; n <= kills; n++ {
		goal := size * uint64(n+1) / uint64(kills+1)
		var out io.Reader
		c := logtest.Child(t, childVariable, child{s.ClientURL(), key, path}, func(c *exec.Cmd) {
			var err error
			if out, err = c.StdoutPipe(); err != nil {
				t.Fatal(err)
			}
		})
		watchdog := time.AfterFunc(time.Minute, func() { c.Process.Kill() })
		came := uint64(0)
		for lines := bufio.NewScanner(out); came < goal && lines.Scan(); {
			came, _ = strconv.ParseUint(lines.Text(), 10, 63)
		}
		if n < kills {
			time.Sleep(time.Duration(rand.IntN(2500)) * time.Microsecond)
		}
		logtest.Kill(c)
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
		held = append(held, r.Entry.EntryHash.String())
	}
	closeSink(t, f)
	n := 0
	for b, err := range (store.Follower{Log: log, Keys: []string{key}, Stop: true}).Batches(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range b.Entries {
			if n < len(held) && held[n] != e.EntryHash.String() {
				t.Fatalf("index %d is not the log's", n)
			}
			n++
		}
	}
	// What the last life has written without an fsync is in the page cache, which outlives a
	// process; so all must be there.
	if len(held) != n || uint64(n) != size {
		t.Fatalf("%d entries in the files, %d in the log", len(held), n)
	}
	r := verify(t, dir)
	if !r.Valid || r.Entries != size {
		t.Fatalf("%d entries: %v", r.Entries, r.Problem)
	}
	t.Logf("%d kills, %d entries in %d files", kills, size, len(r.Files))
}
