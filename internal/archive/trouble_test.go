package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/archive"
	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// crashing fails the n-th write and all after it, before or after it is done.
type crashing struct {
	store.Objects
	left  int
	after bool
}

var errCrash = errors.New("crash")

func (c *crashing) do(write func() error) error {
	if c.left--; c.left < 0 || c.left == 0 && !c.after {
		return errCrash
	}
	err := write()
	if c.left == 0 {
		return errCrash
	}
	return err
}

func (c *crashing) Put(ctx context.Context, name string, r io.Reader) error {
	return c.do(func() error { return c.Objects.Put(ctx, name, r) })
}

func (c *crashing) Delete(ctx context.Context, name string) error {
	return c.do(func() error { return c.Objects.Delete(ctx, name) })
}

// objects are all that an archive of n segments has, without revised data.
func (f *fixture) objects(n int) map[string]string {
	f.Helper()
	m := map[string]string{}
	for i := range n {
		for _, name := range []string{"segment.json", "sealed.zst", "payloads.json", "payloads-0.zst"} {
			name = fmt.Sprintf("default/%08d/%s", i, name)
			m[name] = string(f.object(name))
		}
	}
	return m
}

// TestCrash: whatever write an archiver is stopped at, the next one goes on, and the archive is the
// same, byte for byte.
func TestCrash(t *testing.T) {
	f := memory(t)
	f.seal(f.log, 900)
	f.well(f.archive(0))
	want := f.objects(3)
	for n := 1; ; n++ {
		crashed := false
		for _, after := range []bool{false, true} {
			broken := *f.log
			c := &crashing{store.NewMemoryObjects(), n, after}
			broken.Archive = c
			cfg := f.config(0)
			cfg.Archive = archive.New(&broken)
			if s := f.archiveWith(cfg); s.Err == nil {
				continue
			} else if !errors.Is(s.Err, errCrash) {
				t.Fatalf("write %d: %v", n, s.Err)
			}
			crashed = true
			f.log.Archive = c.Objects
			f.well(f.archive(0))
			if got := f.objects(3); !equalObjects(got, want) {
				t.Fatalf("after a crash at write %d, after it: %v, other objects", n, after)
			}
		}
		if !crashed {
			if n < 12 {
				t.Fatalf("an archive of three segments took %d writes", n)
			}
			return
		}
	}
}

func equalObjects(a, b map[string]string) bool {
	for name := range a {
		if a[name] != b[name] {
			return false
		}
	}
	return len(a) == len(b)
}

// TestWrittenOnce: a segment that is not what the log makes of it is an alarm, and stays as it is.
func TestWrittenOnce(t *testing.T) {
	other := memory(t)
	other.seal(other.log, 600)
	other.well(other.archive(0))
	for _, name := range []string{"segment.json", "sealed.zst"} {
		f := memory(t)
		f.seal(f.log, 600)
		f.put("default/00000000/"+name, other.object("default/00000000/"+name))
		before := f.object("default/00000000/" + name)
		s := f.archive(10)
		if s.Err == nil || s.Segments != 0 && name == "sealed.zst" {
			t.Errorf("%s: archived over it: %+v", name, s)
		}
		if name == "sealed.zst" &&
			(!errors.Is(s.Err, archive.ErrDiffers) || !strings.Contains(s.Err.Error(), "default/00000000/sealed.zst")) {
			t.Errorf("%s: %v", name, s.Err)
		}
		if !bytes.Equal(f.object("default/00000000/"+name), before) {
			t.Errorf("%s was replaced", name)
		}
		if info, err := f.log.Sealed.Info(t.Context()); err != nil || info.First != 1 {
			t.Errorf("%s: trimmed to %d, %v", name, info.First, err)
		}
	}
}

// TestDamage: each object of a trimmed log is damaged in turn: the check of the archive and the
// audit of the log name it, and nothing of it is taken for the log (case 13 of
// conformance/cases_test.go).
func TestDamage(t *testing.T) {
	flip := func(b []byte) []byte { b[len(b)/2] ^= 1; return b }
	other := func(b []byte) []byte { return bytes.Replace(b, []byte(`"segment":`), []byte(`"segment":1`), 1) }
	for _, c := range []struct {
		object string
		change func([]byte) []byte // nil: it is removed
		index  uint64              // first bad
	}{
		{"00000001/segment.json", other, 300}, {"00000001/segment.json", nil, 300}, {"00000000/segment.json", nil, 0},
		{"00000002/sealed.zst", flip, 550}, {"00000002/sealed.zst", nil, 550}, {"00000002/sealed.zst", func(b []byte) []byte { return b[:len(b)-1] }, 550},
		{"00000000/payloads.json", other, 0}, {"00000001/payloads.json", nil, 300},
		{"00000001/payloads-0.zst", flip, 300}, {"00000000/payloads-0.zst", nil, 0},
	} {
		t.Run(strings.ReplaceAll(c.object, "/", " "), func(t *testing.T) {
			f := memory(t)
			f.seal(f.log, 1200)
			f.well(f.archive(100))
			if r, err := f.verify(); err != nil || r.Segments != 4 || r.Audit.Size != f.size || r.Damaged != nil {
				t.Fatalf("before: %+v, %v", r, err)
			}
			name := "default/" + c.object
			if c.change != nil {
				f.put(name, c.change(bytes.Clone(f.object(name))))
			} else if err := f.log.Archive.Delete(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			r, err := f.verify()
			f.names(name, c.index, err)
			if len(r.Damaged) != 1 || !strings.Contains(r.Damaged[0], name) {
				t.Errorf("damaged: %q", r.Damaged)
			}
			_, err = store.Audit(t.Context(), archive.New(f.log).Through(), audit.Config{Keys: []string{f.key}})
			if c.object == "00000000/segment.json" { // nothing says that there is an archive
				if _, ok := errors.AsType[*audit.MismatchError](err); !ok {
					t.Errorf("audit: %v", err)
				}
				return
			}
			f.names(name, c.index, err)
		})
	}
}

// names: an error names a damaged object and the first index concerned.
func (f *fixture) names(object string, index uint64, err error) {
	f.Helper()
	d, ok := errors.AsType[*archive.DamagedError](err)
	m, is := errors.AsType[*audit.MismatchError](err)
	if !ok || !is || d.Object != object || m.Index != index || !strings.Contains(m.Error(), object) {
		f.Errorf("%v, want object %s and index %d", err, object, index)
	}
}

// TestLies: objects that agree with each other, and not with the log, are found by the chain and the checkpoints.
func TestLies(t *testing.T) {
	f := memory(t)
	f.seal(f.log, 900)
	f.well(f.archive(10))
	other := memory(t)
	other.seal(other.log, 900)
	other.well(other.archive(10))
	for name := range f.objects(1) {
		f.put(name, other.object(name))
	}
	if _, err := f.verify(); err == nil {
		t.Error("a segment of another log was taken")
	} else if _, ok := errors.AsType[*audit.MismatchError](err); !ok {
		t.Error(err)
	}
}

// TestDamagedBeforeTrim: what does not come back from the object store as it was written is not trimmed behind.
func TestDamagedBeforeTrim(t *testing.T) {
	f := memory(t)
	f.seal(f.log, 900)
	f.log.Archive = &mangling{f.log.Archive}
	s := f.archive(10)
	if d, ok := errors.AsType[*archive.DamagedError](s.Err); !ok || !strings.Contains(d.Object, ".zst") {
		t.Fatal(s.Err)
	}
	if info, err := f.log.Sealed.Info(t.Context()); err != nil || info.First != 1 {
		t.Fatalf("trimmed to %d, %v", info.First, err)
	}
}

// mangling loses a bit of each object of messages.
type mangling struct{ store.Objects }

func (m *mangling) Put(ctx context.Context, name string, r io.Reader) error {
	b, err := io.ReadAll(r)
	if err == nil && strings.HasSuffix(name, "sealed.zst") {
		b[len(b)/3] ^= 4
	}
	return errors.Join(err, m.Objects.Put(ctx, name, bytes.NewReader(b)))
}

// TestRestartTrims: an archiver that is told to trim what another has archived compares it first.
func TestRestartTrims(t *testing.T) {
	f := memory(t)
	f.seal(f.log, 900)
	f.well(f.archive(0))
	b := f.object("default/00000001/sealed.zst")
	b = append([]byte(nil), b...)
	b[100] ^= 1
	good := f.object("default/00000001/sealed.zst")
	f.put("default/00000001/sealed.zst", b)
	if s := f.archive(100); s.Err == nil {
		t.Fatal("trimmed behind a damaged segment")
	}
	if info, _ := f.log.Sealed.Info(t.Context()); info.First != 1 {
		t.Fatalf("trimmed to %d", info.First)
	}
	f.put("default/00000001/sealed.zst", good)
	f.well(f.archive(100))
	if info, _ := f.log.Sealed.Info(t.Context()); info.First < 10 {
		t.Fatalf("trimmed to %d", info.First)
	}
	if _, err := f.verify(); err != nil {
		t.Fatal(err)
	}
}

// TestVoid: void messages are archived as they are, at the place where they stand, and are void to whoever reads them.
func TestVoid(t *testing.T) {
	f := memory(t)
	f.seal(f.log, 100)
	f.void(entry.Message{
		Subject: "audit.default.sealed", Data: []byte("nothing\n"), Header: entry.Header{"A": {"1", "2"}, "B": {""}},
	})
	first, err := f.log.Sealed.Get(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	f.void(first)
	f.seal(f.log, 500)
	// A message that a losing sealer wrote: it names payloads that are not there.
	last, err := f.log.Sealed.Last(t.Context(), "audit.default.sealed")
	if err != nil {
		t.Fatal(err)
	}
	last.Header = maps.Clone(last.Header)
	last.Header["Sealstream-Payloads"] = []string{"9999"}
	f.void(last)
	f.seal(f.log, 600)
	want := f.messages(f.log)
	f.well(f.archive(50))
	got := f.messages(archive.New(f.log).Through())
	for i := range want {
		if !bytes.Equal(got[i].Data, want[i].Data) || fmt.Sprint(got[i].Header) != fmt.Sprint(want[i].Header) ||
			!got[i].Time.Equal(want[i].Time) {
			t.Fatalf("sequence %d: %+v, want %+v", want[i].Seq, got[i], want[i])
		}
	}
	r, err := f.verify()
	if err != nil || len(r.Audit.Void) != 3 {
		t.Fatalf("%+v, %v", r, err)
	}
	f.seal(archive.New(f.log).Through(), 300) // and more of them behind the archive
	f.void(first)
	f.seal(archive.New(f.log).Through(), 300)
	f.well(f.archive(50))
	if r, err := f.verify(); err != nil || len(r.Audit.Void) != 4 {
		t.Fatalf("%+v, %v", r, err)
	}
}

func (f *fixture) void(m entry.Message) {
	f.Helper()
	if _, err := f.log.Sealed.Append(f.Context(), m, nil); err != nil {
		f.Fatal(err)
	}
}

// TestRolledBack: an archiver does not go on behind a SEALED that was put back.
func TestRolledBack(t *testing.T) {
	f := memory(t)
	f.seal(f.log, 900)
	list := f.messages(f.log)
	f.well(f.archive(0))
	f.log.Sealed = store.NewMemoryStreamOf(list[0].Time, list[:5])
	if m, ok := errors.AsType[*audit.MismatchError](f.archive(0).Err); !ok || m.What != "cut" {
		t.Fatal(m)
	}
}

// TestErasure: erased data leaves the archive, whether it was erased before it was archived or
// after, and nothing else does.
func TestErasure(t *testing.T) {
	both(t, func(f *fixture) {
		f.seal(f.log, 200)
		f.erase(f.log, 7, 8) // before
		f.seal(f.log, 500)
		f.well(f.archive(0))
		f.erase(f.log, 9, 17, 18, 400) // after
		f.seal(f.log, 400)
		f.well(f.archive(0))
		list, err := archive.New(f.log).List(f.Context())
		if err != nil {
			f.Fatal(err)
		}
		if list.Segments[0].Erased != 5 || list.Segments[1].Erased != 1 {
			f.Fatalf("%d and %d erased", list.Segments[0].Erased, list.Segments[1].Erased)
		}
		for n := range uint64(2) {
			if name := fmt.Sprintf("default/%08d/payloads-", n); f.has(name+"0.zst") || !f.has(name+"1.zst") ||
				f.has(name+"2.zst") {
				f.Fatalf("segment %d: the object that held erased data is there still, or the new one is not", n)
			}
		}
		content := string(unzstd(f.T, f.object("default/00000000/payloads-1.zst")))
		for index := uint64(1); index <= 200; index++ { // the index of event n is n+1
			erased := index == 7 || index == 8 || index == 9 || index == 17 || index == 18
			if is := strings.Contains(content, fmt.Sprintf(`\"n\":%d,`, index-1)); is == (erased || (index-1)%5 == 0) {
				f.Fatalf("data of index %d is there: %v", index, is)
			}
		}
		f.well(f.archive(0)) // comes to the same erasures again
		if r, err := f.verify(); err != nil || r.Audit.Erased != 6 {
			f.Fatalf("%+v, %v", r.Audit, err)
		}
		f.well(f.archive(10))
		if r, err := store.Audit(f.Context(), archive.New(f.log).Through(),
			audit.Config{Keys: []string{f.key}}); err != nil || r.Erased != 6 {
			f.Fatalf("%d erased, %v", r.Erased, err)
		}
	})
}

// TestErasedElsewhere: a process that has read data does not keep it for long after another one has erased it.
func TestErasedElsewhere(t *testing.T) {
	f := memory(t)
	f.seal(f.log, 900)
	f.well(f.archive(10))
	reader := archive.New(f.log).KeepFor(10 * time.Millisecond).Through()
	at, err := store.FindBatch(f.Context(), reader, 7)
	if err != nil {
		t.Fatal(err)
	}
	has := func() bool {
		body, err := store.PayloadMessage(f.Context(), reader, at.Batch.Payloads)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Contains(body, []byte(`\"n\":6,`))
	}
	if !has() {
		t.Fatal("the data is not there before it is erased")
	}
	through := archive.New(f.log).Through() // SEALED is trimmed
	f.erase(through, 7)
	f.seal(through, 400)
	f.well(f.archive(0))
	for deadline := time.Now().Add(20 * time.Second); has(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("erased data is shown still")
		}
	}
}

func unzstd(t testing.TB, b []byte) []byte {
	t.Helper()
	raw, err := archive.Unpack(b)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestErasedForGood erases for good, with the bytes gone from PAYLOADS before the archiver comes:
// what it cannot read then is no damage.
func TestErasedForGood(t *testing.T) {
	both(t, func(f *fixture) {
		f.seal(f.log, 200)
		f.rewrite(7, 8)
		f.erase(f.log, 7, 8)
		f.seal(f.log, 500)
		f.well(f.archive(0))
		f.rewrite(9)
		f.erase(f.log, 9)
		f.seal(f.log, 300)
		f.well(f.archive(0))
		f.well(f.archive(10)) // and trims
		if r, err := store.Audit(f.Context(), archive.New(f.log).Through(),
			audit.Config{Keys: []string{f.key}}); err != nil || r.Erased != 3 {
			f.Fatalf("%d erased, %v", r.Erased, err)
		}
	})
}

// rewrite takes data out of PAYLOADS: the message is published anew without it, and the old one overwritten.
func (f *fixture) rewrite(indexes ...uint64) {
	f.Helper()
	for _, index := range indexes {
		at, err := store.FindBatch(f.Context(), f.log, index)
		if err != nil {
			f.Fatal(err)
		}
		seq := at.Batch.Payloads
		subject := fmt.Sprintf("audit.default.payloads.%d", seq)
		old, err := f.log.Payloads.Last(f.Context(), subject)
		if errors.Is(err, store.ErrNotFound) {
			old, err = f.log.Payloads.Get(f.Context(), seq)
		}
		if err != nil {
			f.Fatal(err)
		}
		var body []byte
		for line := range strings.Lines(string(old.Data)) {
			p, err := entry.ParsePayload([]byte(strings.TrimSuffix(line, "\n")))
			if err != nil {
				f.Fatal(err)
			}
			if p.Index != index {
				body = append(body, line...)
			}
		}
		if _, err := f.log.Payloads.Append(f.Context(), entry.Message{Subject: subject, Data: body}, nil); err != nil {
			f.Fatal(err)
		}
		if err := f.log.Payloads.(store.Purger).SecureDelete(f.Context(), old.Seq); err != nil {
			f.Fatal(err)
		}
	}
}
