package query_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/internal/segment"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
)

// kept is a log, and a query service that keeps its index in a folder.
type kept struct {
	*fixture
	dir  string
	all  []entry.Entry
	logs *journal
	stop func()

	health *health.Board
	first  time.Duration  // query.Config.CheckFirst
	spare  func() uint64  // query.Config.Spare
	parts  query.Archived // query.Config.Parts
}

// journal is a log file in memory.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *journal) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *journal) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.b.String(), text)
}

// newKept makes a log of several parts, and stops the service when they are all written.
func newKept(t *testing.T) *kept {
	k := &kept{fixture: newFixture(t), dir: filepath.Join(t.TempDir(), "index")}
	for events := range slices.Chunk(generated(rand.New(rand.NewPCG(1, 9)), 300), 23) {
		k.publishAll(events, 23)
	}
	k.all = k.scan()
	k.start()
	k.written()
	k.inFiles()
	k.stop()
	return k
}

func (k *kept) start() {
	k.Helper()
	k.logs = &journal{}
	k.serve(query.Config{
		Log: k.log, Keys: []string{k.key}, Folder: k.dir, Health: k.health, CheckFirst: k.first, Spare: k.spare,
		Parts: k.parts, Logger: slog.New(slog.NewTextHandler(k.logs, nil)),
	})
	k.stop = k.stopLast
	k.await()
}

// written waits until every full part is a file.
func (k *kept) written() {
	k.Helper()
	logtest.Until(k, "the parts are written", func() bool {
		return k.q.Status().Segments == int(k.size/query.PartRows())
	})
}

// answers compares a few filters in both orders with the naive scan, and proves some entries.
func (k *kept) answers() {
	k.Helper()
	// A session that found damage ends, and the next begins.
	logtest.Until(k, "it answers", func() bool { return k.do("GET", "/v1/entries?limit=1").StatusCode == 200 })
	for _, values := range []url.Values{{}, {"agent": {"did:web:a.example.com"}}, {
		"trace": {"t1", "t5"}, "outcome": {"success"},
	}, {"resource": {"/crm/*"}, "action": {"deny"}},
		{"from": {"2023-11-14T22:15:20Z"}, "to": {"2023-11-14T22:17:00Z"}}, {"session": {"s2"}, "time": {"received"}, "to": {k.all[len(k.all)/2].ReceivedAt}}} {
		if n := k.check(k.all, values, 40); n == 0 {
			k.Fatalf("%v matches nothing", values)
		}
	}
	cp, err := k.q.Checkpoint()
	if err != nil {
		k.Fatal(err)
	}
	for _, x := range []uint64{0, 1, 63, 64, 100, k.size - 1} {
		k.checkProof(k.all[x], fmt.Sprintf("/v1/entries/%d/proof", x), cp)
	}
	for from := uint64(1); from < k.size; from += 17 {
		if _, err := k.q.Consistency(k.Context(), from, k.size); err != nil {
			k.Fatalf("consistency from %d: %v", from, err)
		}
	}
	k.get("/v1/entries/id/generated-150", &struct{}{})
}

// rechecked waits until the restored segments were made again.
func (k *kept) rechecked() {
	k.Helper()
	logtest.Until(k, "the segments are rechecked", func() bool { return k.q.Status().Rechecked })
}

// inFiles waits until the entries of every full part are read from files.
func (k *kept) inFiles() {
	k.Helper()
	logtest.Until(k, "the entries are in files", func() bool { return k.q.Status().Kept == int(k.size/query.PartRows()) })
}

// files lists the index files, and temporary ones.
func (k *kept) files() []string {
	k.Helper()
	list, err := filepath.Glob(filepath.Join(k.dir, "*.[st][em][gp]*"))
	if err != nil {
		k.Fatal(err)
	}
	return list
}

func (k *kept) read(i int) []byte {
	k.Helper()
	b, err := os.ReadFile(k.files()[i])
	if err != nil {
		k.Fatal(err)
	}
	return b
}

func (k *kept) write(name string, b []byte) {
	k.Helper()
	if err := os.WriteFile(name, b, 0o600); err != nil {
		k.Fatal(err)
	}
}

// TestRestore: a restart goes on from the files, grows, and tells the same.
func TestRestore(t *testing.T) {
	k := newKept(t)
	if len(k.files()) != 4 || k.size != 301 {
		t.Fatalf("%d entries, files %v", k.size, k.files())
	}
	before := k.contents()
	k.start()
	if st := k.q.Status(); st.Restored != 256 || st.Size != 301 || st.Segments != 4 {
		t.Fatalf("%+v", st)
	}
	k.answers()
	k.rechecked()
	k.answers()
	k.isWell()
	if !maps.EqualFunc(before, k.contents(), bytes.Equal) {
		t.Fatal("a recheck that finds nothing has changed the files")
	}
	var restored, fresh api.Stats
	k.get("/v1/stats", &restored)
	k.publishAll(generated(rand.New(rand.NewPCG(2, 9)), 100), 9)
	k.all = k.scan()
	k.written()
	k.answers()
	k.stop()
	if len(k.files()) != 6 {
		t.Fatalf("files %v", k.files())
	}
	k.start()
	k.answers()
	k.get("/v1/stats", &restored)
	k.serve(query.Config{Log: k.log, Keys: []string{k.key}})
	k.await()
	if k.get("/v1/stats", &fresh); fmt.Sprint(fresh) != fmt.Sprint(restored) {
		t.Fatalf("restored: %+v\nfresh:    %+v", restored, fresh)
	}
}

func (k *kept) contents() map[string][]byte {
	m := map[string][]byte{}
	for i, name := range k.files() {
		m[name] = k.read(i)
	}
	return m
}

// TestRestoreAtEveryEnd: the log ends at a part's end, in it, or with it.
func TestRestoreAtEveryEnd(t *testing.T) {
	p := newPress(t)
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(3, 9))
	for n := 0; n < 60; n++ {
		p.seal(generated(r, 1+r.IntN(12))...)
		if p.frontier.Size()%64 > 50 {
			p.seal(generated(r, int(64-p.frontier.Size()%64))...) // which ends a part
		}
		q, stop := p.begin(query.Config{Folder: dir})
		full := int(p.frontier.Size() / 64)
		awaitSegments(t, q, full)
		if st := q.Status(); st.Restored > 0 != (full > 0 && n > 0 && st.Restored/64 >= uint64(full-1)) && full > 1 {
			t.Fatalf("%d entries: %+v", p.frontier.Size(), st)
		}
		if list, err := q.Indexes(api.Filter{}); err != nil || len(list) != int(p.frontier.Size()) {
			t.Fatalf("%d entries, of %d: %v", len(list), p.frontier.Size(), err)
		}
		stop()
	}
}

// TestDamagedFiles damages the folder in every way that one can think of: what is right is used,
// the rest is made again.
func TestDamagedFiles(t *testing.T) {
	k := newKept(t)
	good := k.contents()
	names := slices.Sorted(maps.Keys(good))
	r := rand.New(rand.NewPCG(4, 9))
	for what, damage := range map[string]struct {
		do   func()
		left int // of the parts
	}{
		"one byte of the first": {func() { k.flip(names[0], r) }, 0},
		"one byte of the third": {func() { k.flip(names[2], r) }, 2},
		"the last is cut":       {func() { k.write(names[3], good[names[3]][:r.IntN(5000)]) }, 3},
		"the last is empty":     {func() { k.write(names[3], nil) }, 3},
		"the second is gone":    {func() { os.Remove(names[1]) }, 1},
		"two are swapped":       {func() { k.write(names[1], good[names[2]]); k.write(names[2], good[names[1]]) }, 1},
		"one is there twice":    {func() { k.write(names[3], good[names[0]]) }, 3},
		"a crash while it was made": {func() {
			os.Remove(names[3])
			k.write(strings.TrimSuffix(names[3], "segment")+"segment.tmp", good[names[3]][:700])
		}, 3},
		"a crash before the rename": {func() { os.Rename(names[3], names[3]+".tmp") }, 3},
		"all is well":               {func() {}, 4},
		"rubbish": {func() {
			k.write(filepath.Join(k.dir, "9.segment"), []byte("x"))
			k.write(names[0], bytes.Repeat([]byte("\n"), 9000))
		}, 0},
		"a folder in place of one":   {func() { os.Remove(names[2]); os.Mkdir(names[2], 0o700) }, 2},
		"the magic alone":            {func() { k.write(names[0], good[names[0]][:27]) }, 0},
		"all are gone":               {func() { os.RemoveAll(k.dir) }, 0},
		"the folder cannot be made":  {func() { os.RemoveAll(k.dir); k.write(k.dir, nil) }, 0},
		"one more than there can be": {func() { k.write(filepath.Join(k.dir, fmt.Sprintf("%016d.segment", 256)), good[names[3]]) }, 4},
	} {
		t.Run(what, func(t *testing.T) {
			damage.do()
			k.T = t
			k.start()
			if st := k.q.Status(); st.Restored != uint64(damage.left)*query.PartRows() {
				t.Fatalf("%+v", st)
			}
			k.answers()
			k.written()
			k.stop()
			if info, err := os.Stat(k.dir); err == nil && info.IsDir() && what != "a folder in place of one" {
				if list := k.files(); len(list) < 4 || slices.ContainsFunc(list, func(name string) bool {
					return strings.HasSuffix(name, ".tmp")
				}) {
					t.Fatalf("files afterwards: %v", list)
				}
			}
			os.RemoveAll(k.dir)
			os.Mkdir(k.dir, 0o700)
			for name, b := range good {
				k.write(name, b)
			}
		})
	}
}

func (k *kept) flip(name string, r *rand.Rand) {
	b, err := os.ReadFile(name)
	if err != nil {
		k.Fatal(err)
	}
	b[r.IntN(len(b))] ^= 1 << r.IntN(8)
	k.write(name, b)
}

// TestForeignFiles: the files are whole, but of another log with the same name, or of this one before it was cut off.
func TestForeignFiles(t *testing.T) {
	k := newKept(t)
	other := newKept(t)
	for i, name := range other.files() {
		k.write(filepath.Join(k.dir, filepath.Base(name)), other.read(i))
	}
	k.start()
	k.answers()
	if st := k.q.Status(); st.Restored != 0 || !k.logs.has("belong to another log") {
		t.Fatalf("%+v", st)
	}
	k.written()
	k.stop()
	whole := k.log
	cut := store.NewMemory("default")
	cut.Payloads = whole.Payloads
	for seq := uint64(1); ; seq++ {
		m, err := whole.Sealed.Get(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cut.Sealed.Append(t.Context(), m, nil); err != nil {
			t.Fatal(err)
		}
		k.log = cut
		if k.all = k.scan(); len(k.all) > 200 {
			break
		}
	}
	k.size = uint64(len(k.all))
	k.start()
	k.isCut(301)
	if st := k.q.Status(); st.Restored != 0 {
		t.Fatalf("%+v", st)
	}
	k.stop()
	if err := os.Remove(k.dir + ".seen"); err != nil { // whoever knows better
		t.Fatal(err)
	}
	k.start()
	k.answers()
}

// TestRechecking: while files are compared with the log for longer than answers wait, every answer says so.
func TestRechecking(t *testing.T) {
	k := newKept(t)
	held := &heldReads{Stream: k.log.Sealed, from: 1, go_: make(chan struct{})}
	k.log = &store.Log{
		Name: k.log.Name, Events: k.log.Events, Sealed: held, Payloads: k.log.Payloads, Head: k.log.Head,
	}
	k.first = -1
	k.start()
	logtest.Until(k, "it answers", func() bool { return k.do("GET", "/v1/entries").StatusCode == 200 })
	for _, path := range []string{
		"/v1/entries", "/v1/entries/1", "/v1/export", "/v1/counts", "/v1/stats", "/v1/traces/t1", "/readyz",
		"/checkpoint",
	} {
		if a := k.do("GET", path); a.StatusCode != 200 || a.Header.Get("Sealstream-Rechecking") != "256" {
			t.Fatalf("%s: %s, rechecking %q\n%s", path, a.Status, a.Header.Get("Sealstream-Rechecking"), a.body)
		}
	}
	for _, path := range []string{"/v1/entries?limit=1", "/v1/stats", "/readyz"} {
		if a := k.do("GET", path); !strings.Contains(string(a.body), `"rechecking":256`) {
			t.Fatalf("%s: %s", path, a.body)
		}
	}
	close(held.go_)
	k.rechecked()
	for _, path := range []string{"/v1/entries", "/v1/stats", "/readyz"} {
		if a := k.do("GET", path); a.StatusCode != 200 || a.Header.Get("Sealstream-Rechecking") != "" ||
			strings.Contains(string(a.body), "rechecking") {
			t.Fatalf("%s: %s %s", path, a.Status, a.body)
		}
	}
}

// heldReads is a stream of which reads from one sequence on wait.
type heldReads struct {
	store.Stream
	from uint64
	go_  chan struct{}
}

func (h *heldReads) Read(ctx context.Context, from uint64) (store.Reader, error) {
	if from == h.from {
		select {
		case <-h.go_:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return h.Stream.Read(ctx, from)
}

// isCut checks that a log which is shorter than a checkpoint of a size that was seen before is told
// to be cut, and never answered from.
func (k *kept) isCut(size uint64) {
	k.Helper()
	ask := func() (told bool) {
		for _, path := range []string{"/v1/entries", "/checkpoint", "/v1/entries/0", "/v1/export", "/readyz"} {
			a := k.do("GET", path)
			if a.StatusCode == 200 {
				k.Fatalf("%s of a log that was cut off: %s", path, a.body)
			}
			told = strings.Contains(string(a.body), fmt.Sprintf("a checkpoint of %d was seen before this start", size))
		}
		return told
	}
	logtest.Until(k, "the cut is told", ask)
	if st := k.q.Status(); !st.Corrupt {
		k.Fatalf("%+v", st)
	}
}

// TestForgedFiles: segments that are whole and of this very log, but wrong. One that finds too much
// is seen when it is used, one that finds too little when the log is walked again.
func TestForgedFiles(t *testing.T) {
	k := newKept(t)
	counted := k.q.Stats()
	hide := func(field int, was, is string) {
		err := query.Forge(t.Context(), k.q, func(x uint64, r *segment.Row) {
			if x < 128 && r.Text[field] == was {
				r.Text[field] = is
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	hide(0, "did:web:a.example.com", "did:web:nobody.example.com")
	var board health.Board
	k.health = &board
	k.start()
	k.answers() // it was rechecked before the first answer
	k.rechecked()
	if !k.logs.has("replaces a segment of the index that differs from the log") {
		t.Fatal("nothing was told")
	}
	if w := board.Worst(); w.Name != "index" || w.State != health.Warning || !strings.Contains(w.Text, "was altered") {
		t.Fatalf("the board says %+v", w)
	}
	k.health = nil
	if got := k.q.Stats(); got.Agents != counted.Agents || !maps.Equal(got.EventTypes, counted.EventTypes) ||
		!maps.Equal(got.Outcomes, counted.Outcomes) {
		t.Fatalf("counted %+v\nwant %+v", got, counted)
	}
	k.answers()
	k.stop()
	k.start()
	k.rechecked()
	if k.answers(); k.logs.has("replaces a segment of the index that differs from the log") {
		t.Fatal("the files were not put right")
	}
	k.stop()

	hide(0, "did:web:b.example.com", "did:web:a.example.com")
	k.start()
	want := naive(k.all, url.Values{"agent": {"did:web:a.example.com"}})
	refused := false
	logtest.Until(k, "the answer is right", func() bool {
		list, err := k.q.Entries(t.Context(), api.Filter{Agent: []string{"did:web:a.example.com"}},
			query.Page{Limit: 1000})
		refused = refused || err != nil
		return err == nil && len(list.Entries) == len(want)
	})
	if refused { // else the recheck was there first
		logtest.Until(k, "the index is made again", func() bool {
			st := k.q.Status()
			return st.Restored == 0 && st.Err == nil
		})
	}
	k.answers()
}

// TestRestoredAltered: what a restart has not read is not believed either: an altered leaf is told
// and not served, those beside it are.
func TestRestoredAltered(t *testing.T) {
	k := newKept(t)
	const index = 42
	m, tried := k.find(index), 0
	for _, text := range []string{`"entry_id":"generated-4`, `"index":42`, `"previous_hash":"`, `"timestamp":"`} {
		at := m.Data[bytes.Index(m.Data, k.all[index].Leaf):]
		if !bytes.Contains(at[:len(k.all[index].Leaf)], []byte(text)) {
			continue
		}
		flip(t, at, text)
		for _, name := range k.entryFiles()[:2] { // else it would be read from there, as it was
			os.Remove(name)
		}
		k.start()
		// a session that found it ends, and the next begins
		logtest.Until(k, "it answers", func() bool { return k.do("GET", "/v1/entries/42").StatusCode != 503 })
		if p := k.refused(500, "GET", "/v1/entries/42"); p.Index == nil || *p.Index != index ||
			!strings.Contains(p.Detail, "index 42: leaf") {
			t.Fatalf("%+v", p)
		}
		for _, x := range []int{40, 41, 43, 44, 47} {
			k.get(fmt.Sprint("/v1/entries/", x), &struct{}{})
		}
		logtest.Until(k, "the recheck sees it", func() bool { return k.q.Status().Corrupt })
		var v query.Verdict
		if k.get("/v1/verify", &v); v.Valid || v.FirstBadIndex == nil || *v.FirstBadIndex != index {
			t.Fatalf("%+v", v)
		}
		flip(t, at, text)
		k.stop()
		k.start() // writes the files again
		k.inFiles()
		k.stop()
		tried++
	}
	if tried < 3 {
		t.Fatalf("%d alterations tried", tried)
	}
}

// TestRestoreWithoutKeys: then the whole log is verified before anything is answered, and the files
// are used all the same.
func TestRestoreWithoutKeys(t *testing.T) {
	k := newKept(t)
	k.serve(query.Config{Log: k.log, Folder: k.dir})
	k.await()
	if st := k.q.Status(); st.Restored != 256 {
		t.Fatalf("%+v", st)
	}
	k.answers()
	var s api.Stats
	if k.get("/v1/stats", &s); !slices.Equal(s.Keys, []string{k.key}) {
		t.Fatalf("keys %v", s.Keys)
	}
}

// TestMatches walks matches while the log grows: nothing is left out, nothing comes twice.
func TestMatches(t *testing.T) {
	k := newKept(t)
	k.start()
	f := api.Filter{Action: []string{"deny", "allow"}}
	var got []uint64
	next := uint64(0)
	for range 5 {
		matches, size, err := k.q.Matches(t.Context(), f, next)
		if err != nil {
			t.Fatal(err)
		}
		k.publishAll(generated(rand.New(rand.NewPCG(next, 9)), 50), 7)
		for found, err := range matches {
			if err != nil || found.Entry.Index < next || found.Entry.Index >= size {
				t.Fatalf("%d from %d below %d: %v", found.Entry.Index, next, size, err)
			}
			got = append(got, found.Entry.Index)
		}
		next = size
	}
	want := naive(k.scan()[:next], url.Values{"action": {"deny", "allow"}})
	if !slices.Equal(got, want) {
		t.Fatalf("got %v\nwant %v", got, want)
	}
	if _, _, err := k.q.Matches(t.Context(), api.Filter{From: "x"}, 0); err == nil {
		t.Fatal("a wrong filter is taken")
	}
}
