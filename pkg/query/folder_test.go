package query_test

import (
	"bytes"
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

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/query"
	"github.com/sealstream/sealstream/pkg/query/segment"
	"github.com/sealstream/sealstream/pkg/store"
)

// kept is a log, and a query service that keeps its index in a folder.
type kept struct {
	*fixture
	dir  string
	all  []entry.Entry
	logs *journal
	stop func()
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
	k.stop()
	return k
}

func (k *kept) start() {
	k.Helper()
	k.logs = &journal{}
	k.serve(query.Config{Log: k.log, Keys: []string{k.key}, Folder: k.dir, Logger: slog.New(slog.NewTextHandler(k.logs, nil))})
	k.stop = k.stopLast
	k.await()
}

// written waits until every full part is a file.
func (k *kept) written() {
	k.Helper()
	k.until("the parts are written", func() bool { return k.q.Status().Segments == int(k.size/query.PartRows()) })
}

// answers compares a few filters in both orders with the naive scan, and proves some entries.
func (k *kept) answers() {
	k.Helper()
	for _, values := range []url.Values{{}, {"agent": {"did:web:a.example.com"}}, {"trace": {"t1", "t5"}, "outcome": {"success"}}, {"resource": {"/crm/*"}, "action": {"deny"}},
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
	k.until("the segments are rechecked", func() bool { return k.q.Status().Rechecked })
}

func (k *kept) files() []string {
	k.Helper()
	list, err := filepath.Glob(filepath.Join(k.dir, "*"))
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
	var restored, fresh query.Stats
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
		if list, err := q.Indexes(query.Filter{}); err != nil || len(list) != int(p.frontier.Size()) {
			t.Fatalf("%d entries, of %d: %v", len(list), p.frontier.Size(), err)
		}
		stop()
	}
}

// TestDamagedFiles damages the folder in every way that one can think of: what is right is used, the rest is made again.
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
				if list := k.files(); len(list) < 4 || slices.ContainsFunc(list, func(name string) bool { return strings.HasSuffix(name, ".tmp") }) {
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
	if st := k.q.Status(); st.Restored != 0 || !k.logs.has("not of this log") {
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
	k.answers()
	if st := k.q.Status(); st.Restored != 0 {
		t.Fatalf("%+v", st)
	}
}

// TestForgedFiles: segments that are whole and of this very log, but wrong. One that finds too much is seen when it is used, one that finds too little when the
// log is walked again.
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
	k.start()
	k.rechecked()
	if !k.logs.has("was not what the log makes") {
		t.Fatal("nothing was told")
	}
	if got := k.q.Stats(); got.Agents != counted.Agents || !maps.Equal(got.EventTypes, counted.EventTypes) || !maps.Equal(got.Outcomes, counted.Outcomes) {
		t.Fatalf("counted %+v\nwant %+v", got, counted)
	}
	k.answers()
	k.stop()
	k.start()
	k.rechecked()
	if k.answers(); k.logs.has("was not what the log makes") {
		t.Fatal("the files were not put right")
	}
	k.stop()

	hide(0, "did:web:b.example.com", "did:web:a.example.com")
	k.start()
	want := naive(k.all, url.Values{"agent": {"did:web:a.example.com"}})
	refused := false
	k.until("the answer is right", func() bool {
		list, err := k.q.Entries(t.Context(), query.Filter{Agent: []string{"did:web:a.example.com"}}, query.Page{Limit: 1000})
		refused = refused || err != nil
		return err == nil && len(list.Entries) == len(want)
	})
	if refused { // else the recheck was there first
		k.until("the index is made again", func() bool { st := k.q.Status(); return st.Restored == 0 && st.Err == nil })
	}
	k.answers()
}

// TestRestoredAltered: what a restart has not read is not believed either: an altered leaf is told and not served, those beside it are.
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
		k.start()
		if p := k.refused(500, "GET", "/v1/entries/42"); p.Index == nil || *p.Index != index || !strings.Contains(p.Detail, "index 42: leaf") {
			t.Fatalf("%+v", p)
		}
		for _, x := range []int{40, 41, 43, 44, 47} {
			k.get(fmt.Sprint("/v1/entries/", x), &struct{}{})
		}
		k.until("the recheck sees it", func() bool { return k.q.Status().Corrupt })
		var v query.Verdict
		if k.get("/v1/verify", &v); v.Valid || v.FirstBadIndex == nil || *v.FirstBadIndex != index {
			t.Fatalf("%+v", v)
		}
		flip(t, at, text)
		k.stop()
		tried++
	}
	if tried < 3 {
		t.Fatalf("%d alterations tried", tried)
	}
}

// TestRestoreWithoutKeys: then the whole log is verified before anything is answered, and the files are used all the same.
func TestRestoreWithoutKeys(t *testing.T) {
	k := newKept(t)
	k.serve(query.Config{Log: k.log, Folder: k.dir})
	k.await()
	if st := k.q.Status(); st.Restored != 256 {
		t.Fatalf("%+v", st)
	}
	k.answers()
	var s query.Stats
	if k.get("/v1/stats", &s); !slices.Equal(s.Keys, []string{k.key}) {
		t.Fatalf("keys %v", s.Keys)
	}
}

// TestMatches walks matches while the log grows: nothing is left out, nothing comes twice.
func TestMatches(t *testing.T) {
	k := newKept(t)
	k.start()
	f := query.Filter{Action: []string{"deny", "allow"}}
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
	if _, _, err := k.q.Matches(t.Context(), query.Filter{From: "x"}, 0); err == nil {
		t.Fatal("a wrong filter is taken")
	}
}
