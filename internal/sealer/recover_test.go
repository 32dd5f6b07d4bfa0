package sealer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/draft"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/streams/subject"
)

// TestNotCreated: EVENTS that begins with anything but the log's config is sealed by nobody.
func TestNotCreated(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.publish(tokenSubject("did:a"), event("1", "1"))
		if err := f.seal(); !errors.Is(err, ErrNotCreated) {
			t.Fatalf("got %v", err)
		}
		if err := Create(t.Context(), f.cfg, true); err != nil { // too late
			t.Fatal(err)
		}
		if err := f.seal(); !errors.Is(err, ErrNotCreated) {
			t.Fatalf("got %v", err)
		}
	})
}

// TestCreateTwice: creating a log again does nothing.
func TestCreateTwice(t *testing.T) {
	onLog(t, func(t *testing.T, f *fixture) {
		for range 2 {
			if err := Create(t.Context(), f.cfg, false); err != nil {
				t.Fatal(err)
			}
			f.mustSeal()
		}
		f.expect("config 1/0")
	})
}

// TestRefused: a sealer of another key or secret, or of other rules, writes nothing, whether the
// log is sealed already or not.
func TestRefused(t *testing.T) {
	others := map[string]func(*Config){
		"key":    func(c *Config) { c.Signer = signerOf(2) },
		"secret": func(c *Config) { c.Secret = []byte(strings.Repeat("t", 32)) },
	}
	for name, other := range others {
		t.Run(name, func(t *testing.T) {
			onLog(t, func(t *testing.T, f *fixture) {
				refused := func(when string, batches uint64) {
					t.Helper()
					if err := f.seal(other); !errors.Is(err, ErrRefused) {
						t.Fatalf("%s: %v", when, err)
					}
					for _, s := range []store.Stream{f.log.Sealed, f.log.Payloads} {
						if info, _ := s.Info(t.Context()); info.Last > batches {
							t.Fatalf("%s: it has written", when)
						}
					}
				}
				f.publish(tokenSubject("did:a"), event("1", "1"))
				refused("before index 0", 0)
				f.mustSeal()
				f.publish(tokenSubject("did:a"), event("2", "1"))
				refused("after", 1)
				f.mustSeal()
				f.expect("config 1/0", "tool_invocation 2/0 1", "tool_invocation 3/0 2")
				f.audit()
			})
		})
	}
}

// TestOtherRules: a log of rules that this sealer does not know.
func TestOtherRules(t *testing.T) {
	onLog(t, func(t *testing.T, f *fixture) {
		m := stored(t, f.log.Events)[0]
		_, detail, err := m.Control()
		if err != nil {
			t.Fatal(err)
		}
		c := detail.(*entry.Config)
		c.Rules = ruleset.Known + 1
		d := draft.Own(identity{logName: testLog, origin: testSigner.Origin(), secret: testSecret}.source(m, 1),
			entry.TypeConfig, c)
		e, _ := d.Seal(0, entry.Hash{})
		h := entry.LeafHash(e.Leaf)
		note, err := testSigner.Sign(1, h)
		if err != nil {
			t.Fatal(err)
		}
		b := sealedlog.Batch{
			Leaves: [][]byte{e.Leaf}, Size: 1, Root: h, Frontier: []entry.Hash{h}, Checkpoint: note,
			Input: sealedlog.Position{Epoch: 1, Seq: 1, Place: sealedlog.PlaceEnd, Digest: m.Digest(), Time: m.Time},
		}
		header, body := b.Format()
		if _, err := f.log.Sealed.Append(t.Context(),
			entry.Message{Subject: subject.Sealed(testLog), Header: header, Data: body}, nil); err != nil {
			t.Fatal(err)
		}
		_, err = store.Audit(t.Context(), f.log, audit.Config{Keys: []string{testSigner.VerifierKey()}})
		if err == nil || !strings.Contains(err.Error(), "newer release") {
			t.Fatalf("audit: %v", err)
		}
		if err := f.seal(); !errors.Is(err, ErrRefused) {
			t.Fatalf("got %v", err)
		}
	})
}

// TestGap: messages that are gone from EVENTS become a gap entry, at its place, whatever a batch holds.
func TestGap(t *testing.T) {
	for _, limit := range []int{1, 2, 256} {
		onLog(t, func(t *testing.T, f *fixture) {
			for i := range 12 {
				f.publish(tokenSubject("did:a"), "["+event(fmt.Sprint(i), "1")+","+event(fmt.Sprint(i), "1")+"]")
			}
			for _, seq := range []uint64{3, 6, 7, 8, 12, 13} {
				if err := f.log.Events.(store.Purger).SecureDelete(t.Context(), seq); err != nil {
					t.Fatal(err)
				}
			}
			runs := 0
			for f.sealSome(1, entriesOf(limit)) {
				runs++
			}
			f.publish(tokenSubject("did:a"), event("end", "1"))
			f.mustSeal(entriesOf(limit))
			f.expect("config 1/0", "tool_invocation 2/0 0", "duplicate 2/2 1=#1", "gap 3/0 3-3",
				"tool_invocation 4/0 2", "duplicate 4/2 1=#4",
				"tool_invocation 5/0 3", "duplicate 5/2 1=#6", "gap 8/0 6-8", "tool_invocation 9/0 7",
				"duplicate 9/2 1=#9",
				"tool_invocation 10/0 8", "duplicate 10/2 1=#11", "tool_invocation 11/0 9", "duplicate 11/2 1=#13",
				"gap 13/0 12-13", "tool_invocation 14/0 end")
			if f.audit(); runs < 3 {
				t.Fatalf("%d runs", runs)
			}
			f.again(3)
		})
	}
}

// forgetful leaves out messages in its first answers.
type forgetful struct {
	store.Stream
	hide  uint64
	times int
}

func (s *forgetful) Read(ctx context.Context, from uint64) (store.Reader, error) {
	r, err := s.Stream.Read(ctx, from)
	return &forgetfulReader{r, s}, err
}

type forgetfulReader struct {
	store.Reader
	s *forgetful
}

func (r *forgetfulReader) Next(ctx context.Context, limit int) ([]entry.Message, error) {
	for {
		list, err := r.Reader.Next(ctx, limit)
		for i := range list {
			if list[i].Seq == r.s.hide && r.s.times > 0 {
				r.s.times--
				list = append(list[:i:i], list[i+1:]...)
				break
			}
		}
		if len(list) > 0 || err != nil {
			return list, err
		}
	}
}

// TestNoGapAfterOneAnswer: a message that is left out once or twice is not gone; one that is left out three times is.
func TestNoGapAfterOneAnswer(t *testing.T) {
	for times := range 4 {
		onLog(t, func(t *testing.T, f *fixture) {
			for i := range 6 {
				f.publish(tokenSubject("did:a"), event(fmt.Sprint(i), "1"))
			}
			log := *f.log
			log.Events = &forgetful{f.log.Events, 4, times}
			f.mustSeal(func(c *Config) { c.Log = &log })
			if got := line(f.entries()[3]); (got == "gap 4/0 4-4") != (times == 3) {
				t.Fatalf("left out %d times: index 3 is %s", times, got)
			}
			f.audit()
		})
	}
}

// TestInputLost: EVENTS that lost its newest messages, or was made anew, is refused until an
// administrator opens an epoch; then sealing goes on with what EVENTS holds.
func TestInputLost(t *testing.T) {
	publish := func(f *fixture, from, to int) {
		for i := from; i < to; i++ {
			f.publish(tokenSubject("did:a"),
				"["+event(fmt.Sprint(i), "1")+","+event(fmt.Sprint(i), "1")+","+event(fmt.Sprint("x", i), "1")+"]")
		}
	}
	for _, limit := range []int{1, 2, 3, 256} {
		for name, lose := range map[string]func(t *testing.T, f *fixture){
			"tail": func(t *testing.T, f *fixture) { f.log.Events = truncated(t, f.log.Events, 4) },
			"tail and refilled": func(t *testing.T, f *fixture) {
				f.log.Events = truncated(t, f.log.Events, 4)
				publish(f, 100, 103)
			},
			"anew": func(t *testing.T, f *fixture) {
				f.log.Events = store.NewMemoryStream()
				publish(f, 100, 115)
			},
		} {
			for runs := 3; runs < 14; runs += 3 {
				t.Run(fmt.Sprintf("%s %d %d", name, limit, runs), func(t *testing.T) {
					onLog(t, func(t *testing.T, f *fixture) {
						publish(f, 0, 5)
						for range runs {
							f.sealSome(1, entriesOf(limit))
						}
						at := f.audit()
						if _, input := lastBatch(t, f.log); input.Seq <= 4 && name != "anew" {
							return // what was lost was not sealed yet
						}
						lose(t, f)
						if err := f.seal(entriesOf(limit)); !errors.Is(err, ErrInputLost) {
							t.Fatalf("got %v", err)
						}
						for i := range 2 {
							opened, err := OpenEpoch(t.Context(), f.cfg, "disk lost")
							if err != nil || opened != (i == 0) {
								t.Fatalf("open epoch: %v %v", opened, err)
							}
						}
						for f.sealSome(1, entriesOf(limit)) {
						}
						list := f.entries()
						if got := line(list[at.Size]); got != "epoch 0/0 epoch 2" {
							t.Fatalf("index %d is %s", at.Size, got)
						}
						f.audit(proof.Checkpoint{Size: at.Size, Root: at.Root})
						publish(f, 200, 202)
						f.mustSeal()
						if got := line(f.entries()[len(f.entries())-2]); !strings.HasSuffix(got, " x201") {
							t.Fatalf("the newest event is %s", got)
						}
						// and once more, right after
						f.log.Events = truncated(t, f.log.Events, 3)
						if err := f.seal(); !errors.Is(err, ErrInputLost) {
							t.Fatalf("got %v", err)
						}
						if opened, err := OpenEpoch(t.Context(), f.cfg, "again"); err != nil || !opened {
							t.Fatal(opened, err)
						}
						f.sealSome(1, entriesOf(1)) // the epoch entry alone
						f.log.Events = truncated(t, f.log.Events, 2)
						publish(f, 300, 301)
						f.log.Events = store.NewMemoryStream()
						if err := f.seal(); !errors.Is(err, ErrInputLost) {
							t.Fatalf("got %v", err)
						}
						if opened, err := OpenEpoch(t.Context(), f.cfg, "and again"); err != nil || !opened {
							t.Fatal(opened, err)
						}
						publish(f, 400, 401)
						f.mustSeal()
						if r := f.audit(); line(f.entries()[r.Size-2]) != "tool_invocation 2/2 x400" {
							t.Fatalf("ends with %s", line(f.entries()[r.Size-2]))
						}
					})
				})
			}
		}
	}
}

// lastBatch is the newest message on SEALED.
func lastBatch(t *testing.T, log *store.Log) (sealedlog.Batch, sealedlog.Position) {
	t.Helper()
	m, err := log.Sealed.Last(t.Context(), subject.Sealed(testLog))
	if err != nil {
		t.Fatal(err)
	}
	b, err := sealedlog.ParseBatch(m)
	if err != nil {
		t.Fatal(err)
	}
	return b, b.Input
}

// TestConfigOfOtherEvents: a config that was copied to another EVENTS does not create a log there.
func TestConfigOfOtherEvents(t *testing.T) {
	onLog(t, func(t *testing.T, f *fixture) {
		m := stored(t, f.log.Events)[0]
		f.log.Events = store.NewMemoryStreamOf(m.Time.Add(1e9), []entry.Message{m})
		if err := f.seal(); !errors.Is(err, ErrNotCreated) {
			t.Fatalf("got %v", err)
		}
	})
}
