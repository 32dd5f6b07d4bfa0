package sealer

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// snapshotFixture is a log of n events, sealed by a sealer with a short window that keeps a mark and
// a snapshot.
type snapshotFixture struct {
	*fixture
	said   *linesSaid
	events int
}

func onSnapshot(t *testing.T, n int, test func(t *testing.T, f *snapshotFixture)) {
	t.Helper()
	inBubble(t, func(t *testing.T, f *fixture) {
		s := &snapshotFixture{fixture: f, said: &linesSaid{}}
		dir := t.TempDir()
		f.cfg.Mark, f.cfg.Snapshot = filepath.Join(dir, "checkpoint"), filepath.Join(dir, "snapshot")
		f.cfg.window, f.cfg.slack, f.cfg.pieceSize, f.cfg.MaxEntries = 20, 40, 8, 3
		f.cfg.Logger = slog.New(s.said)
		if err := Create(t.Context(), f.cfg, true); err != nil {
			t.Fatal(err)
		}
		s.grow(n)
		test(t, s)
	})
}

// grow publishes n more events and seals them.
func (f *snapshotFixture) grow(n int) {
	f.t.Helper()
	for range n {
		f.publish(tokenSubject("did:a"), event(fmt.Sprint(f.events), "1"))
		f.events++
	}
	f.mustSeal()
}

// restart publishes what was sealed 12 events before, which the window must recognise, and something
// new. It restarts the sealer for them.
func (f *snapshotFixture) restart() {
	f.t.Helper()
	before := len(f.entries())
	f.said.lines = nil
	own := tokenSubject("did:a")
	f.publish(own, event(fmt.Sprint(f.events-12), "1"))
	f.publish(own, event(fmt.Sprint(f.events-12), "2"))
	f.grow(1)
	list := f.entries()[before:]
	var got []string
	for _, e := range list {
		got = append(got, strings.Fields(line(e))[0])
	}
	if want := "duplicate equivocation tool_invocation"; strings.Join(got, " ") != want {
		f.t.Fatalf("sealed after the restart: %q, want %s", got, want)
	}
	f.audit()
}

// expectRestored restarts from the snapshot.
func (f *snapshotFixture) expectRestored() {
	f.t.Helper()
	f.restart()
	if f.said.count(saysRestored) != 1 || f.said.count(saysRefused) != 0 {
		f.t.Fatalf("the snapshot was not used: %q", f.said.lines)
	}
}

// expectRefused restarts without it, and then once more: by then there is a new one.
func (f *snapshotFixture) expectRefused(why string) {
	f.t.Helper()
	f.restart()
	if f.said.count(saysRestored) != 0 || f.said.count(saysRefused) != 1 {
		f.t.Fatalf("the snapshot was used, or refused more than once: %q", f.said.lines)
	}
	if !slices.ContainsFunc(f.said.lines, func(s string) bool { return strings.Contains(s, why) }) {
		f.t.Fatalf("refused for another reason than %q: %q", why, f.said.lines)
	}
	f.grow(70)
	f.expectRestored()
}

func (f *snapshotFixture) folder() snapshotFolder { return snapshotFolder(f.cfg.Snapshot) }

// files are the files of the snapshot.
func (f *snapshotFixture) files() map[string][]byte {
	f.t.Helper()
	names, err := f.folder().list()
	if err != nil {
		f.t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, name := range names {
		if files[name], err = f.folder().read(name); err != nil {
			f.t.Fatal(err)
		}
	}
	return files
}

// put replaces the files of the snapshot.
func (f *snapshotFixture) put(files map[string][]byte) {
	f.t.Helper()
	if err := os.RemoveAll(f.cfg.Snapshot); err != nil {
		f.t.Fatal(err)
	}
	for name, content := range files {
		if err := f.folder().write(name, content); err != nil {
			f.t.Fatal(err)
		}
	}
}

// rewrite changes the head and makes all MACs anew, as somebody could who has the secret.
func (f *snapshotFixture) rewrite(secret []byte, change func(*snapshot)) {
	f.t.Helper()
	files := f.files()
	h, err := parseSnapshot(files[headFile], newSnapshotKey(f.cfg.Secret))
	if err != nil {
		f.t.Fatal(err)
	}
	contents := make([][]byte, len(h.Pieces))
	for i, q := range h.Pieces {
		contents[i] = files[q.file()]
	}
	change(h)
	key, files := newSnapshotKey(secret), map[string][]byte{}
	for i := range h.Pieces {
		h.Pieces[i].MAC = key.pieceMAC(h.Origin, h.Pieces[i], contents[i])
		files[h.Pieces[i].file()] = contents[i]
	}
	if files[headFile], err = h.format(key); err != nil {
		f.t.Fatal(err)
	}
	f.put(files)
}

// TestSnapshot: a start from a snapshot reads only what is behind it, and seals as any other.
func TestSnapshot(t *testing.T) {
	for _, n := range []int{15, 30, 100, 103, 260} {
		onSnapshot(t, n, func(t *testing.T, f *snapshotFixture) {
			for range 4 {
				f.expectRestored()
				f.grow(n % 13)
			}
			full := uint64(len(f.entries()))
			s, err := New(f.cfg)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.open(t.Context()); err != nil {
				t.Fatal(err)
			}
			if s.snapshots.size+f.cfg.pieceSize+f.cfg.slack/2 < full {
				t.Fatalf("the snapshot has size %d, the log %d", s.snapshots.size, full)
			}
			if n := len(f.files()); n > 12 {
				t.Fatalf("%d files for a window of 20", n)
			}
			f.again(256)
		})
	}
}

// TestRestartAtEveryBatchWithSnapshots: a log that is sealed by a new sealer for every batch, from
// snapshots in the middle of messages too, is the log that one sealer makes.
func TestRestartAtEveryBatchWithSnapshots(t *testing.T) {
	for step := 1; step <= 5; step += 2 {
		inBubble(t, func(t *testing.T, f *fixture) {
			dir, said := t.TempDir(), &linesSaid{}
			f.cfg.Mark, f.cfg.Snapshot = filepath.Join(dir, "checkpoint"), filepath.Join(dir, "snapshot")
			f.cfg.pieceSize, f.cfg.Logger = 3, slog.New(said)
			if err := Create(t.Context(), f.cfg, true); err != nil {
				t.Fatal(err)
			}
			want := len(everything(f))
			runs := 0
			one := func(c *Config) {
				c.Log.Sealed = &onlyOne{Stream: f.log.Sealed}
				c.MaxEntries = 1 + runs*step%7
			}
			for size := uint64(0); ; runs++ {
				f.sealSome(1<<20, one)
				now := f.audit().Size
				if now == size {
					break
				}
				size = now
			}
			if r := f.audit(); int(r.Size) != want {
				t.Fatalf("%d entries after %d runs, want %d", r.Size, runs, want)
			}
			if n := said.count(saysRestored); n < runs/2 || said.count(saysRefused) > 0 {
				t.Fatalf("%d of %d starts were from a snapshot: %q", n, runs, said.lines)
			}
			f.again(256)
		})
	}
}

// onlyOne takes one message, and then no more while a sealer runs: its duties have time.
type onlyOne struct {
	store.Stream
	taken bool
}

func (s *onlyOne) Append(ctx context.Context, m entry.Message, expectLast *uint64) (uint64, error) {
	if s.taken {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	s.taken = true
	return s.Stream.Append(ctx, m, expectLast)
}

// TestSnapshotWithoutMark: without the newest checkpoint seen, no snapshot counts.
func TestSnapshotWithoutMark(t *testing.T) {
	onSnapshot(t, 100, func(t *testing.T, f *snapshotFixture) {
		if err := os.Remove(f.cfg.Mark); err != nil {
			t.Fatal(err)
		}
		f.expectRefused("beyond the newest checkpoint seen")
	})
	if _, err := New(Config{
		Log: store.NewMemory(testLog), Signer: testSigner, Secret: testSecret, Snapshot: t.TempDir(),
	}); err == nil {
		t.Error("a snapshot without a mark is accepted")
	}
}

// TestSpoiltSnapshot: a snapshot that is not exactly this log's, whole and old enough, is never
// used. Whoever has the log secret may make MACs; even then it must fit the log.
func TestSpoiltSnapshot(t *testing.T) {
	other := []byte(strings.Repeat("o", 32))
	same := func(*snapshot) {}
	for _, c := range []struct {
		name, why string
		spoil     func(f *snapshotFixture)
	}{
		{"another MAC key", "MAC of its head", func(f *snapshotFixture) { f.rewrite(other, same) }},
		{"another rules number", "of rules", func(f *snapshotFixture) {
			f.rewrite(testSecret, func(h *snapshot) { h.Rules++ })
		}},
		{"another origin", "of test.example/test/other", func(f *snapshotFixture) {
			f.rewrite(testSecret, func(h *snapshot) { h.Origin = "test.example/test/other" })
		}},
		{"another window", "with a window of", func(f *snapshotFixture) {
			f.rewrite(testSecret, func(h *snapshot) { h.Window++ })
		}},
		{"another root than the mark", "another root of size", func(f *snapshotFixture) {
			f.rewrite(testSecret, func(h *snapshot) { h.Root[0] ^= 1 })
		}},
		{"another root before the mark", "is not its batch", func(f *snapshotFixture) {
			f.grow(3)
			for f.head(f.files()).Size == uint64(len(f.entries())) { // a snapshot of just then
				f.grow(1)
			}
			f.rewrite(testSecret, func(h *snapshot) { h.Root[0] ^= 1 })
		}},
		{"another last leaf", "is not its batch", func(f *snapshotFixture) {
			f.rewrite(testSecret, func(h *snapshot) { h.Last[0] ^= 1 })
		}},
		{"another batch", "is not its batch", func(f *snapshotFixture) {
			f.rewrite(testSecret, func(h *snapshot) { h.Sealed-- })
		}},
		{"no such batch", "SEALED has no sequence", func(f *snapshotFixture) {
			f.rewrite(testSecret, func(h *snapshot) { h.Sealed += 1000 })
		}},
		{"another input position", "is not its batch", func(f *snapshotFixture) {
			f.rewrite(testSecret, func(h *snapshot) { h.Batch["Sealstream-Input"] = []string{"1 2 end"} })
		}},
		{"leaves of a message that is whole", "its leaves", func(f *snapshotFixture) {
			f.rewrite(testSecret, func(h *snapshot) { h.Partial = [][]byte{{}} })
		}},
		{"a piece too few", "reach back", func(f *snapshotFixture) {
			f.rewrite(testSecret, func(h *snapshot) { h.Pieces = h.Pieces[len(h.Pieces)-1:] })
		}},
		{"no last piece", "pieces end at", func(f *snapshotFixture) {
			f.rewrite(testSecret, func(h *snapshot) { h.Pieces = h.Pieces[:len(h.Pieces)-1] })
		}},
		{"pieces in another order", "out of place", func(f *snapshotFixture) {
			f.rewrite(testSecret, func(h *snapshot) { h.Pieces[1], h.Pieces[2] = h.Pieces[2], h.Pieces[1] })
		}},
		{"config of nothing", "config cannot be read", func(f *snapshotFixture) {
			f.rewrite(testSecret, func(h *snapshot) { h.Config = []byte("{}") })
		}},
		{"another format", "another format", func(f *snapshotFixture) {
			files := f.files()
			files[headFile][len("sealstream snapshot ")]++
			f.put(files)
		}},
		{"empty head", "another format", func(f *snapshotFixture) {
			files := f.files()
			files[headFile] = nil
			f.put(files)
		}},
		{"too new", "beyond the newest checkpoint seen", func(f *snapshotFixture) {
			mark, err := os.ReadFile(f.cfg.Mark)
			if err != nil {
				f.t.Fatal(err)
			}
			f.grow(40)
			if err := os.WriteFile(f.cfg.Mark, mark, 0o600); err != nil {
				f.t.Fatal(err)
			}
		}},
		{"stale", "but the log ends with size", func(f *snapshotFixture) {
			old := f.files()
			f.grow(70)
			f.put(old)
		}},
		{"pieces of an older one", "cut, damaged or another's", func(f *snapshotFixture) {
			old := f.files()
			f.grow(9)
			files := f.files()
			h := f.head(files)
			for i, q := range f.head(old).Pieces { // under the names that the head wants
				files[h.Pieces[i].file()] = old[q.file()]
			}
			f.put(files)
		}},
		{"head of an older one", "no such file", func(f *snapshotFixture) {
			old := f.files()[headFile]
			f.grow(9)
			files := f.files()
			files[headFile] = old
			f.put(files)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			onSnapshot(t, 100, func(t *testing.T, f *snapshotFixture) {
				c.spoil(f)
				f.expectRefused(c.why)
			})
		})
	}
}

func (f *snapshotFixture) head(files map[string][]byte) *snapshot {
	f.t.Helper()
	h, err := parseSnapshot(files[headFile], newSnapshotKey(f.cfg.Secret))
	if err != nil {
		f.t.Fatal(err)
	}
	return h
}

// TestDamagedSnapshot flips a byte of, cuts, empties and removes each file, in turn.
func TestDamagedSnapshot(t *testing.T) {
	onSnapshot(t, 100, func(t *testing.T, f *snapshotFixture) {
		names := slices.Sorted(maps.Keys(f.files()))
		if len(names) < 6 {
			t.Fatalf("the snapshot has the files %q", names)
		}
		damages := map[string]func([]byte) []byte{
			"flipped at its begin": func(b []byte) []byte { b[0] ^= 0x80; return b },
			"flipped inside":       func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
			"flipped at its end":   func(b []byte) []byte { b[len(b)-1] ^= 4; return b },
			"cut":                  func(b []byte) []byte { return b[:len(b)-1] },
			"longer":               func(b []byte) []byte { return append(b, make([]byte, recordBytes)...) },
			"empty":                func([]byte) []byte { return []byte{} },
			"removed":              func([]byte) []byte { return nil },
		}
		whole := f.files()
		for _, name := range names {
			for how, damage := range damages {
				files := maps.Clone(whole)
				if files[name] = damage(slices.Clone(whole[name])); files[name] == nil {
					delete(files, name)
				}
				f.put(files)
				f.said.lines = nil
				s, err := New(f.cfg)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := s.open(t.Context()); err != nil {
					t.Fatalf("%s %s: %v", name, how, err)
				}
				want := 1
				if name == headFile && how == "removed" {
					want = 0 // there is none: that needs no line
				}
				if f.said.count(saysRestored) != 0 || f.said.count(saysRefused) != want {
					t.Fatalf("%s %s: %q", name, how, f.said.lines)
				}
			}
		}
		f.expectRefused("")
	})
}

// TestOlderSnapshot: an older snapshot of the same log, with its own pieces, is harmless.
func TestOlderSnapshot(t *testing.T) {
	onSnapshot(t, 100, func(t *testing.T, f *snapshotFixture) {
		old := f.files()
		f.grow(25)
		f.put(old)
		f.expectRestored()
		f.again(256)
	})
}

// TestSnapshotOfAnotherHistory: SEALED and the mark were restored from a copy, and the log has grown
// in another way. The snapshot of the first way does not count, at the same size and sequence too.
func TestSnapshotOfAnotherHistory(t *testing.T) {
	onSnapshot(t, 60, func(t *testing.T, f *snapshotFixture) {
		mark, err := os.ReadFile(f.cfg.Mark)
		if err != nil {
			t.Fatal(err)
		}
		info, err := f.log.Events.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		events, sealed, payloads := stored(t, f.log.Events), stored(t, f.log.Sealed), stored(t, f.log.Payloads)
		f.grow(40)
		first := f.files()
		f.log.Events = store.NewMemoryStreamOf(info.Created, events)
		f.log.Sealed = store.NewMemoryStreamOf(info.Created, sealed)
		f.log.Payloads = store.NewMemoryStreamOf(info.Created, payloads)
		empty := store.NewMemory(testLog)
		f.log.Head, f.log.Cursors = empty.Head, empty.Cursors
		if err := os.WriteFile(f.cfg.Mark, mark, 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour) // the second way has other times
		f.events -= 40
		f.grow(44)
		f.put(first)
		f.expectRefused("is not its batch")
	})
}

// TestSnapshotOfAnotherLog: what another log has made does not count, under the same secret too.
func TestSnapshotOfAnotherLog(t *testing.T) {
	for _, same := range []bool{false, true} {
		onSnapshot(t, 100, func(t *testing.T, f *snapshotFixture) {
			other := &snapshotFixture{fixture: &fixture{t: t, log: store.NewMemory(testLog), cfg: f.cfg}, said: &linesSaid{}}
			dir, why := t.TempDir(), "MAC of its head"
			other.cfg.Log, other.cfg.Signer, other.cfg.Logger = other.log, signerOf(7), slog.New(other.said)
			other.cfg.Mark, other.cfg.Snapshot = filepath.Join(dir, "checkpoint"), filepath.Join(dir, "snapshot")
			if same {
				why = "of test.example/test/"
			} else {
				other.cfg.Secret = []byte(strings.Repeat("o", 32))
			}
			if err := Create(t.Context(), other.cfg, true); err != nil {
				t.Fatal(err)
			}
			other.grow(100)
			f.put(other.files())
			f.expectRefused(why)
		})
	}
}

// TestAlteredBatchBehindASnapshot: somebody who can write to SEALED, but has no key, changes what no
// signature covers in the batch at which a start from the snapshot begins. The start must not take
// it, although no batch follows that would show it.
func TestAlteredBatchBehindASnapshot(t *testing.T) {
	change := func(name, value string) func(*entry.Message) {
		return func(m *entry.Message) {
			m.Header = maps.Clone(m.Header)
			m.Header["Sealstream-"+name] = []string{value}
		}
	}
	for name, alter := range map[string]func(*entry.Message){
		"input":        change("Input", "1 103 end"),
		"input digest": change("Input-Digest", strings.Repeat("0", 64)),
		"payloads":     change("Payloads", "1"),
		"config":       change("Config", "1"),
		"last leaf": func(m *entry.Message) {
			const name = `"previous_hash":"`
			m.Data = slices.Clone(m.Data)
			m.Data[strings.LastIndex(string(m.Data), name)+len(name)] ^= 1 // another hexadecimal digit
		},
	} {
		t.Run(name, func(t *testing.T) {
			onSnapshot(t, 100, func(t *testing.T, f *snapshotFixture) {
				info, err := f.log.Sealed.Info(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				list := stored(t, f.log.Sealed)
				at := f.head(f.files()).Sealed
				f.log.Sealed = store.NewMemoryStreamOf(info.Created, list[:at])
				mark := f.head(f.files()).Batch.Get("Sealstream-Checkpoint")
				note, err := base64.StdEncoding.DecodeString(mark)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(f.cfg.Mark, note, 0o600); err != nil {
					t.Fatal(err)
				}
				whole := slices.Clone(list[:at])
				alter(&whole[at-1])
				f.log.Sealed = store.NewMemoryStreamOf(info.Created, whole)
				f.said.lines = nil
				s, err := New(f.cfg)
				if err != nil {
					t.Fatal(err)
				}
				_, err = s.open(t.Context())
				if f.said.count(saysRestored) != 0 || f.said.count(saysRefused) != 1 {
					t.Fatalf("%v %q", err, f.said.lines)
				}
			})
		})
	}
}

// TestSnapshotAgainstVoidMessages: a void message behind the snapshot means that the log is read
// whole, as without one.
func TestSnapshotAgainstVoidMessages(t *testing.T) {
	onSnapshot(t, 100, func(t *testing.T, f *snapshotFixture) {
		m, err := f.log.Sealed.Get(t.Context(), 5)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.log.Sealed.Append(t.Context(), m, nil); err != nil {
			t.Fatal(err)
		}
		f.restart()
		if f.said.count(saysRefused) != 1 {
			t.Fatalf("%q", f.said.lines)
		}
		f.grow(30)
		f.expectRestored()
	})
}

// TestSnapshotAtFullSpeed: snapshots that are written while the sealer works as fast as it can hold
// the same window as the log itself.
func TestSnapshotAtFullSpeed(t *testing.T) {
	dir, said := t.TempDir(), &linesSaid{}
	log := store.NewMemory(testLog)
	cfg := Config{
		Log: log, Signer: testSigner, Secret: testSecret, Mark: filepath.Join(dir, "checkpoint"), KeepEvents: true,
		Snapshot: filepath.Join(dir, "snapshot"), window: 3000, slack: windowSlack, pieceSize: 500,
		Logger: slog.New(said),
	}
	if err := Create(t.Context(), cfg, true); err != nil {
		t.Fatal(err)
	}
	const rounds, most, groups = 4, 40, 16
	written := 0
	// A round can be over before a snapshot is due; the one before may then be stale.
	for round := 1; round <= rounds || written == 0 && round <= most; round++ {
		for range groups {
			if _, err := log.Events.Append(t.Context(), smallGroup(), nil); err != nil {
				t.Fatal(err)
			}
		}
		runUntil(t, cfg, uint64(1+round*groups*256))
		var windows [2][]byte
		for i := range windows {
			alone := cfg
			if i == 1 {
				alone.Snapshot = ""
			}
			s, err := New(alone)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.open(t.Context()); err != nil {
				t.Fatal(err)
			}
			size := s.tail.chain.Size()
			if i == 0 && s.tail.restore != nil {
				written++
			}
			first := size - min(size, cfg.window+cfg.slack/4)
			if windows[i], err = s.tail.window.appendRecords(nil, first, size); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(windows[0], windows[1]) {
			t.Fatalf("round %d: another window than the log's", round)
		}
	}
	if written == 0 {
		t.Fatalf("no snapshot was used: %q", said.lines)
	}
}

// runUntil seals until the log has a size, and stops at once.
func runUntil(t *testing.T, cfg Config, size uint64) {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	for s.Status().Size < size {
		select {
		case err := <-ended:
			t.Fatal(err)
		case <-time.After(time.Millisecond):
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

// TestSweepBehindASnapshot: a start from a snapshot of the log's end walks no batch. An orphan
// before it goes all the same.
func TestSweepBehindASnapshot(t *testing.T) {
	onSnapshot(t, 30, func(t *testing.T, f *snapshotFixture) {
		f.cfg.pieceSize = 1
		seq := f.orphan()
		log := *f.log
		log.Payloads = struct{ store.Stream }{f.log.Payloads} // from which nothing can be removed
		f.publish(tokenSubject("did:a"), event("new", "1"))
		f.mustSeal(func(c *Config) { c.Log = &log })
		f.said.lines = nil
		f.mustSeal()
		if f.said.count(saysRestored) != 1 || exists(t, f.log.Payloads, seq) {
			t.Fatalf("the orphan is there: %q", f.said.lines)
		}
	})
}

// TestSnapshotCannotBeWritten: what an error leaves is removed, and sealing goes on. The snapshot
// is written again when the cause is gone.
func TestSnapshotCannotBeWritten(t *testing.T) {
	onSnapshot(t, 30, func(t *testing.T, f *snapshotFixture) {
		head := filepath.Join(f.cfg.Snapshot, headFile)
		if err := os.Remove(head); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(head, "in the way"), 0o700); err != nil {
			t.Fatal(err)
		}
		for range 4 {
			f.grow(20)
			names, err := f.folder().list()
			if err != nil || len(names) != 1 {
				t.Fatalf("left: %q %v", names, err)
			}
		}
		if err := os.RemoveAll(head); err != nil {
			t.Fatal(err)
		}
		f.grow(20)
		f.expectRestored()
		f.again(256)
	})
}

// TestSnapshotRemovedMeanwhile: somebody removes the folder while the sealer runs. The second
// snapshot after that is whole again.
func TestSnapshotRemovedMeanwhile(t *testing.T) {
	onSnapshot(t, 60, func(t *testing.T, f *snapshotFixture) {
		s, err := New(f.cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		time.Sleep(10 * time.Second)
		if err := os.RemoveAll(f.cfg.Snapshot); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			for range 10 {
				f.publish(tokenSubject("did:a"), event(fmt.Sprint(f.events), "1"))
				f.events++
			}
			time.Sleep(10 * time.Second)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		f.expectRestored()
		f.again(256)
	})
}
