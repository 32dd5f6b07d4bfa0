package sealer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// stopping ends a sealer after some messages on SEALED: as a crash right after a commit does.
type stopping struct {
	store.Stream
	left int
	stop func()
}

func (s *stopping) Append(ctx context.Context, m entry.Message, expectLast *uint64) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	seq, err := s.Stream.Append(ctx, m, expectLast)
	if s.left--; s.left <= 0 {
		s.stop()
	}
	return seq, err
}

// sealSome runs a sealer until it has written n messages to SEALED, or has nothing more to do; it
// says whether it wrote them.
func (f *fixture) sealSome(n int, change ...func(*Config)) bool {
	f.t.Helper()
	ctx, cancel := context.WithCancel(f.t.Context())
	defer cancel()
	log := *f.log
	sealed := &stopping{f.log.Sealed, n, cancel}
	log.Sealed = sealed
	cfg := f.cfg
	cfg.Log = &log
	for _, c := range change {
		c(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	time.Sleep(10 * time.Second)
	cancel()
	if err := <-ended; err != nil {
		f.t.Fatalf("seal: %v", err)
	}
	return sealed.left <= 0
}

// TestRestartAtEveryBatch: a log that is sealed by a new sealer for every batch, each with limits
// of its own, is the log that one sealer makes.
func TestRestartAtEveryBatch(t *testing.T) {
	for step := 1; step <= 7; step++ {
		t.Run(fmt.Sprint(step), func(t *testing.T) {
			onLog(t, func(t *testing.T, f *fixture) {
				want := len(everything(f))
				runs := 0
				for ; f.sealSome(1, entriesOf(1+runs*step%7)); runs++ {
					f.audit()
				}
				if r := f.audit(); int(r.Size) != want || int(r.Batches) != runs {
					t.Fatalf("%d entries in %d batches after %d runs, want %d entries", r.Size, r.Batches, runs, want)
				}
				f.again(256)
			})
		})
	}
}

// TestRestartKnowsTheWindow: what was sealed before a restart is still recognised, in a log that is
// longer than window and slack together.
func TestRestartKnowsTheWindow(t *testing.T) {
	onLog(t, func(t *testing.T, f *fixture) {
		small := func(c *Config) { c.window, c.slack = 20, 40 }
		own := tokenSubject("did:a")
		for i := range 100 {
			f.publish(own, event(fmt.Sprint(i), "1"))
		}
		f.mustSeal(small, entriesOf(3))
		f.publish(own, event("99", "1"))
		f.publish(own, event("81", "1")) // index 82, of 102: the oldest in the window
		f.publish(own, event("81", "1")) // of 103
		f.mustSeal(small, entriesOf(3))
		list := f.entries()
		if got := []string{line(list[101]), line(list[102]), line(list[103])}; fmt.Sprint(got) !=
			"[duplicate 102/1 0=#100 duplicate 103/1 0=#82 tool_invocation 104/0 81]" {
			t.Fatalf("after the restart: %v", got)
		}
		s, err := New(Config{Log: f.log, Signer: testSigner, Secret: testSecret, window: 20, slack: 40})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.open(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s.tail.fromFirst || s.tail.window.low == 0 {
			t.Fatal("the log was walked from its begin")
		}
		f.audit()
	})
}

// TestVoidBehindTheBegin: if the batch that a start begins with is a void one, signed but not of
// the log, the whole log is walked.
func TestVoidBehindTheBegin(t *testing.T) {
	for at := uint64(2); at < 40; at += 3 {
		onLog(t, func(t *testing.T, f *fixture) {
			small := func(c *Config) { c.window, c.slack = 20, 40 }
			own := tokenSubject("did:a")
			for i := range 120 {
				f.publish(own, event(fmt.Sprint(i), "1"))
				if i%40 == 39 {
					f.mustSeal(small, entriesOf(3))
					m, err := f.log.Sealed.Get(t.Context(), at%14+1)
					if err != nil {
						t.Fatal(err)
					}
					for range 1 + i%3 { // the same batch again, somewhere behind
						if _, err := f.log.Sealed.Append(t.Context(), m, nil); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			f.publish(own, event("119", "1"))
			f.mustSeal(small)
			list := f.entries()
			if got := line(list[len(list)-1]); len(list) != 122 || got != "duplicate 122/1 0=#120" {
				t.Fatalf("%d entries, the last is %s", len(list), got)
			}
			if r := f.audit(); len(r.Void) == 0 {
				t.Fatal("no message was void")
			}
		})
	}
}

// TestVoidNamesAnySize: what a void newest message says of its size sends no start astray.
func TestVoidNamesAnySize(t *testing.T) {
	for _, size := range []string{"1", "60", "120", "150", "1000000"} {
		onLog(t, func(t *testing.T, f *fixture) {
			small := func(c *Config) { c.window, c.slack = 20, 40 }
			own := tokenSubject("did:a")
			for i := range 120 {
				f.publish(own, event(fmt.Sprint(i), "1"))
			}
			f.mustSeal(small, entriesOf(3))
			m, err := f.log.Sealed.Get(t.Context(), 5)
			if err != nil {
				t.Fatal(err)
			}
			h := entry.Header{}
			for name, v := range m.Header {
				h[name] = v
			}
			var n uint64
			fmt.Sscan(size, &n)
			h["Sealstream-Size"], h["Sealstream-First"], h["Sealstream-Count"] = []string{size},
				[]string{fmt.Sprint(n - min(n, 3))}, []string{fmt.Sprint(min(n, 3))}
			if n < 3 {
				m.Data = append(m.Data[:0:0], m.Data[:1+indexByte(m.Data, '\n')]...)
			}
			m.Header = h
			if _, err := f.log.Sealed.Append(t.Context(), m, nil); err != nil {
				t.Fatal(err)
			}
			f.publish(own, event("119", "1"))
			f.publish(own, event("x", "1"))
			f.mustSeal(small)
			if list := f.entries(); line(list[121]) != "duplicate 122/1 0=#120" ||
				line(list[122]) != "tool_invocation 123/0 x" {
				t.Fatalf("size %s: %s", size, line(list[len(list)-1]))
			}
			if r := f.audit(); len(r.Void) != 1 {
				t.Fatalf("void: %v", r.Void)
			}
		})
	}
}

func indexByte(b []byte, c byte) int {
	for i := range b {
		if b[i] == c {
			return i
		}
	}
	return -1
}

// truncated is what is left of a stream whose broker has lost its newest messages.
func truncated(t *testing.T, s store.Stream, last uint64) *store.MemoryStream {
	t.Helper()
	info, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var kept []entry.Message
	for _, m := range stored(t, s) {
		if m.Seq <= last {
			kept = append(kept, m)
		}
	}
	return store.NewMemoryStreamOf(info.Created, kept)
}

// TestRolledBack: a sealer whose host has seen a checkpoint refuses a SEALED that ends before it,
// or that has another root there; one that has seen none seals the same bytes again.
func TestRolledBack(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.cfg.Mark = filepath.Join(t.TempDir(), "mark")
		if err := Create(t.Context(), f.cfg, true); err != nil {
			t.Fatal(err)
		}
		everything(f)
		f.mustSeal(entriesOf(2))
		full, whole := f.audit(), f.log.Sealed
		note, err := os.ReadFile(f.cfg.Mark)
		if err != nil {
			t.Fatal(err)
		}
		if c, err := proof.OpenCheckpoint(note, testSigner.VerifierKey()); err != nil || c.Size != full.Size ||
			c.Root != full.Root {
			t.Fatalf("mark of size %d: %v", c.Size, err)
		}
		for last := uint64(0); last < full.Batches; last++ {
			f.log.Sealed = truncated(t, whole, last)
			if err := f.seal(); !errors.Is(err, ErrRolledBack) {
				t.Fatalf("SEALED ends at sequence %d: %v", last, err)
			}
			if info, _ := f.log.Sealed.Info(t.Context()); info.Last != last {
				t.Fatalf("SEALED ends at sequence %d: it was written to", last)
			}
		}
		f.log.Sealed = truncated(t, whole, 3)
		f.cfg.Mark = ""
		f.mustSeal(entriesOf(5))
		if r := f.audit(proof.Checkpoint{Size: full.Size, Root: full.Root}); r.Root != full.Root {
			t.Fatal("sealed to other bytes")
		}
	})
}

// TestOtherHistory: a log that goes further than the mark, but not through it, is refused.
func TestOtherHistory(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.cfg.Mark = filepath.Join(t.TempDir(), "mark")
		if err := Create(t.Context(), f.cfg, true); err != nil {
			t.Fatal(err)
		}
		f.publish(tokenSubject("did:a"), event("1", "1"))
		f.mustSeal()
		other := &fixture{t: t, log: store.NewMemory(testLog), cfg: f.cfg}
		other.cfg.Log, other.cfg.Mark = other.log, ""
		if err := Create(t.Context(), other.cfg, true); err != nil {
			t.Fatal(err)
		}
		for i := range 9 {
			other.publish(tokenSubject("did:a"), event(fmt.Sprint("o", i), "1"))
		}
		other.mustSeal(entriesOf(4))
		other.cfg.Mark = f.cfg.Mark
		if err := other.seal(); !errors.Is(err, ErrRolledBack) {
			t.Fatalf("another log than the mark's: %v", err)
		}
	})
}

// TestMarkIsDamaged: a mark that does not verify is not taken for none.
func TestMarkIsDamaged(t *testing.T) {
	onLog(t, func(t *testing.T, f *fixture) {
		f.cfg.Mark = filepath.Join(t.TempDir(), "mark")
		if err := os.WriteFile(f.cfg.Mark, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := f.seal(); !errors.Is(err, ErrRefused) {
			t.Fatalf("damaged mark: %v", err)
		}
	})
}
