package query_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/sealstream/sealstream/internal/archive"
	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/internal/store"
)

const archivedPart = 256 // entries of a part, and of a segment of the archive

// archived is a kept log whose full parts are archived.
type archived struct {
	*kept
	raw *store.Log // the log without its archive
}

// newArchived makes a log of four parts, archives it, and trims all but its newest entries. No
// service follows it any more.
func newArchived(t *testing.T) *archived {
	t.Helper()
	t.Cleanup(query.Parts(archivedPart))
	k := &archived{kept: &kept{
		fixture: newFixture(t), dir: filepath.Join(t.TempDir(), "index"), health: new(health.Board),
	}}
	k.raw = k.log
	events := generated(rand.New(rand.NewPCG(4, 16)), 4*archivedPart+70)
	k.publishAll(events[:600], 23)
	k.archive(2)
	k.publishAll(events[600:], 23)
	k.stopLast()
	k.archive(4) // by another archiver, which goes on
	a := archive.New(k.raw)
	k.log, k.parts = a.Through(), a
	k.all = k.scan()
	return k
}

func (k *archived) archiver() archive.Config {
	return archive.Config{
		Archive: archive.New(k.raw), Keys: []string{k.key}, Indexer: query.NewIndexer("default"),
		SegmentLeaves: archivedPart, TrimSealed: 50,
	}
}

// archive runs an archiver until it has written n segments and their indexes.
func (k *archived) archive(n uint64) {
	k.Helper()
	cfg := k.archiver()
	x, err := archive.NewArchiver(cfg)
	if err != nil {
		k.Fatal(err)
	}
	defer logtest.Run(k, "archiver", x.Run)()
	logtest.Until(k, "it is archived", func() bool {
		_, err := cfg.Archive.Index(k.Context(), n-1)
		return err == nil && x.Status().Segments == n || x.Status().Err != nil
	})
	if err := x.Status().Err; err != nil {
		k.Fatal(err)
	}
}

// paths are questions of all kinds, whose answers do not depend on where entries are read.
func (k *kept) paths() (list []string) {
	for x := uint64(0); x < k.size; x += 9 {
		list = append(list, fmt.Sprintf("/v1/entries/%d", x), fmt.Sprintf("/v1/entries/%d/proof?raw=1", x))
	}
	for _, q := range []string{"", "agent=did:web:a.example.com", "trace=t1&trace=t5", "outcome=success&order=asc"} {
		list = append(list, "/v1/entries?limit=40&"+q, "/v1/entries?limit=1000&raw=1&"+q)
	}
	return append(list, "/v1/export?format=jsonl", "/tile/0/001", "/tile/entries/002", "/v1/consistency?from=13&to=700",
		"/v1/traces/t1")
}

func (k *kept) answersTo(paths []string) map[string][]byte {
	k.Helper()
	all := map[string][]byte{}
	for _, p := range paths {
		a := k.do("GET", p)
		if a.StatusCode != 200 {
			k.Fatalf("%s: %d %.300s", p, a.StatusCode, a.body)
		}
		all[p] = a.body
	}
	return all
}

// TestFillFromArchive: a service with an empty folder begins with the archive's parts, and answers
// byte for byte as one that has read the whole log. What was erased after it was archived is in no
// file of its folder.
func TestFillFromArchive(t *testing.T) {
	k := newArchived(t)
	if info, err := k.log.Sealed.Info(t.Context()); err != nil || info.First != 1 {
		t.Fatalf("through the archive the log begins at %d, %v", info.First, err)
	}
	parts := k.parts
	k.parts = nil
	k.start()
	if k.q.Status().Restored != 0 {
		t.Fatal("the log was not read from its beginning")
	}
	k.eraseEntries(70, 300) // no archiver runs: the data is still in the archive
	paths := k.paths()
	want := k.answersTo(paths)
	k.inParts()
	k.stop()
	os.RemoveAll(k.dir)
	k.parts = parts
	k.start()
	if got := k.q.Status().Restored; got != 4*archivedPart {
		t.Fatalf("began with %d entries of the archive", got)
	}
	for p, got := range k.answersTo(paths) {
		if !bytes.Equal(got, want[p]) {
			t.Fatalf("%s: %.300s\nfrom the log: %.300s", p, got, want[p])
		}
	}
	k.inParts()
	if k.holds(0, 70) || k.holds(256, 300) || !k.holds(0, 71) {
		t.Error("erased data is in the folder, or other data is not")
	}
	k.rechecked()
	if s := k.health.State("index"); s != health.OK {
		t.Errorf("the archive's parts differ from the log: %v", s)
	}
	files := k.contents()
	k.stop()
	k.start() // from its folder
	if got := k.q.Status().Restored; got != 4*archivedPart {
		t.Fatalf("began with %d entries of the folder", got)
	}
	k.rechecked()
	for name, b := range k.contents() {
		if !bytes.Equal(files[name], b) {
			t.Errorf("%s was written again", name)
		}
	}
}

// inParts waits until the entries of the archived parts are in files.
func (k *kept) inParts() {
	k.Helper()
	logtest.Until(k, "the entries are in files", func() bool { return k.q.Status().Kept == 4 })
}

// change gives an object of the archive other bytes.
func (k *kept) change(name string, with func([]byte) []byte) {
	k.Helper()
	r, err := k.log.Archive.Open(k.Context(), name)
	if err != nil {
		k.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		k.Fatal(err)
	}
	if err := k.log.Archive.Put(k.Context(), name, bytes.NewReader(with(bytes.Clone(b)))); err != nil {
		k.Fatal(err)
	}
}

// TestFillDamaged: what the archive has lost or altered is made from the log instead.
func TestFillDamaged(t *testing.T) {
	k := newArchived(t)
	k.parts, k.dir = nil, filepath.Join(t.TempDir(), "other")
	k.start()
	paths := k.paths()
	want := k.answersTo(paths)
	k.stop()
	flip := func(b []byte) []byte { b[len(b)/2] ^= 1; return b }
	other, _ := k.log.Archive.Open(t.Context(), "default/00000000/index")
	first, _ := io.ReadAll(other)
	for _, c := range []struct {
		name    string
		with    func([]byte) []byte
		remain  uint64 // entries that are taken from the archive all the same
		damaged int    // objects that a verification of the archive names; the log verifies
	}{
		{"default/00000002/index", flip, 512, 1},
		{"default/00000002/index", func(b []byte) []byte { return b[:len(b)-1] }, 512, 1},
		{"default/00000001/index", func(b []byte) []byte { return nil }, 256, 1},
		{"default/00000001/index", func([]byte) []byte { return first }, 256, 0},
		{"default/00000000/index", flip, 0, 1},
	} {
		a := archive.New(withArchiveCopied(t, k.raw))
		was := k.log
		k.log, k.parts, k.dir = a.Through(), a, filepath.Join(t.TempDir(), "index")
		k.change(c.name, c.with)
		if r, err := archive.Verify(t.Context(), k.log, audit.Config{Keys: []string{k.key}}); err != nil ||
			len(r.Damaged) != c.damaged {
			t.Errorf("%s: damaged are %v, %v", c.name, r.Damaged, err)
		}
		k.start()
		if got := k.q.Status().Restored; got != c.remain {
			t.Errorf("%s: began with %d entries of the archive", c.name, got)
		}
		for p, got := range k.answersTo(paths) {
			if !bytes.Equal(got, want[p]) {
				t.Fatalf("%s: %s: %.300s\nfrom the log: %.300s", c.name, p, got, want[p])
			}
		}
		k.inParts()
		k.stop()
		k.log = was
	}
}

// withArchiveCopied is a log with a copy of its archive's objects.
func withArchiveCopied(t *testing.T, log *store.Log) *store.Log {
	t.Helper()
	copied := *log
	copied.Archive = store.NewMemoryObjects()
	for n := range 4 {
		for _, name := range []string{"segment.json", "sealed.zst", "payloads.json", "payloads-0.zst", "index"} {
			object := fmt.Sprintf("default/%08d/%s", n, name)
			r, err := log.Archive.Open(t.Context(), object)
			if err != nil {
				t.Fatal(err)
			}
			if err := copied.Archive.Put(t.Context(), object, r); err != nil {
				t.Fatal(err)
			}
		}
	}
	return &copied
}

// foreign gives the parts of another log.
type foreign struct{ of query.Archived }

func (f foreign) Index(ctx context.Context, part uint64) ([]byte, error) {
	return f.of.Index(ctx, part)
}

// TestFillForeign: parts of another log of the same name and origin are refused by its checkpoint.
func TestFillForeign(t *testing.T) {
	other, k := newArchived(t), newArchived(t)
	k.parts = foreign{other.parts}
	k.start()
	k.answers()
	if s := k.q.Status(); s.Restored != 0 || s.Err != nil {
		t.Errorf("began with parts of another log: %+v", s)
	}
	k.inParts()
}

// TestFillOlderArchive: an archive without indexes serves a service that reads the whole log. The
// next archiver adds them.
func TestFillOlderArchive(t *testing.T) {
	k := newArchived(t)
	for n := range 4 {
		if err := k.log.Archive.Delete(t.Context(), fmt.Sprintf("default/%08d/index", n)); err != nil {
			t.Fatal(err)
		}
	}
	k.start()
	if s := k.q.Status(); s.Restored != 0 || s.Err != nil {
		t.Fatalf("%+v", s)
	}
	k.stop()
	os.RemoveAll(k.dir)
	k.archive(4)
	k.start()
	if s := k.q.Status(); s.Restored != 4*archivedPart || s.Err != nil {
		t.Fatalf("%+v", s)
	}
	k.rechecked()
}

// TestIndexesMadeAgain: an archiver makes indexes again that are damaged or of another key, when it
// starts.
func TestIndexesMadeAgain(t *testing.T) {
	k, other := newArchived(t), newArchived(t)
	read := func(k *archived, part uint64) []byte {
		t.Helper()
		b, err := archive.New(k.raw).Index(t.Context(), part)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	good := read(k, 1)
	for _, bad := range [][]byte{good[:len(good)-1], {}, read(other, 1)} {
		k.change("default/00000001/index", func([]byte) []byte { return bad })
		x, err := archive.NewArchiver(k.archiver())
		if err != nil {
			t.Fatal(err)
		}
		stop := logtest.Run(t, "archiver", x.Run)
		logtest.Until(t, "the index is made again", func() bool { return bytes.Equal(read(k, 1), good) })
		stop()
	}
}

// TestFillGoesOn: a folder that a crash has left half filled is filled on from the archive. One
// that was made from the log has another key, and goes on with the log.
func TestFillGoesOn(t *testing.T) {
	for _, fromLog := range []bool{false, true} {
		k := newArchived(t)
		parts := k.parts
		if fromLog {
			k.parts = nil
		}
		k.start()
		k.inParts()
		k.stop()
		os.Remove(filepath.Join(k.dir, fmt.Sprintf("%016d.segment", 2*archivedPart)))
		os.Remove(filepath.Join(k.dir, fmt.Sprintf("%016d.segment", 3*archivedPart)))
		k.parts = parts
		k.start()
		want := uint64(4 * archivedPart)
		if fromLog {
			want = 2 * archivedPart
		}
		if s := k.q.Status(); s.Restored != want || s.Err != nil {
			t.Errorf("from the log %t: began with %d entries: %v", fromLog, s.Restored, s.Err)
		}
		k.answers()
		k.rechecked()
		k.written()
		if s := k.health.State("index"); s != health.OK {
			t.Errorf("from the log %t: %v", fromLog, s)
		}
	}
}

// TestFillWithoutMessages: where the archive has lost messages of a trimmed log, the index alone
// does not hide that, and nothing wrong is answered.
func TestFillWithoutMessages(t *testing.T) {
	k := newArchived(t)
	k.change("default/00000001/sealed.zst", func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
	a := archive.New(k.raw) // without a copy of what was there
	k.log, k.parts = a.Through(), a
	segments, err := a.Segments(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	k.start()
	logtest.Until(t, "it is reported", func() bool { return k.q.Status().Corrupt })
	for x := uint64(0); x < k.size; x += 40 {
		a := k.do("GET", fmt.Sprintf("/v1/entries/%d?raw=1", x))
		if a.StatusCode == 200 && !bytes.Contains(a.body, []byte(`"entry_hash":"`+k.all[x].EntryHash.String()+`"`)) {
			t.Errorf("entry %d: %s", x, a.body)
		}
		if lost := segments[1].First <= x && x < segments[1].Size; lost == (a.StatusCode == 200) {
			t.Errorf("entry %d: %d %.300s", x, a.StatusCode, a.body)
		}
	}
}
