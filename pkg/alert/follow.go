package alert

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/store"
)

// follower is one walk over the log. One goroutine has it.
type follower struct {
	a      *Alerter
	engine *engine
	out    *outbox

	next     uint64         // index to take next
	hash     string         // entry hash of the one before
	position uint64         // SEALED sequence followed to, void messages included
	goal     uint64         // SEALED's end when following began
	input    proof.Position // that the newest batch reaches
	any      bool           // a batch was taken, and input is known
	told     uint64         // what belongs to entries before this index is on ALERTS, although no state says so
	created  time.Time      // of ALERTS

	generation int // of the state saved last
	saveAfter  time.Time
	dirty      bool
	wrote      bool // something was published, which is worth a saving at once: so every life gets further than the one before, however short
	cut        int  // how often SEALED was seen to end before position
}

// open takes up the work where the saved state, or failing that the last message on ALERTS, says that it was left.
func (a *Alerter) open(ctx context.Context) (*follower, error) {
	info, err := a.cfg.Log.Alerts.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("alerts stream: %w", err)
	}
	s, generation, err := loadState(ctx, a.cfg.Log.Cursors, a.cfg.Log.Name)
	switch {
	case errors.Is(err, errState):
		a.log.WarnContext(ctx, "the log is read from the beginning for its alerts", "log", a.cfg.Log.Name, "cause", err)
		s = saved{}
	case errors.Is(err, store.ErrNotFound):
		s = saved{}
	case err != nil:
		return nil, err
	case !s.Created.Equal(info.Created) || s.Alerts > info.Last:
		a.log.WarnContext(ctx, "the alerts stream was made anew; it is written again from the log", "log", a.cfg.Log.Name)
		s = saved{}
	}
	f := &follower{
		a: a, engine: newEngine(a.origin, a.cfg.Rules), next: s.Next, hash: s.Hash, position: s.Sealed, created: info.Created, generation: generation,
		out: &outbox{log: a.log, name: a.cfg.Log.Name, stream: a.cfg.Log.Alerts, last: s.Alerts, ahead: map[string]foreign{}, ops: s.Ops, full: a.full},
	}
	f.engine.load(s.Rules, s.Clock)
	if err := f.out.refresh(ctx); err != nil {
		return nil, err
	}
	if s.V == 0 {
		if f.told, err = f.lastCursor(ctx); err != nil {
			return nil, err
		}
	}
	f.out.prune(f.engine, f.next)
	a.set(func(st *Status) { st.Next, st.SealedSeq, st.AlertsSeq = f.next, f.position, f.out.last })
	return f, nil
}

// full notes what ALERTS says no with.
func (a *Alerter) full(err error) {
	a.set(func(s *Status) {
		if s.Err = ""; err != nil {
			s.Err = err.Error()
		}
	})
}

// lastCursor is the cursor in the last message on ALERTS; 0 if there is none.
func (f *follower) lastCursor(ctx context.Context) (uint64, error) {
	end, _, err := store.End(ctx, f.out.stream)
	if err != nil || end == 0 {
		return 0, err
	}
	m, err := f.out.stream.Get(ctx, end)
	if err != nil {
		return 0, fmt.Errorf("alerts stream: %w", err)
	}
	last, err := Parse(m)
	if err != nil {
		return 0, nil // it is none of ours; the ids that were read are enough to tell nothing twice
	}
	return last.Cursor, nil
}

// item is what the walk over SEALED finds: a batch, a void message, or its end.
type item struct {
	sealed store.Sealed
	void   uint64
	err    error
}

// follow takes batch after batch until ctx is done or something goes wrong.
func (f *follower) follow(ctx context.Context) error {
	if err := f.there(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	items, walked := make(chan item), make(chan struct{})
	go func() { defer close(walked); f.walk(ctx, items) }()
	defer func() { cancel(); <-walked }()
	tick := time.NewTicker(f.a.tick)
	defer tick.Stop()
	for {
		var err error
		select {
		case i := <-items:
			switch {
			case i.err != nil:
				return i.err
			case i.void > 0:
				err = f.void(ctx, i)
			default:
				err = f.take(ctx, i.sealed)
			}
			if err == nil && time.Now().After(f.saveAfter) {
				f.save(ctx)
			}
		case <-tick.C:
			if err = f.tick(ctx); err == nil && f.dirty && time.Now().After(f.saveAfter) {
				f.save(ctx)
			}
			tick.Reset(f.a.tick) // a store that answers late must not let looks take the place of entries
		case <-ctx.Done():
			return ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

// walk reads SEALED from the entry before the next on: it must still be the one that was read.
func (f *follower) walk(ctx context.Context, items chan<- item) {
	send := func(i item) bool {
		select {
		case items <- i:
			return true
		case <-ctx.Done():
			return false
		}
	}
	from := f.next
	if from > 0 {
		from--
	}
	w := store.Follower{Log: f.a.cfg.Log, Keys: f.a.cfg.Keys, From: from, Void: func(seq uint64, _ error) { send(item{void: seq}) }}
	for s, err := range w.Batches(ctx) {
		if !send(item{sealed: s, err: err}) {
			return
		}
	}
	send(item{err: errors.New("the follower has stopped")})
}

// there says whether SEALED still reaches as far as the saved state, and notes how far it does.
func (f *follower) there(ctx context.Context) error {
	for range cutPatience {
		info, err := f.a.cfg.Log.Sealed.Info(ctx)
		if err != nil {
			return fmt.Errorf("sealed stream: %w", err)
		}
		if f.goal = info.Last; f.goal >= f.position {
			return nil
		}
		select { // a leader that came up just now may be a moment behind
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(f.a.tick):
		}
	}
	return f.short()
}

// short is the error of a log that is shorter than it was.
func (f *follower) short() error {
	return &proof.MismatchError{Index: f.next - min(f.next, 1), What: "cut", Why: fmt.Sprintf("SEALED ends before sequence %d, up to which it was verified", f.position)}
}

// take takes a batch: when it returns, all alerts of its entries are on ALERTS.
func (f *follower) take(ctx context.Context, s store.Sealed) error {
	var list []Alert
	for i := range s.Entries {
		e := &s.Entries[i]
		if e.Index+1 == f.next && e.EntryHash != f.hash {
			return &proof.MismatchError{Index: e.Index, What: "chain", Why: "it is another entry than the one that was read here before"}
		}
		if e.Index < f.next {
			continue
		}
		alerts, err := f.engine.take(e, s.Batch.Size)
		if err != nil {
			return err
		}
		if e.Index >= f.told {
			list = append(list, alerts...)
		}
	}
	if err := f.publish(ctx, list); err != nil {
		return err
	}
	f.next, f.hash, f.input = s.Batch.Size, s.Entries[len(s.Entries)-1].EntryHash, s.Batch.Input
	f.position, f.any = max(f.position, s.Seq), true
	f.out.prune(f.engine, f.next)
	f.dirty = true
	f.a.set(func(st *Status) {
		st.Next, st.SealedSeq, st.Err = f.next, f.position, ""
		st.CaughtUp = st.CaughtUp || f.position >= f.goal // a log that grows without pause is seldom met at its end, and followed all the same
	})
	return nil
}

func (f *follower) publish(ctx context.Context, list []Alert) error {
	if len(list) == 0 {
		return nil
	}
	n, err := f.out.publish(ctx, list)
	f.dirty = true
	if n > 0 && !f.wrote {
		f.wrote, f.saveAfter = true, time.Time{}
	}
	f.a.set(func(s *Status) { s.Published, s.AlertsSeq = s.Published+uint64(n), f.out.last })
	return err
}

// Saving is as rare as its size asks for.
const (
	saveEvery    = time.Second
	saveBytes    = 64 << 10 // of state, for each further second between two savings
	closeTimeout = 2 * time.Second
)

// save writes the state down. Everything it covers is on ALERTS; that it fails costs a replay.
func (f *follower) save(ctx context.Context) {
	s := saved{
		V: stateVersion, Next: f.next, Hash: f.hash, Sealed: f.position, Clock: f.engine.clock, Alerts: f.out.settled(), Created: f.created, Ops: f.out.ops,
		Rules: f.engine.save(),
	}
	if f.next < f.told { // what the last message on ALERTS says is better than a state in the middle of a replay
		return
	}
	generation := 1 - f.generation
	size, err := saveState(ctx, f.a.cfg.Log.Cursors, f.a.cfg.Log.Name, generation, s)
	f.saveAfter = time.Now().Add(saveEvery * time.Duration(1+size/saveBytes))
	if err != nil {
		f.a.log.WarnContext(ctx, "state of alerts not saved", "log", f.a.cfg.Log.Name, "cause", err)
		return
	}
	f.generation, f.dirty = generation, false
}

// close saves what is known at the end.
func (f *follower) close() {
	if !f.dirty {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	f.save(ctx)
}
