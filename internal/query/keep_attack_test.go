package query_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/internal/segment"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

func (k *kept) eraseEntries(list ...uint64) {
	k.Helper()
	erasure := entry.Erasure{Indexes: list, Reason: "asked for", Authority: "the person concerned"}
	control := inbox.FormatControl(uuid.NewString(), k.signer.Origin(), entry.TypeErasure, erasure.AppendJSON(nil))
	if _, err := k.log.Events.Append(k.Context(),
		entry.Message{Subject: "audit.default.control", Data: control}, nil); err != nil {
		k.Fatal(err)
	}
	k.size++
	k.await()
}

// holds reports whether the data file of a part has the record of an index.
func (k *kept) holds(first, index uint64) bool {
	k.Helper()
	b, err := os.ReadFile(filepath.Join(k.dir, fmt.Sprintf("%016d.data", first)))
	if err != nil {
		return false
	}
	rows, err := segment.OpenRows(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return true // nobody can tell
	}
	r, err := rows.Cursor().Row(int(index - first))
	return err == nil && r != nil
}

// erasedFrom waits until the data file of the part that begins at 64 has no record of an index.
func (k *kept) erasedFrom(index uint64) {
	k.Helper()
	logtest.Until(k, fmt.Sprintf("index %d is erased", index), func() bool { return !k.holds(64, index) })
}

// isAt waits until a condition has a state.
func (k *kept) isAt(condition string, state health.State) {
	k.Helper()
	logtest.Until(k, condition+" changes", func() bool { return k.health.State(condition) == state })
}

// TestPipeInFolder: a pipe in place of a file stops neither the service nor its end.
func TestPipeInFolder(t *testing.T) {
	for _, end := range []string{"leaves", "data", "data.tmp", "segment"} {
		k := newKept(t)
		name := filepath.Join(k.dir, "0000000000000064."+end)
		os.Remove(name)
		os.Remove(strings.TrimSuffix(name, ".tmp"))
		if err := syscall.Mkfifo(name, 0o600); err != nil {
			t.Fatal(err)
		}
		k.start()
		k.inFiles()
		k.answers()
		k.stop()
	}
}

// TestLinkInFolder: a link in place of a temporary file is not followed.
func TestLinkInFolder(t *testing.T) {
	k := newKept(t)
	other := filepath.Join(t.TempDir(), "other")
	k.write(other, []byte("precious"))
	name := filepath.Join(k.dir, "0000000000000064.data")
	os.Remove(name)
	if err := os.Symlink(other, name+".tmp"); err != nil {
		t.Fatal(err)
	}
	k.start()
	k.inFiles()
	if b, _ := os.ReadFile(other); string(b) != "precious" {
		t.Errorf("a file outside the folder now has %d bytes", len(b))
	}
}

// slowInfo answers Info as late as a store over a network.
type slowInfo struct{ store.Stream }

func (s slowInfo) Info(ctx context.Context) (store.Info, error) {
	time.Sleep(50 * time.Millisecond)
	return s.Stream.Info(ctx)
}

// TestNoFolder: where the folder cannot be made, no file is kept, nor looked for in the working
// directory.
func TestNoFolder(t *testing.T) {
	k := newKept(t)
	os.RemoveAll(k.dir)
	k.write(k.dir, nil)
	t.Chdir(t.TempDir())
	k.write("0000000000000000.leaves", []byte("not of this service"))
	log := *k.log
	log.Sealed = slowInfo{log.Sealed}
	k.log, k.health = &log, new(health.Board)
	k.start()
	k.written()
	k.answers()
	k.stop()
	if k.logs.has("cannot keep entries") || k.health.Worst().State != health.OK {
		t.Errorf("%+v; %s", k.health.Worst(), k.logs.b.String())
	}
}

// TestErasureFails: as long as erased data is in a file, a condition says so.
func TestErasureFails(t *testing.T) {
	k := newKept(t)
	k.health = new(health.Board)
	k.start()
	k.inFiles()
	name := filepath.Join(k.dir, "0000000000000064.data")
	if err := os.Rename(name, name+".open"); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(name, "in the way"), 0o700); err != nil { // nothing can be renamed over it
		t.Fatal(err)
	}
	k.eraseEntries(70)
	k.isAt("erasure", health.Warning)
	if a := k.do("GET", "/v1/entries/70?raw=1"); bytes.Contains(a.body, []byte(`"salt"`)) {
		t.Errorf("erased data is shown: %s", a.body)
	}
	seen := 0
	for line := range bytes.Lines(k.do("GET", "/v1/export").body) {
		if bytes.Contains(line, []byte(`\"index\":70,`)) {
			if seen++; bytes.Contains(line, []byte(`"salt"`)) {
				t.Errorf("erased data is exported: %s", line)
			}
		}
	}
	if seen != 1 {
		t.Errorf("the export has entry 70 %d times", seen)
	}
	os.RemoveAll(name)
	os.Rename(name+".open", name)
	k.eraseEntries(71) // which makes it try again at once
	k.erasedFrom(70)
	k.erasedFrom(71)
	k.isAt("erasure", health.OK)
}

// TestErasureOfDamaged: a data file that was cut, or whose leaves are missing and cannot be written,
// keeps no erased data.
func TestErasureOfDamaged(t *testing.T) {
	k := newKept(t)
	name := filepath.Join(k.dir, "0000000000000064.data")
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	k.start()
	k.inFiles()
	os.Truncate(name, 40)
	k.eraseEntries(70)
	logtest.Until(t, "it is written again", func() bool {
		b, _ := os.ReadFile(name)
		return len(b) > 100 && len(b) < len(whole) && !k.holds(64, 70)
	})
	k.stop()
	k.write(name, whole)
	leaves := filepath.Join(k.dir, "0000000000000064.leaves")
	os.Remove(leaves)
	os.MkdirAll(filepath.Join(leaves, "in the way"), 0o700)
	k.start()
	k.erasedFrom(70)
	k.all = k.scan()
	k.answers()
}

// TestErasureComesFirst: an erasure does not wait until a part is written whose data the store does
// not give.
func TestErasureComesFirst(t *testing.T) {
	k := newKept(t)
	os.Remove(filepath.Join(k.dir, "0000000000000192.data"))
	silent := new(atomic.Bool)
	log := *k.log
	log.Payloads = deaf{log.Payloads, silent, true}
	k.log = &log
	silent.Store(true)
	k.start()
	k.eraseEntries(70)
	k.erasedFrom(70)
	silent.Store(false)
	k.all = k.scan()
	k.answers()
}

// TestRecordsInAnotherOrder: a message whose records do not ascend is kept once, and not again with
// each read.
func TestRecordsInAnotherOrder(t *testing.T) {
	k := newKept(t)
	var m entry.Message
	for seq := uint64(1); ; seq++ {
		var err error
		if m, err = k.log.Payloads.Get(t.Context(), seq); err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(m.Data, []byte(`"index":70,"salt"`)) {
			break
		}
	}
	lines := bytes.Split(bytes.TrimSuffix(m.Data, []byte("\n")), []byte("\n"))
	slices.Reverse(lines)
	copy(m.Data, append(bytes.Join(lines, []byte("\n")), '\n'))
	os.Remove(filepath.Join(k.dir, "0000000000000064.data"))
	k.start()
	k.inFiles()
	for range 10 {
		k.do("GET", "/v1/entries/70?raw=1")
		k.inFiles()
	}
	if n := strings.Count(k.logs.b.String(), "writes files of the index again"); n > 0 {
		t.Errorf("the part was written again %d times for 10 reads", n)
	}
}

// TestRecheckKeepsFiles: after a recheck has replaced a segment, its entries are in files still.
func TestRecheckKeepsFiles(t *testing.T) {
	k := newKept(t)
	err := query.Forge(t.Context(), k.q, func(x uint64, r *segment.Row) {
		if x < 128 && r.Text[0] == "did:web:a.example.com" {
			r.Text[0] = "did:web:nobody.example.com"
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	log := *k.log
	k.log = &log
	k.first = -1
	slow := &slowRead{Stream: log.Sealed, from: make(chan struct{})}
	log.Sealed = slow
	k.start()
	k.inFiles()
	close(slow.from)
	k.rechecked()
	if !k.logs.has("replaces a segment of the index that differs from the log") {
		t.Fatal("nothing was replaced")
	}
	k.inFiles()
}

// slowRead delays readers that begin at the first message.
type slowRead struct {
	store.Stream
	from chan struct{}
}

func (s *slowRead) Read(ctx context.Context, from uint64) (store.Reader, error) {
	if from <= 1 {
		select {
		case <-s.from:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return s.Stream.Read(ctx, from)
}

// TestErasureWhileRead: an erasure between the look at the index and the look at the file is no sign
// of an altered file, and nothing erased is shown.
func TestErasureWhileRead(t *testing.T) {
	k := newKept(t)
	k.health = new(health.Board)
	k.start()
	k.inFiles()
	first, then := query.InTwoSteps(t, k.q, 70)
	list, err := first()
	if err != nil {
		t.Fatal(err)
	}
	k.eraseEntries(70)
	k.erasedFrom(70)
	err = then(list)
	if w := k.health.Worst(); w.State != health.OK {
		t.Errorf("nothing was altered: %+v", w)
	}
	if err != nil || list[0].Payload != nil {
		t.Errorf("erased data is shown from the log after the file was written again: %v, %v", err, list[0].Payload != nil)
	}
}

// TestBatchOfTwoParts: files that appear while a batch of two parts is looked at are not taken for
// altered ones.
func TestBatchOfTwoParts(t *testing.T) {
	k := newKept(t)
	k.start()
	k.inFiles()
	list, err := query.Together(t.Context(), k.q, 62, 63, 64, 65)
	if err != nil || len(list) != 4 || list[3].Entry.Index != 65 {
		t.Fatalf("%d entries: %v", len(list), err)
	}
	if k.logs.has("writes files of the index again") {
		t.Error("a file is called altered: ", k.logs.b.String())
	}
}

// TestEntryFilesUnderFire reads, erases and damages files at the same time: no answer is wrong, and
// nothing that was erased is shown, or stays.
func TestEntryFilesUnderFire(t *testing.T) {
	k := newKept(t)
	k.start()
	k.inFiles()
	var erased atomic.Uint64 // all below, from 1 on
	erased.Store(1)
	var readers sync.WaitGroup
	reading, stop := context.WithCancel(t.Context())
	defer stop()
	for g := range 4 {
		readers.Go(func() { k.readUnderFire(reading, g, &erased) })
	}
	for x := uint64(1); x < 128; x++ {
		k.eraseEntries(x)
		erased.Store(x + 1)
		if x%5 > 0 {
			continue
		}
		name := filepath.Join(k.dir, fmt.Sprintf("%016d.%s", 64*(x%4), []string{"data", "leaves"}[x%2]))
		if b, err := os.ReadFile(name); err == nil && len(b) > 300 {
			b[len(b)/3] ^= 4
			os.WriteFile(name, b, 0o600) // in place: it is open
		}
	}
	stop()
	readers.Wait()
	logtest.Until(t, "all of it is erased", func() bool {
		for x := uint64(1); x < 128; x++ {
			if k.holds(x/64*64, x) {
				return false
			}
		}
		return true
	})
}

// readUnderFire reads entries, proofs and pages until it is stopped.
func (k *kept) readUnderFire(ctx context.Context, g int, erased *atomic.Uint64) {
	for i := 0; ctx.Err() == nil; i++ {
		x, below := uint64(1+(i*7+g*31)%250), erased.Load()
		path := fmt.Sprintf("/v1/entries/%d?raw=1", x)
		switch {
		case i%5 == 0:
			path, below = fmt.Sprintf("/v1/entries/%d/proof", x), 0
		case i%7 == 0:
			path, below = "/v1/entries?limit=100&raw=1&order=asc", 0
		}
		a := k.do("GET", path)
		if a.StatusCode != 200 && a.StatusCode != 503 ||
			x < below && bytes.Contains(a.body, []byte(`"salt":"`)) {
			k.Errorf("%s: %d %.200s", path, a.StatusCode, a.body)
			return
		}
	}
}

// TestRunAgain: each Run opens the files again, and leaves none open.
func TestRunAgain(t *testing.T) {
	k := newKept(t)
	q, err := query.New(query.Config{Log: k.log, Keys: []string{k.key}, Folder: k.dir})
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "linux" {
		t.Skip("open files are counted on Linux")
	}
	fds := func() (n int) {
		links, _ := filepath.Glob("/proc/self/fd/*")
		for _, link := range links {
			if to, _ := os.Readlink(link); strings.HasPrefix(to, k.dir) {
				n++
			}
		}
		return n
	}
	for range 4 {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { q.Run(ctx); close(done) }()
		logtest.Until(t, "the entries are in files", func() bool { return q.Status().Kept == 4 })
		if n := fds(); n != 12 {
			t.Errorf("%d files open", n)
		}
		cancel()
		<-done
		if n := fds(); n != 0 {
			t.Errorf("%d files open after the end", n)
		}
	}
}

// TestUnreadableInLogAlone: data that verify has found damaged in PAYLOADS is not called readable
// because a file has it.
func TestUnreadableInLogAlone(t *testing.T) {
	k := newKept(t)
	k.health = new(health.Board)
	k.start()
	k.inFiles()
	for seq := uint64(1); ; seq++ {
		m, err := k.log.Payloads.Get(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		if i := bytes.Index(m.Data, []byte(`"index":70,"salt":"`)); i >= 0 {
			m.Data[i+20] ^= 1
			break
		}
	}
	var v query.Verdict
	k.get("/v1/verify", &v)
	if v.Valid || k.health.State("unreadable") != health.Warning {
		t.Fatalf("%+v %+v", v, k.health.Worst())
	}
	k.do("GET", "/v1/entries/70?raw=1")
	if k.health.State("unreadable") != health.Warning {
		t.Error("one read from a file took back what verify has found; PAYLOADS is still damaged")
	}
}
