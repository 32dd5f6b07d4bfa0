package sealer

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams/subject"
)

// plan is what a seed makes of a world. Every kind of fault is left out of many worlds, so that others are seen alone.
type plan struct {
	seed uint64

	publishers int
	messages   int // of each publisher
	hostile    float64
	sealers    []batchLimits
	window     uint64 // 0: the real one
	slack      uint64
	marks      int // 0: none, 1: of one host, 2: of a host for each sealer
	keep       bool

	writes  float64 // a write goes wrong
	broken  float64 // a question is not answered
	stale   float64 // or outdatedly
	leave   float64 // a message is left out in reading
	crash   float64 // at an operation of a sealer
	crashAt int     // at this one, counted from 1; negative: right after it
	happen  float64 // something happens before a step, of these kinds:
	losses  int     // EVENTS loses its newest messages, or is made anew, as often as this
	vanish  bool    // a message of EVENTS cannot be read any more
	inject  bool    // void messages on SEALED
	purge   bool    // EVENTS is purged behind the commit
	impost  int     // sealers of another key or secret
	pauses  bool    // time goes on while all wait
	configs bool    // events.open is closed and opened
	upgrade bool    // one of the configs raises the rules, and events have attributes that rules differ in
	orphans bool    // messages on PAYLOADS that no batch names
	piece   uint64  // size of a snapshot's pieces; 0: there are no snapshots
	spoil   bool    // snapshots are damaged, or older ones put back
	rich    bool    // events have secrets, and a trace id that rules differ in; the log redacts
	parsed  int     // what ingest has parsed is handed over: 0: of no group, 1: of half of them, 2: of all

	bug string // planted: see sim_bugs_test.go
}

func newPlan(seed uint64) plan {
	r := rand.New(rand.NewPCG(seed, 0))
	some := func(one int, p float64) float64 {
		if r.IntN(one) == 0 {
			return p * (0.2 + r.Float64())
		}
		return 0
	}
	yes := func(one int) bool { return r.IntN(one) == 0 }
	p := plan{
		seed: seed, publishers: 1 + r.IntN(4), messages: 2 + r.IntN(6), hostile: some(2, 0.3), marks: r.IntN(3),
		keep:   yes(2),
		writes: some(2, 0.15), broken: some(3, 0.05), stale: some(3, 0.08), leave: some(3, 0.1), crash: some(2, 0.03),
		happen: 0.01 + 0.03*r.Float64(), vanish: yes(6), inject: yes(3), purge: yes(3), pauses: yes(2), orphans: yes(4),
	}
	for range 1 + r.IntN(3) {
		p.sealers = append(p.sealers, batchLimits{
			entries: pick(r, 1, 2, 3, 4, 5, 6, 7, 16, 256), leafBytes: pick(r, 1500, 512<<10, 512<<10),
			payloadBytes: pick(r, 1, 600, 768<<10, 768<<10),
		})
	}
	if yes(4) {
		p.losses = 1 + r.IntN(2)
	}
	if yes(5) {
		p.impost = 1 + r.IntN(2)
	}
	if yes(4) { // a log that is longer than its window
		p.window, p.slack, p.messages = uint64(10+r.IntN(40)), 120, 10+r.IntN(15)
		for i := range p.sealers {
			p.sealers[i].entries = min(p.sealers[i].entries, 7)
		}
	}
	p.configs = yes(4)
	if p.marks > 0 && yes(2) {
		p.piece, p.spoil = pick(r, uint64(3), 8, 20), yes(2) && p.losses == 0 // its choice depends on MACs
	}
	p.rich, p.parsed = yes(2), r.IntN(3)
	p.upgrade = p.configs && yes(2)
	return p
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// happening lets something happen to the world, now and then.
func (w *world) happening() bool {
	if !w.hits(w.plan.happen) {
		return false
	}
	p := w.plan
	kinds := []func() bool{w.endOne}
	for _, k := range []struct {
		on bool
		do func() bool
	}{{p.losses > w.losses, w.loseEvents}, {p.vanish, w.vanish}, {p.inject, w.inject}, {p.purge, w.purgeBehind}, {
		p.pauses, w.pause,
	}, {p.configs, w.configure},
		{p.impost > w.impostorsMade, w.impostor}, {p.orphans, w.orphan}, {p.bug == "trim ahead", w.trimAhead},
		{p.bug == "sweep above the tail", w.sweepAbove}, {p.spoil, w.spoil}} {
		if k.on {
			kinds = append(kinds, k.do)
		}
	}
	return kinds[w.rng.IntN(len(kinds))]()
}

// endOne ends a sealer, in good order or not.
func (w *world) endOne() bool {
	var list []*client
	for _, c := range w.clients {
		if c.sealer && c.leave != nil && c.ctx.Err() == nil {
			list = append(list, c)
		}
	}
	if len(list) == 0 {
		return false
	}
	slices.SortFunc(list, func(a, b *client) int { return strings.Compare(a.name, b.name) })
	c := list[w.rng.IntN(len(list))]
	if w.rng.IntN(2) == 0 {
		w.crash(c, "")
	} else {
		w.note("%s: asked to end", c.name)
		c.leave()
	}
	return true
}

func (w *world) pause() bool {
	d := time.Duration(1+w.rng.IntN(3000)) * time.Millisecond
	w.note("time goes on by %v", d)
	w.sleep(d)
	return true
}

// loseEvents: the broker comes back without the newest messages of EVENTS, or EVENTS was deleted and made anew.
func (w *world) loseEvents() bool {
	if w.newest.Size == 0 || w.eventsEnd() == 0 {
		return false
	}
	w.sleep(time.Millisecond) // no two messages have one time
	info, err := w.log.Events.Info(background)
	if err != nil {
		panic(err)
	}
	keep := info.Last - min(info.Last-info.First, uint64(w.rng.IntN(6)))
	var kept []entry.Message
	if w.rng.IntN(3) > 0 {
		for seq := info.First; seq <= keep; seq++ {
			if m, err := w.log.Events.Get(background, seq); err == nil {
				kept = append(kept, m)
			}
		}
	}
	created := info.Created
	if len(kept) == 0 {
		created = time.Now().UTC()
	}
	w.losses++
	w.log.Events = store.NewMemoryStreamOf(created, kept)
	last := uint64(0)
	if len(kept) > 0 {
		last = kept[len(kept)-1].Seq
	}
	w.lost(last)
	w.note("EVENTS LOST all behind sequence %d", last)
	return true
}

// vanish makes a message unreadable that is not sealed yet, and not the newest.
func (w *world) vanish() bool {
	if w.losses > 0 || w.newest.Size == 0 || w.eventsEnd() < w.newest.Input.Seq+2 {
		return false
	}
	seq := w.newest.Input.Seq + 1 + uint64(w.rng.IntN(int(w.eventsEnd()-w.newest.Input.Seq-1)))
	if w.log.Events.(store.Purger).SecureDelete(background, seq) != nil {
		return false
	}
	w.vanished[seq] = true
	for i := range w.events {
		if w.events[i].m.Seq == seq {
			w.events[i].gone = true
		}
	}
	w.note("EVENTS sequence %d is GONE", seq)
	return true
}

func (w *world) purgeBehind() bool {
	if w.newest.Size == 0 || w.losses > 0 {
		return false
	}
	w.note("EVENTS is purged below %d", w.newest.Input.Seq)
	if err := w.log.Events.(store.Purger).PurgeBelow(background, w.newest.Input.Seq); err != nil {
		panic(err)
	}
	return true
}

// configure asks for a config that says something else of events.open. It names the newest that is
// committed; one that comes before it is refused.
func (w *world) configure() bool {
	if w.newest.Size == 0 {
		return false
	}
	_, detail, err := w.events[0].m.Control()
	if err != nil {
		panic(err)
	}
	c := *detail.(*entry.Config)
	previous := w.newest.Config
	c.Previous, c.EventsOpen = &previous, w.rng.IntN(2) == 0
	if w.raised = w.raised || w.plan.upgrade && w.rng.IntN(2) == 0; w.raised {
		c.Rules = ruleset.Blinding
	}
	body := inbox.FormatControl("c", testSigner.Origin(), entry.TypeConfig, c.AppendJSON(nil))
	s := &said{message: entry.Message{Subject: subject.Control(testLog), Data: body}, config: &c}
	w.note("config after index %d: events.open is %v, rules %d", previous, c.EventsOpen, c.Rules)
	if _, err := w.landSaid(s); err != nil {
		panic(err)
	}
	return true
}

// trimAhead is a bug: EVENTS is purged up to where it was read, not to where it is sealed.
func (w *world) trimAhead() bool {
	if w.newest.Size > 0 {
		w.note("BUG: EVENTS is purged below %d", w.eventsEnd())
		w.log.Events.(store.Purger).PurgeBelow(background, w.eventsEnd())
	}
	return true
}

// sweepAbove is a bug: all that no batch names yet is taken for an orphan.
func (w *world) sweepAbove() bool {
	info, err := w.log.Payloads.Info(background)
	if err != nil {
		panic(err)
	}
	w.note("BUG: PAYLOADS is swept above %d", w.newest.Payloads)
	for seq := w.newest.Payloads + 1; seq <= info.Last; seq++ {
		w.log.Payloads.(store.Purger).SecureDelete(background, seq)
	}
	return true
}

// orphan is what a sealer leaves that nobody else knows of.
func (w *world) orphan() bool {
	w.note("an orphan on PAYLOADS")
	w.log.Payloads.Append(background, entry.Message{Subject: subject.Payloads(testLog), Data: []byte("orphan\n")}, nil)
	return true
}

// inject writes a message to SEALED that does not continue the log: a copy of an older one, one
// that names another size, or nonsense.
func (w *world) inject() bool {
	info, err := w.log.Sealed.Info(background)
	if err != nil {
		panic(err)
	}
	if w.newest.Size == 0 {
		return false
	}
	m, err := w.log.Sealed.Get(background, 1+uint64(w.rng.IntN(int(info.Last))))
	if err != nil {
		panic(err)
	}
	kind, copies := "a copy", 1
	if w.rng.IntN(4) == 0 { // of the newest batch, where a search for its index may well find them first
		m, copies = w.sealed[len(w.sealed)-1], 1+w.rng.IntN(30)
	}
	h := entry.Header{}
	for name, values := range m.Header {
		h[name] = values
	}
	b, err := sealedlog.ParseBatch(m)
	switch n := w.rng.IntN(5); {
	case n == 0 || err != nil:
		kind, m.Data = "nonsense", []byte(pick(w.rng, "", "{}\n", "x", strings.Repeat("y\n", 300)))
	case n == 1:
		kind = "a size that is none"
		size := uint64(pick(w.rng, len(b.Leaves), len(b.Leaves)+1, int(w.newest.Size)+1, 100000))
		if size-uint64(len(b.Leaves)) == w.newest.Size { // would continue the log, and be bad
			return false
		}
		h["Sealstream-Size"], h["Sealstream-First"] = []string{fmt.Sprint(size)}, []string{
			fmt.Sprint(size - uint64(len(b.Leaves))),
		}
		h["Sealstream-Payloads"] = []string{"1000000"}
	case b.First == w.newest.Size:
		return false
	}
	m.Header = h
	for range copies {
		seq, err := w.log.Sealed.Append(background, m, nil)
		if err != nil {
			panic(err)
		}
		w.void[seq] = true
		w.note("SEALED sequence %d is void: %s", seq, kind)
	}
	return true
}

// leavesOut says whether a reader of EVENTS leaves out a message that is there: no more than twice
// each, as the sealer asks twice more.
func (w *world) leavesOut(seq uint64) bool {
	if w.calm || w.leftOut[seq] >= 2 || !w.hits(w.plan.leave) {
		return false
	}
	w.leftOut[seq]++
	w.note("  leaves out sequence %d", seq)
	return true
}
