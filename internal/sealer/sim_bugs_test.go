package sealer

import (
	"context"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/redact"
)

// A simulation that finds nothing proves nothing. These are bugs of the kind it is there for; each must be found.

// planted is a bug, what kind of world it shows in, and what goes into each sealer.
type planted struct {
	name  string
	world func(*plan)
	plant func(w *world, c *client, cfg *Config) // nil: see happening
}

func manySealers(p *plan) {
	for len(p.sealers) < 3 {
		p.sealers = append(p.sealers, batchLimits{2, 512 << 10, 768 << 10})
	}
	p.happen = 0.02
}

func smallBatches(p *plan) {
	for i := range p.sealers {
		p.sealers[i].entries = min(p.sealers[i].entries, 3)
	}
	p.crash, p.happen = 0.03, 0.02
}

func snapshots(p *plan) {
	*p = snapshotPlan(p.seed)
	p.crash, p.happen, p.hostile = 0.02, 0.05, 0
}

// spoiltSnapshots are damaged often, as only a byte at a certain place does harm.
func spoiltSnapshots(p *plan) {
	snapshots(p)
	p.crash, p.happen, p.spoil = 0.03, 0.12, true
}

func handedOver(p *plan) {
	p.upgrade, p.rich, p.parsed, p.losses, p.messages = false, true, 2, 0, max(p.messages, 8)
}

// taking takes what ingest has parsed where fits says so.
func taking(fits func(*inbox.Group, entry.Message, uint64, *redact.Set) bool) *hooks {
	return &hooks{takes: fits}
}

func badWrites(p *plan) { p.writes = 0.15 }

var bugs = []planted{
	{"no CAS", manySealers, func(w *world, c *client, cfg *Config) {
		cfg.Log.Sealed = &bugStream{simStream: cfg.Log.Sealed.(*simStream),
			append: func(s *simStream, ctx context.Context, m entry.Message, _ *uint64) (uint64, error) {
				return s.Append(ctx, m, nil)
			}}
	}},
	{"SEALED before the payloads are acknowledged", badWrites, func(w *world, c *client, cfg *Config) {
		cfg.Log.Payloads = &hastyPayloads{cfg.Log.Payloads.(*simStream)}
	}},
	{"blind retry", badWrites, func(w *world, c *client, cfg *Config) {
		cfg.Log.Sealed = &bugStream{simStream: cfg.Log.Sealed.(*simStream),
			append: func(s *simStream, ctx context.Context, m entry.Message, expectLast *uint64) (uint64, error) {
				seq, err := s.Append(ctx, m, expectLast)
				if errors.Is(err, store.ErrAmbiguous) {
					return s.Append(ctx, m, nil)
				}
				return seq, err
			}}
	}},
	{"window forgotten at a restart", smallBatches, func(w *world, c *client, cfg *Config) {
		cfg.hooks = &hooks{opened: func(b *startPoint) {
			st := b.sequencer.state
			st.window = newWindow(st.window.limit, st.window.slack, st.size)
		}}
	}},
	{"no 0x00 before a leaf", func(*plan) {}, func(w *world, c *client, cfg *Config) { cfg.hooks = unprefixed() }},
	{"input digest not compared", func(p *plan) { p.losses = 2 }, func(w *world, c *client, cfg *Config) {
		cfg.hooks = &hooks{blindTo: func(err error) bool { return errors.Is(err, ErrInputLost) }}
	}},
	{"reader that begins again unnoticed", func(p *plan) { p.losses = 2 }, func(w *world, c *client, cfg *Config) {
		cfg.Log.Events = &bugStream{
			simStream: cfg.Log.Events.(*simStream),
			read:      func(r store.Reader) store.Reader { return struct{ store.Reader }{r} },
		}
	}},
	{"sweep above the tail", badWrites, nil},
	{"trim ahead", smallBatches, nil},
	{"gap after a single answer", func(p *plan) { p.leave = 0.1 }, func(w *world, c *client, cfg *Config) { cfg.hooks = &hooks{noRecheck: true} }},
	{"PAYLOADS sequence not repeated", func(*plan) {}, func(w *world, c *client, cfg *Config) {
		cfg.hooks = &hooks{committed: func(b *batch) {
			if b.payloadSent == nil {
				b.Payloads = 0
			}
		}}
	}},
	{"half a message sealed again without skipping", smallBatches, func(w *world, c *client, cfg *Config) {
		cfg.hooks = &hooks{opened: func(b *startPoint) {
			if q := b.sequencer; len(q.sealedAlready) > 0 {
				q.state.size += uint64(len(q.sealedAlready))
				q.state.prevHash = q.sealedAlready[len(q.sealedAlready)-1].EntryHash
				q.sealedAlready, q.state.opening = nil, nil
			}
		}}
	}},
	{"older HEAD over a newer one", func(p *plan) { manySealers(p); badWrites(p) }, func(w *world, c *client, cfg *Config) { cfg.Log.Head = blindKV{cfg.Log.Head.(*simKV)} }},
	{"sealer's clock in a leaf", smallBatches, func(w *world, c *client, cfg *Config) {
		cfg.Log.Events = &bugStream{
			simStream: cfg.Log.Events.(*simStream), read: func(r store.Reader) store.Reader { return &clockReader{r} },
		}
	}},
	{"records lost in a snapshot", snapshots, func(w *world, c *client, cfg *Config) {
		cfg.hooks = &hooks{recorded: func(content []byte) { clear(content[len(content)-recordBytes:]) }}
	}},
	{"snapshot without a MAC", spoiltSnapshots, func(w *world, c *client, cfg *Config) {
		cfg.hooks = &hooks{noMAC: true}
	}},
	{"snapshot of what is not committed", snapshots, func(w *world, c *client, cfg *Config) {
		cfg.hooks = &hooks{unsettled: true}
	}},
	{"parse of other bytes", handedOver, func(w *world, c *client, cfg *Config) {
		cfg.hooks = taking(func(g *inbox.Group, m entry.Message, rules uint64, set *redact.Set) bool {
			return g.Fits(entry.Message{Subject: m.Subject, Data: g.Body}, rules, set)
		})
	}},
	{"parse by other rules", handedOver, func(w *world, c *client, cfg *Config) {
		cfg.hooks = taking(func(g *inbox.Group, m entry.Message, _ uint64, set *redact.Set) bool {
			return g.Fits(m, g.Rules, set)
		})
	}},
	{"parse by other redaction", handedOver, func(w *world, c *client, cfg *Config) {
		cfg.hooks = taking(func(g *inbox.Group, m entry.Message, rules uint64, _ *redact.Set) bool {
			return g.Fits(m, rules, g.Set)
		})
	}},
	{"begin trusted for its signature", func(p *plan) {
		*p = newPlan(p.seed + 280) // 288 is one that finds it
		p.rich, p.parsed = false, 0
		for i := range p.sealers {
			p.sealers[i] = batchLimits{7, 512 << 10, 768 << 10}
		}
		p.window, p.slack, p.publishers, p.messages, p.inject, p.crash, p.happen, p.marks = 10, 80, 4, 40, true, 0.005,
			0.06, 0
	}, func(w *world, c *client, cfg *Config) { cfg.hooks = &hooks{noFullWalk: true} }},
}

// plant puts the plan's bug into a sealer.
func (w *world) plant(c *client, cfg *Config) {
	for _, b := range bugs {
		if b.name == w.plan.bug && b.plant != nil {
			b.plant(w, c, cfg)
		}
	}
}

// bugStream changes what a client does with a stream.
type bugStream struct {
	*simStream
	append func(*simStream, context.Context, entry.Message, *uint64) (uint64, error)
	read   func(store.Reader) store.Reader
}

func (s *bugStream) Append(ctx context.Context, m entry.Message, expectLast *uint64) (uint64, error) {
	if s.append == nil {
		return s.simStream.Append(ctx, m, expectLast)
	}
	return s.append(s.simStream, ctx, m, expectLast)
}

func (s *bugStream) Read(ctx context.Context, from uint64) (store.Reader, error) {
	r, err := s.simStream.Read(ctx, from)
	if err == nil && s.read != nil {
		r = s.read(r)
	}
	return r, err
}

// hastyPayloads predicts the sequence of what it has just sent.
type hastyPayloads struct{ *simStream }

func (s *hastyPayloads) AppendAsync(ctx context.Context, m entry.Message, expectLast *uint64) (store.Pending, error) {
	var predicted uint64
	err := s.c.do(ctx, "payloads.send", nil, func() {
		info, err := s.truth().Info(background)
		if err != nil {
			panic(err)
		}
		predicted = info.Last + 1
		s.c.send("payloads.send", func() (uint64, error) { return s.land(m, nil) })
	})
	return func(context.Context) (uint64, error) { return predicted, nil }, err
}

// unprefixed makes a tree of leaves that are hashed without their prefix.
func unprefixed() *hooks {
	h := &hooks{}
	h.opened = func(b *startPoint) {
		f := b.sequencer.frontier.Clone()
		h.made = func(b *batch) {
			for _, leaf := range b.Leaves {
				f.Append(sha256.Sum256(leaf))
			}
			b.Root, b.Frontier = f.Root(), f.Hashes()
			var err error
			if b.Checkpoint, err = testSigner.Sign(b.Size, b.Root); err != nil {
				panic(err)
			}
		}
	}
	return h
}

// blindKV writes without looking.
type blindKV struct{ *simKV }

func (k blindKV) Get(context.Context, string) ([]byte, uint64, error) {
	return nil, 0, store.ErrNotFound
}

func (k blindKV) Create(ctx context.Context, key string, value []byte) error {
	return k.Put(ctx, key, value)
}

// clockReader takes the time of reading for the broker's.
type clockReader struct{ store.Reader }

func (r *clockReader) Next(ctx context.Context, limit int) ([]entry.Message, error) {
	list, err := r.Reader.Next(ctx, limit)
	for i := range list {
		list[i].Time = time.Now()
	}
	return list, err
}

// TestSimulationFindsBugs: each planted bug is found, soon, and its world is right without it.
func TestSimulationFindsBugs(t *testing.T) {
	if raceDetector {
		t.Skip("a simulation runs one goroutine at a time; it is run without the detector")
	}
	const most = 150
	for _, b := range bugs {
		t.Run(b.name, func(t *testing.T) {
			for seed := uint64(1); seed <= most; seed++ {
				p := newPlan(seed)
				b.world(&p)
				p.bug = b.name
				w, err := simulate(t, p, false)
				if err == nil {
					continue
				}
				t.Logf("found by seed %d, in %d steps: %v", seed, w.steps, err)
				p.bug = ""
				if _, err := simulate(t, p, false); err != nil {
					t.Errorf("seed %d fails without the bug too: %v\n%s", seed, err, explain(t, p))
				}
				return
			}
			t.Errorf("not found in %d seeds", most)
		})
	}
}
