package sealer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// history is all that ever happened in a world, and what is known of it while it happens.
type history struct {
	saids  []*said
	events []landed      // in the order in which they landed
	losses int           // of EVENTS
	gone   map[*said]int // how many copies of it were lost with EVENTS

	newest   sealedlog.Batch // of the log
	lastHash entry.Hash
	sealed   []entry.Message // valid messages of SEALED
	void     map[uint64]bool // SEALED sequences that were injected
	payloads map[uint64]bool // PAYLOADS sequences that valid batches name
	roots    map[uint64]entry.Hash
	headSize uint64
	vanished map[uint64]bool
	leftOut  map[uint64]int

	publishing    int
	impostors     int
	impostorsMade int
	stopping      bool
	ending        time.Time
	needHelp      bool
	marks         [3][]byte
	folders       [3]map[string][]byte // of the hosts' snapshots
	oldFolders    [3]map[string][]byte
	snapshotSteps []int // the operations of sealers that were on a snapshot
	said          *linesSaid
}

// landed is a message that EVENTS stored.
type landed struct {
	m    entry.Message
	said *said // nil: of the administrator
	age  int   // how often EVENTS had lost something
	gone bool  // it vanished before it was sealed
}

func newHistory() *history {
	return &history{
		gone: map[*said]int{}, void: map[uint64]bool{}, payloads: map[uint64]bool{}, roots: map[uint64]entry.Hash{},
		vanished: map[uint64]bool{}, leftOut: map[uint64]int{}, said: &linesSaid{},
	}
}

// locked is how actors look at the world.
func (w *world) locked(do func()) {
	w.state.Lock()
	defer w.state.Unlock()
	do()
}

func (w *world) ends() (stopping bool) {
	w.locked(func() { stopping = w.stopping })
	return stopping
}

func (w *world) publish(n int)             { w.locked(func() { w.publishing += n }) }
func (w *world) sent(s *said)              { w.locked(func() { s.begun = w.steps; w.saids = append(w.saids, s) }) }
func (w *world) acknowledged(s *said)      { w.locked(func() { s.acked = w.steps }) }
func (w *world) remark(f string, a ...any) { w.locked(func() { w.note(f, a...) }) }

func (w *world) helped() (needed bool) {
	w.locked(func() { needed, w.needHelp = w.needHelp, false })
	return needed
}

func (w *world) onEvents(m entry.Message, s *said) {
	w.note("  EVENTS sequence %d", m.Seq)
	w.events = append(w.events, landed{m: m, said: s, age: w.losses})
}

// lost notes what EVENTS has lost: all behind a sequence.
func (w *world) lost(last uint64) {
	for _, l := range w.events {
		if l.age == w.losses-1 && l.m.Seq > last && !l.gone {
			w.gone[l.said]++
		}
	}
	for i := range w.events { // what is left belongs to the stream as it is now
		if w.events[i].age == w.losses-1 && w.events[i].m.Seq <= last {
			w.events[i].age = w.losses
		}
	}
}

// landed looks at what an actor has written to a stream.
func (w *world) landed(c *client, stream string, m entry.Message) {
	switch {
	case stream == "events":
		w.onEvents(m, nil)
	case c.sealer && !c.honest:
		w.fail("%s has written to %s", c.name, stream)
	case stream == "sealed":
		w.onSealed(c, m)
	default:
		w.note("  PAYLOADS sequence %d", m.Seq)
	}
}

// onSealed holds a batch to the rule of SPEC 6: no sealer ever writes a void one. What it says is checked at the end.
func (w *world) onSealed(c *client, m entry.Message) {
	b, err := sealedlog.ParseBatch(m)
	if err != nil {
		w.fail("%s wrote SEALED sequence %d: %w", c.name, m.Seq, err)
		return
	}
	w.note("  SEALED sequence %d: size %d, input %d %d %d, payloads %d", m.Seq, b.Size, b.Input.Epoch, b.Input.Seq,
		b.Input.Place, b.Payloads)
	w.checkpoint(b.Checkpoint, c.name)
	first, err := entry.ParseEntry(b.Leaves[0])
	if err != nil || b.First != w.newest.Size ||
		w.newest.Size > 0 && first.PreviousHash.String() != w.lastHash.String() {
		w.fail("%s wrote SEALED sequence %d, which is void: it begins with index %d, the log has %d (%v)", c.name,
			m.Seq, b.First, w.newest.Size, err)
		return
	}
	w.lastHash = entry.LeafHash(b.Leaves[len(b.Leaves)-1])
	b.Leaves = nil
	w.newest = b
	w.payloads[b.Payloads] = true
	w.sealed = append(w.sealed, m)
}

// checkpoint takes down a checkpoint that was published anywhere: there is one root for one size.
func (w *world) checkpoint(note []byte, where string) proof.Checkpoint {
	cp, err := proof.ParseCheckpointUnverified(note)
	if err != nil {
		w.fail("%s: %w", where, err)
		return cp
	}
	if root, ok := w.roots[cp.Size]; ok && root != cp.Root {
		w.fail("%s: two roots of size %d", where, cp.Size)
	}
	w.roots[cp.Size] = cp.Root
	return cp
}

func (w *world) head(note []byte) {
	cp := w.checkpoint(note, "HEAD")
	w.note("  HEAD of size %d", cp.Size)
	if cp.Size < w.headSize {
		w.fail("HEAD fell from size %d to %d", w.headSize, cp.Size)
	}
	w.headSize = cp.Size
}

// check looks at a world that has ended.
func (w *world) check() error {
	report, entries, err := w.audit()
	if err != nil {
		return err
	}
	for _, c := range []struct {
		name  string
		check func([]entry.Entry) error
	}{
		{"history", w.checkHistory}, {"order", w.checkOrder}, {"model", w.checkModel}, {"sealed again", w.checkAgain},
		{"payloads", w.checkPayloads},
	} {
		if err := c.check(entries); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	if w.headSize != report.Size {
		return fmt.Errorf("HEAD is of size %d, the log of %d", w.headSize, report.Size)
	}
	return nil
}

// audit is the oracle, with every checkpoint that anybody ever saw.
func (w *world) audit() (audit.Report, []entry.Entry, error) {
	var known []proof.Checkpoint
	for size, root := range w.roots {
		known = append(known, proof.Checkpoint{Size: size, Root: root})
	}
	r, err := store.Audit(context.Background(), w.log, audit.Config{
		Keys: []string{testSigner.VerifierKey()}, Known: known,
	})
	if err != nil {
		return r, nil, fmt.Errorf("audit: %w", err)
	}
	for _, seq := range r.Void {
		if !w.void[seq] {
			return r, nil, fmt.Errorf("SEALED sequence %d is void, and was not injected", seq)
		}
	}
	if len(r.Void) != len(w.void) {
		return r, nil, fmt.Errorf("%d void messages, %d were injected", len(r.Void), len(w.void))
	}
	var entries []entry.Entry // the audit has just verified them
	for _, m := range w.sealed {
		entries = append(entries, audit.Parse(m).Entries...)
	}
	if uint64(len(entries)) != r.Size {
		return r, nil, fmt.Errorf("the audit found %d entries, sealers wrote %d", r.Size, len(entries))
	}
	return r, entries, nil
}

// interrupted says whether EVENTS lost messages that were sealed, or could have been.
func (w *world) interrupted(entries []entry.Entry) bool {
	return w.losses > 0 || slices.ContainsFunc(entries, func(e entry.Entry) bool {
		return e.EventType == entry.TypeEpoch
	})
}

// content of an entry: what claim says of its event.
func contentOf(e entry.Entry) claim {
	source, id := e.Claim()
	return claim{source, id, e.Resource}
}

// checkHistory: every event whose message was acknowledged, and not lost with EVENTS, is sealed;
// none is sealed twice within the window; and none is there that nobody said.
func (w *world) checkHistory(entries []entry.Entry) error {
	saidOnce := map[claim]bool{}
	owed := map[claim]bool{}
	for _, s := range w.saids {
		copies := 0
		for _, l := range w.events {
			if l.said == s && !l.gone {
				copies++
			}
		}
		for _, c := range s.claims {
			saidOnce[c] = true
			if s.acked > 0 && copies > w.gone[s] && !(s.open && w.plan.configs) {
				owed[c] = true
			}
		}
	}
	at := map[claim]uint64{}
	for _, e := range entries {
		if !e.IsEvent() {
			continue
		}
		c := contentOf(e)
		if c.content == "" || !saidOnce[c] {
			return fmt.Errorf("index %d: %v was never said", e.Index, c)
		}
		before, twice := at[c]
		if twice && (w.plan.window == 0 || e.Index-before <= w.plan.window) {
			return fmt.Errorf("index %d: %v is sealed already, as index %d", e.Index, c, before)
		}
		at[c] = e.Index
	}
	for c := range owed {
		if _, ok := at[c]; !ok && c.content != "" {
			return fmt.Errorf("%v was acknowledged and is not sealed\n%s", c, w.storyOf(c))
		}
	}
	return nil
}

// checkOrder: what was acknowledged before something else was sent stands before it. Where EVENTS
// lost messages, order is lost with them.
func (w *world) checkOrder(entries []entry.Entry) error {
	if w.interrupted(entries) || w.plan.vanish || w.plan.configs {
		return nil
	}
	first := map[claim]uint64{}
	for _, e := range slices.Backward(entries) {
		if e.IsEvent() {
			first[contentOf(e)] = e.Index
		}
	}
	type span struct {
		index        uint64
		begun, acked int
	}
	var list []span
	told := map[claim]bool{}
	for _, s := range w.saids { // in the order of their begin
		for _, c := range s.claims {
			if index, ok := first[c]; ok && !told[c] {
				list = append(list, span{index, s.begun, s.acked})
			}
			told[c] = true
		}
	}
	slices.SortFunc(list, func(a, b span) int { return int(a.index) - int(b.index) })
	earliest := int(^uint(0) >> 1) // acknowledgement of what stands behind
	for _, s := range slices.Backward(list) {
		if s.begun > earliest {
			return fmt.Errorf("index %d was sent in step %d, after something behind it was acknowledged in step %d",
				s.index, s.begun, earliest)
		}
		if s.acked > 0 {
			earliest = min(earliest, s.acked)
		}
	}
	return nil
}

// checkPayloads: what no batch names is gone, below the newest that one names. A sweeper that was
// told that an orphan is not there leaves it.
func (w *world) checkPayloads([]entry.Entry) error {
	for seq := uint64(1); seq < w.newest.Payloads; seq++ {
		_, err := w.log.Payloads.Get(background, seq)
		if there := !errors.Is(err, store.ErrNotFound); there != w.payloads[seq] && !(there && w.plan.stale > 0) {
			return fmt.Errorf("PAYLOADS sequence %d: there %v, named %v", seq, there, w.payloads[seq])
		}
	}
	return nil
}

// checkAgain seals what was sealed once more, with other limits: the leaves must be the same.
func (w *world) checkAgain(entries []entry.Entry) error {
	if w.interrupted(entries) {
		return nil
	}
	sealed := map[uint64]bool{}
	for _, e := range entries {
		if _, gap := e.Detail.(*entry.Gap); !gap {
			sealed[e.InputSeq] = true
		}
	}
	info, err := w.log.Events.Info(background)
	if err != nil {
		return err
	}
	limit, slack := w.plan.window, w.plan.slack
	if limit == 0 {
		limit, slack = ruleset.WindowSize, windowSlack
	}
	id := identity{logName: testLog, origin: testSigner.Origin(), secret: testSecret}
	st := &state{
		identity: id, keys: []string{testSigner.VerifierKey()}, signable: []string{testSigner.VerifierKey()},
		window: newWindow(limit, slack, 0), created: canonical.FormatReceived(info.Created),
	}
	var leaves [][]byte
	q := &sequencer{state: st, limits: batchLimits{100, 60000, 60000}, signer: testSigner, emit: func(b *batch) error {
		leaves = append(leaves, b.Leaves...)
		return nil
	}}
	for _, l := range w.events {
		if sealed[l.m.Seq] {
			if err := q.message(id.prepare(l.m, 1)); err != nil {
				return err
			}
		}
	}
	if err := q.flush(); err != nil {
		return err
	}
	for i, e := range entries {
		if i >= len(leaves) || string(leaves[i]) != string(e.Leaf) {
			return fmt.Errorf("index %d: another leaf", i)
		}
	}
	if len(leaves) != len(entries) {
		return fmt.Errorf("%d leaves, %d entries", len(leaves), len(entries))
	}
	return nil
}

// storyOf is where a claim was said.
func (w *world) storyOf(c claim) string {
	var b strings.Builder
	for _, s := range w.saids {
		if i := slices.Index(s.claims, c); i >= 0 {
			fmt.Fprintf(&b, "said in step %d, acknowledged in %d, position %d of %d, lost %d\n", s.begun, s.acked, i,
				len(s.claims), w.gone[s])
			for _, l := range w.events {
				if l.said == s {
					fmt.Fprintf(&b, "  EVENTS sequence %d, age %d\n", l.m.Seq, l.age)
				}
			}
		}
	}
	return b.String()
}
