package pgsink_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/sinks/postgres"
	"github.com/sealstream/sealstream/internal/sinks/postgres/pgtest"
	"github.com/sealstream/sealstream/pkg/sink"
	"github.com/sealstream/sealstream/pkg/sink/sinktest"
)

// TestMain makes this program the process that a test kills, too.
func TestMain(m *testing.M) {
	if args := os.Getenv("SEALSTREAM_TEST_PGSINK"); args != "" {
		sinkForever(strings.Fields(args))
		return
	}
	status := m.Run()
	pgtest.Stop()
	os.Exit(status)
}

// sinkForever is the process that is killed: it writes the records of a file from its cursor on, a
// few at a time, and says so each time.
func sinkForever(args []string) {
	if err := sinkAll(context.Background(), args[0], args[1], args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func sinkAll(ctx context.Context, url, owner, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	lines := bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
	s, err := pgsink.Open(ctx, pgsink.Config{URL: url, Owner: owner})
	if err != nil {
		return err
	}
	c, err := s.Cursor(ctx)
	if err != nil {
		return err
	}
	fmt.Println("begun")
	for at := int(c.Next); at < len(lines); {
		batch := make([]sink.Record, min(1+rand.IntN(9), len(lines)-at))
		for i := range batch {
			if err := json.Unmarshal(lines[at+i], &batch[i]); err != nil {
				return err
			}
		}
		if err := s.Write(ctx, batch); err != nil {
			return err
		}
		at += len(batch)
		fmt.Println(at)
	}
	return s.Close()
}

// kills is how often the process is killed: a few times, or as SEALSTREAM_KILLS says.
func kills() int {
	if n, err := strconv.Atoi(os.Getenv("SEALSTREAM_KILLS")); err == nil {
		return n
	}
	return 12
}

// TestKill: whatever line a kill -9 comes at, each entry is there once in the end.
func TestKill(t *testing.T) {
	c, owner := pgtest.Database(t)
	url := c.Writer(t, owner)
	n := kills()
	list := sinktest.Records(60*n+1000, 1)
	file := filepath.Join(t.TempDir(), "records")
	var text []byte
	for i := range list {
		line, err := list[i].MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		text = append(append(text, line...), '\n')
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	died := 0
	for range n {
		if run(t, rand.IntN(16), url, owner, file) {
			died++
		}
	}
	if died < n*3/4 {
		t.Fatalf("only %d of %d processes were killed while they wrote", died, n)
	}
	at := cursorOf(t, url)
	if at == 0 || at == uint64(len(list)) {
		t.Fatalf("the last kill came at index %d of %d", at, len(list))
	}
	run(t, 1<<30, url, owner, file)
	s := open(t, pgsink.Config{URL: url})
	holdsAll(t, s, list)
	if n := pgtest.Count(t, url, "SELECT count(*) FROM sealstream.entries"); n != int64(len(list)) {
		t.Fatalf("%d rows, want %d", n, len(list))
	}
	t.Logf("%d kills while sinking, the last one at index %d: each of %d entries exactly once", died, at, len(list))
}

// run runs the process and kills it a moment after it has written so many times; killed says
// whether that was before its end.
func run(t *testing.T, writes int, url, owner, file string) (killed bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("SEALSTREAM_TEST_PGSINK=%s %s %s", url, owner, file))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if writes--; writes < 0 {
			time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond) // so that it comes anywhere in the next one
			cmd.Process.Kill()
		}
	}
	err = cmd.Wait()
	if stderr.Len() > 0 {
		t.Fatalf("the process failed by itself: %s", &stderr)
	}
	return err != nil
}

func cursorOf(t *testing.T, url string) uint64 {
	t.Helper()
	s := open(t, pgsink.Config{URL: url})
	c, err := s.Cursor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c.Next
}

// holdsAll says that the rows are exactly these, each once, by counting in SQL as well as by reading.
func holdsAll(t testing.TB, s *pgsink.Sink, list []sink.Record) {
	t.Helper()
	next := 0
	for r, err := range s.Read(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if next == len(list) || r.Entry.EntryHash != list[next].Entry.EntryHash {
			t.Fatalf("at index %d stands %s", next, r.Entry.EntryHash)
		}
		next++
	}
	if next != len(list) {
		t.Fatalf("%d entries, want %d", next, len(list))
	}
	if err := s.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
}
