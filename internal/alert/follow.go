package alert

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/store"
)

// follower is one walk over the log. It is not safe for concurrent use.
type follower struct {
	a      *Alerter
	engine *engine
	out    *outbox

	next     uint64             // next index
	hash     string             // entry hash of the entry before it
	position uint64             // newest SEALED sequence followed, void messages included
	target   uint64             // end of SEALED when the follower started
	input    sealedlog.Position // input position of the newest batch
	hasInput bool               // a batch was read, and input is set
	// alerts of entries before this index are on ALERTS, although no saved state says so
	publishedTo uint64
	created     time.Time // creation time of ALERTS

	generation int // generation of the state saved last
	saveAfter  time.Time
	dirty      bool
	// published says that something was published. The first time, the state is saved at once, so
	// that every run gets further than the one before, however short.
	published bool
	cutReads  int // how often in a row SEALED ended before position
}

// open resumes from the saved state or, without one, from the last message on ALERTS.
func (a *Alerter) open(ctx context.Context) (*follower, error) {
	info, err := a.cfg.Log.Alerts.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("alerts stream: %w", err)
	}
	s, generation, err := loadState(ctx, a.cfg.Log.Cursors, a.cfg.Log.Name)
	switch {
	case errors.Is(err, errState):
		a.logger.WarnContext(ctx, "alerts: the saved state is unusable; the log is read from its start", "log",
			a.cfg.Log.Name, "cause", err)
		s = saved{}
	case errors.Is(err, store.ErrNotFound):
		s = saved{}
	case err != nil:
		return nil, err
	case !s.Created.Equal(info.Created) || s.Alerts > info.Last:
		a.logger.WarnContext(ctx, "alerts: the stream was recreated; it is filled again from the log", "log", a.cfg.Log.Name)
		s = saved{}
	}
	f := &follower{
		a: a, engine: newEngine(a.origin, a.cfg.Rules), next: s.Next, hash: s.Hash, position: s.Sealed, created: info.Created,
		generation: generation,
		out: &outbox{
			logger:  a.logger,
			logName: a.cfg.Log.Name,
			stream:  a.cfg.Log.Alerts,
			last:    s.Alerts,
			ahead:   map[string]pendingAlert{},
			ops:     s.Ops,
			onError: a.setPublishErr,
		},
	}
	f.engine.load(s.Rules, s.Clock)
	if err := f.out.refresh(ctx); err != nil {
		return nil, err
	}
	if s.V == 0 {
		if f.publishedTo, err = f.lastCursor(ctx); err != nil {
			return nil, err
		}
	}
	f.out.prune(f.engine, f.next)
	a.set(func(st *Status) { st.Next, st.SealedSeq, st.AlertsSeq = f.next, f.position, f.out.last })
	return f, nil
}

// setPublishErr records why ALERTS refuses messages, or nil.
func (a *Alerter) setPublishErr(err error) {
	a.set(func(s *Status) {
		if s.Err = ""; err != nil {
			s.Err = err.Error()
		}
	})
}

// lastCursor returns the cursor in the last message on ALERTS, or 0.
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
		// a message of another program; the ids already read are enough to avoid repeats
		return 0, nil
	}
	return last.Cursor, nil
}

// item is a result of the walk over SEALED: a batch, a void message, or an error.
type item struct {
	sealed store.Sealed
	void   uint64
	err    error
}

// follow processes batches until ctx is done or an error occurs.
func (f *follower) follow(ctx context.Context) error {
	if err := f.checkNotCut(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	items, walked := make(chan item), make(chan struct{})
	go func() { defer close(walked); f.walk(ctx, items) }()
	defer func() { cancel(); <-walked }()
	tick := time.NewTicker(f.a.interval)
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
			if err = f.check(ctx); err == nil && f.dirty && time.Now().After(f.saveAfter) {
				f.save(ctx)
			}
			tick.Reset(f.a.interval) // a slow store must not let checks crowd out entries
		case <-ctx.Done():
			return ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

// walk reads SEALED from the entry before next on, so that take can check that it is unchanged.
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
	w := store.Follower{
		Log:  f.a.cfg.Log,
		Keys: f.a.cfg.Keys,
		From: from,
		Void: func(seq uint64, _ error) { send(item{void: seq}) },
	}
	for s, err := range w.Batches(ctx) {
		if !send(item{sealed: s, err: err}) {
			return
		}
	}
	send(item{err: errors.New("the follower has stopped")})
}

// checkNotCut checks that SEALED still reaches the saved position, and records its end.
func (f *follower) checkNotCut(ctx context.Context) error {
	for range maxCutReads {
		info, err := f.a.cfg.Log.Sealed.Info(ctx)
		if err != nil {
			return fmt.Errorf("sealed stream: %w", err)
		}
		if f.target = info.Last; f.target >= f.position {
			return nil
		}
		select { // a new leader may be a moment behind
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(f.a.interval):
		}
	}
	return f.errCut()
}

// errCut returns the error for a log that is shorter than before.
func (f *follower) errCut() error {
	return &audit.MismatchError{
		Index: f.next - min(f.next, 1),
		What:  "cut",
		Why:   fmt.Sprintf("SEALED ends before sequence %d, up to which it was verified", f.position),
	}
}

// take processes a batch. When it returns, all alerts of its entries are on ALERTS.
func (f *follower) take(ctx context.Context, s store.Sealed) error {
	var list []Alert
	for i := range s.Entries {
		e := &s.Entries[i]
		if e.Index+1 == f.next && e.EntryHash.String() != f.hash {
			return &audit.MismatchError{
				Index: e.Index,
				What:  "chain",
				Why:   "it is another entry than the one that was read here before",
			}
		}
		if e.Index < f.next {
			continue
		}
		alerts, err := f.engine.take(e, s.Batch.Size)
		if err != nil {
			return err
		}
		if e.Index >= f.publishedTo {
			list = append(list, alerts...)
		}
	}
	if err := f.publish(ctx, list); err != nil {
		return err
	}
	f.next, f.hash, f.input = s.Batch.Size, s.Entries[len(s.Entries)-1].EntryHash.String(), s.Batch.Input
	f.position, f.hasInput = max(f.position, s.Seq), true
	f.out.prune(f.engine, f.next)
	f.dirty = true
	f.a.set(func(st *Status) {
		st.Next, st.SealedSeq, st.Err = f.next, f.position, ""
		// the end of a log that grows without pause is rarely reached
		st.CaughtUp = st.CaughtUp || f.position >= f.target
	})
	return nil
}

func (f *follower) publish(ctx context.Context, list []Alert) error {
	if len(list) == 0 {
		return nil
	}
	n, err := f.out.publish(ctx, list)
	f.dirty = true
	if n > 0 && !f.published {
		f.published, f.saveAfter = true, time.Time{}
	}
	f.a.set(func(s *Status) { s.Published, s.AlertsSeq = s.Published+uint64(n), f.out.last })
	return err
}

// The larger the state, the less often it is saved.
const (
	saveInterval = time.Second
	saveBytes    = 64 << 10 // bytes of state for each further second between two saves
	closeTimeout = 2 * time.Second
)

// save writes the state. Everything that it covers is on ALERTS. A failure costs a replay.
func (f *follower) save(ctx context.Context) {
	s := saved{
		V: stateVersion, Next: f.next, Hash: f.hash, Sealed: f.position, Clock: f.engine.clock, Alerts: f.out.restartAfter(),
		Created: f.created, Ops: f.out.ops,
		Rules: f.engine.save(),
	}
	if f.next < f.publishedTo { // during a replay, the last message on ALERTS is the better cursor
		return
	}
	generation := 1 - f.generation
	size, err := saveState(ctx, f.a.cfg.Log.Cursors, f.a.cfg.Log.Name, generation, s)
	f.saveAfter = time.Now().Add(saveInterval * time.Duration(1+size/saveBytes))
	if err != nil {
		f.a.logger.WarnContext(ctx, "alerts: cannot save the state", "log", f.a.cfg.Log.Name, "cause", err)
		return
	}
	f.generation, f.dirty = generation, false
}

// close saves the state at the end.
func (f *follower) close() {
	if !f.dirty {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	f.save(ctx)
}
