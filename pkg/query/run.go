package query

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/store"
)

const (
	watchEvery = time.Second // between questions for SEALED's end
	maxStalled = 10          // questions without progress after which the index counts as behind
	maxVoid    = 100         // void messages remembered
)

// Run follows the log and keeps the index until ctx is done, which is a nil return. Trouble of the store is waited out. When the log does
// not verify, nothing more is taken, what was verified is served on, and Status, Ready and the health pages tell.
func (q *Query) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watched := make(chan struct{})
	go func() { defer close(watched); q.watch(ctx) }()
	defer func() { cancel(); <-watched; q.frozen <- struct{}{}; <-q.frozen }()
	defer q.EndStreams() // nothing would come any more
	for wait := time.Duration(0); ; {
		before := q.Status().Size
		err := q.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, errForeign) || errors.Is(err, errDistrust) {
			q.begin(ctx, err)
			continue
		}
		if final(err) {
			q.log.ErrorContext(ctx, "the log does not verify; serving what was verified before", "log", q.cfg.Log.Name, "cause", err)
			q.set(func() { q.state.bad = err })
			<-ctx.Done()
			return nil
		}
		q.log.WarnContext(ctx, "index follows the log again", "log", q.cfg.Log.Name, "cause", err)
		q.set(func() { q.state.trouble = err })
		if q.Status().Size > before {
			wait = 0
		}
		wait = min(max(2*wait, 10*time.Millisecond), 5*time.Second)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// final says whether an error is of the log itself, so that trying again would not help.
func final(err error) bool {
	_, bad := errors.AsType[*proof.MismatchError](err)
	return bad || errors.Is(err, proof.ErrVersion)
}

// errDistrust: the index has found what does not match, and is made anew.
var errDistrust = errors.New("the index is not what the log makes")

// begin throws the index away, and its files.
func (q *Query) begin(ctx context.Context, why error) {
	q.log.WarnContext(ctx, "the index is made from the log again", "log", q.cfg.Log.Name, "cause", why)
	q.frozen <- struct{}{}
	defer func() { <-q.frozen }()
	q.throwAway(ctx, 0)
	q.set(func() {
		q.index = newIndex(q.cfg.Log.Name, q.rows)
		q.state = state{void: q.state.void, altered: q.state.altered}
	})
}

// session follows the log from where the index ends until something goes wrong.
func (q *Query) session(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	info, err := q.cfg.Log.Sealed.Info(ctx)
	if err != nil {
		return fmt.Errorf("sealed stream: %w", err)
	}
	q.sees(info.Last)
	if q.indexSize() == 0 {
		if err := q.restore(ctx); err != nil {
			return err
		}
	}
	x := q.current()
	rechecked := make(chan struct{})
	go func() { defer close(rechecked); q.guard(ctx, cancel, x) }()
	defer func() { cancel(nil); <-rechecked }()
	f := store.Follower{Log: q.cfg.Log, Keys: q.cfg.Keys, From: max(x.size, max(x.loaded, 1)-1), Void: q.void}
	f.Prepare = func(b proof.Batch, entries []entry.Entry) any { return factsOf(x.key, b, entries) }
	for s, err := range f.Batches(ctx) {
		if err != nil {
			return cmp.Or(context.Cause(ctx), err)
		}
		if err := q.take(x, s); err != nil {
			return err
		}
		q.forget(s.Entries)
		q.freezeFull(ctx)
	}
	return errors.New("the follower has stopped")
}

func (q *Query) current() *index {
	q.mu.RLock()
	defer q.mu.RUnlock()
	return q.index
}

func (q *Query) indexSize() uint64 { return q.Status().Size }

func (q *Query) take(x *index, s store.Sealed) (err error) {
	q.set(func() {
		restored := x.loaded
		if err = x.take(s, s.Prepared.(*facts)); err == nil {
			q.unshow(s.Entries)
			q.state.reach(s.Seq)
			q.state.restored += restored
			q.state.trouble = nil
		}
	})
	return err
}

// guard ends the session when the index turns out to be wrong, or the log, in the part that was not read when it was restored.
func (q *Query) guard(ctx context.Context, end context.CancelCauseFunc, x *index) {
	q.mu.RLock()
	size := max(x.loaded, q.state.restored)
	if q.state.rechecked {
		size = 0
	}
	q.mu.RUnlock()
	var done chan error
	if size > 0 {
		done = make(chan error, 1)
		go func() { done <- q.recheckWhenUp(ctx, x, size) }()
	}
	for {
		select {
		case <-ctx.Done():
			if done != nil {
				<-done
			}
			return
		case err := <-done:
			if done = nil; err != nil && ctx.Err() == nil {
				end(err)
			}
		case s := <-q.suspicions:
			if s.of == x { // and not the one before
				q.log.ErrorContext(ctx, "the index is wrong", "log", q.cfg.Log.Name, "cause", s.why)
				end(errDistrust)
			}
		}
	}
}

// recheckWhenUp rechecks once the index answers, so that it stands in nobody's way before.
func (q *Query) recheckWhenUp(ctx context.Context, x *index, size uint64) error {
	if err := q.CaughtUp(ctx); err != nil {
		return err
	}
	return q.recheck(ctx, x, size)
}

// forget drops the data of erased entries from memory.
func (q *Query) forget(entries []entry.Entry) {
	for i := range entries {
		d, ok := entries[i].Detail.(*entry.Erasure)
		if !ok {
			continue
		}
		q.mu.RLock()
		r := reader{snapshot: q.index.snapshot()}
		q.mu.RUnlock()
		for _, x := range d.Indexes {
			if x < r.size {
				ref, _ := r.batchOf(x)
				q.cache.drop(cacheKey{payloads: true, seq: ref.payloads})
			}
		}
	}
}

// reach notes that the log was followed up to a SEALED sequence.
func (s *state) reach(seq uint64) {
	s.position = max(s.position, seq)
	s.end = max(s.end, s.position)
	s.caughtUp = s.caughtUp || s.position >= s.end
	s.stalled = 0
}

// void notes a void message. A walk that begins again, and a recheck, meet it another time.
func (q *Query) void(seq uint64, why error) {
	fresh := false
	q.set(func() {
		s := &q.state
		at, known := slices.BinarySearch(s.void, seq)
		if fresh = !known && (len(s.void) < maxVoid || seq > s.position); fresh && len(s.void) < maxVoid {
			s.void = slices.Insert(slices.Clone(s.void), at, seq)
		}
		if seq > s.position {
			s.reach(seq)
		}
	})
	if fresh {
		q.log.Error("a void message on SEALED is skipped", "log", q.cfg.Log.Name, "sequence", seq, "cause", why)
	}
}

// sees notes SEALED's end. An empty SEALED is followed to its end already.
func (q *Query) sees(end uint64) {
	q.set(func() {
		s := &q.state
		if s.end = end; s.position != end {
			s.stalled++
			return
		}
		s.caughtUp, s.stalled, s.trouble = true, 0, nil
	})
}

// watch asks for SEALED's end from time to time, so that Status knows how far behind the index is.
func (q *Query) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		q.look(ctx)
	}
}

func (q *Query) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	info, err := q.cfg.Log.Sealed.Info(ctx)
	if err == nil {
		q.sees(info.Last)
	} else if !errors.Is(err, context.Canceled) {
		q.set(func() { q.state.trouble = fmt.Errorf("sealed stream: %w", err) })
	}
}
