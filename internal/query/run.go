package query

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

const (
	watchInterval = time.Second // interval at which SEALED's end is read
	maxStalled    = 10          // reads without progress after which the index counts as behind
	maxVoid       = 100         // void messages kept
)

// Run follows the log and maintains the index until ctx is done, and then returns nil. It retries
// errors of the store. When the log fails to verify, the index stops growing. What was verified is
// still served, and Status, Ready and the health pages report the error.
func (q *Query) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := q.folder.open(); err != nil { // the service works without files
		q.logger.ErrorContext(ctx, "query keeps no index files", "log", q.cfg.Log.Name, "cause", err)
		q.folder = ""
	}
	if q.currentIndex().closed { // of the last run
		q.forget(ctx, errReread)
	}
	watched := make(chan struct{})
	go func() { defer close(watched); q.watch(ctx) }()
	// reports of the last run are obsolete
	for _, name := range []string{"unreadable", "index", "mark", "erasure"} {
		q.cfg.Health.Set(name, health.OK, "")
	}
	q.readMark(ctx)
	var kept sync.WaitGroup
	kept.Go(func() { q.keepMarks(ctx) })
	kept.Go(func() { q.keepFiles(ctx) })
	kept.Go(func() { q.gatherLeaves(ctx) })
	defer func() { cancel(); kept.Wait(); q.closeFiles() }()
	defer func() { cancel(); <-watched; q.freezing <- struct{}{}; <-q.freezing }()
	defer q.EndStreams() // nothing would follow
	store.Sessions{
		Session:  q.session,
		Progress: q.indexSize,
		Restart: func(err error) bool {
			switch {
			case errors.Is(err, errReread):
				q.forget(ctx, err)
			case errors.Is(err, errOtherLog) || errors.Is(err, errWrongIndex):
				q.rebuild(ctx, err)
			default:
				return false
			}
			return true
		},
		Retry: func(err error, pause time.Duration) {
			q.logger.WarnContext(ctx, "query follows the log again after an error", "log", q.cfg.Log.Name,
				"retry_in", pause, "cause", err)
			q.set(func() { q.state.storeErr = err })
		},
		Ended: func(err error) {
			q.logger.ErrorContext(ctx, "the log fails to verify; query serves what was verified before",
				"log", q.cfg.Log.Name, "cause", err)
			q.set(func() { q.state.invalid, q.state.holding = err, false })
		},
	}.Run(ctx)
	return nil
}

// errWrongIndex reports that the index does not match the log, and must be rebuilt.
var errWrongIndex = errors.New("the index does not match the log")

// errReread reports that a file of the index cannot be read any more. The index is read again from
// its files, which finds what is wrong, and from the log.
var errReread = errors.New("a part of the index must be read again")

// rebuild discards the index and its files. Parts of the archive may be what was wrong.
func (q *Query) rebuild(ctx context.Context, why error) {
	q.withoutParts = true
	q.forget(ctx, why)
	q.discardFiles(ctx, 0)
}

// forget discards the index, so that the next session makes it again.
func (q *Query) forget(ctx context.Context, why error) {
	q.logger.WarnContext(ctx, "query makes the index again", "log", q.cfg.Log.Name, "cause", why)
	q.freezing <- struct{}{}
	defer func() { <-q.freezing }()
	q.closeFiles()
	q.set(func() {
		q.index = newIndex(q.cfg.Log.Name, q.rows)
		q.state = state{void: q.state.void, altered: q.state.altered, mark: q.state.mark, unreadable: q.state.unreadable}
	})
}

// session follows the log from the end of the index until an error.
func (q *Query) session(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	info, err := q.cfg.Log.Sealed.Info(ctx)
	if err != nil {
		return fmt.Errorf("sealed stream: %w", err)
	}
	q.noteEnd(info.Last)
	if q.indexSize() == 0 {
		if err := q.restore(ctx); err != nil {
			return err
		}
	}
	x := q.currentIndex()
	rechecked := make(chan struct{})
	go func() { defer close(rechecked); q.supervise(ctx, cancel, x) }()
	defer func() { cancel(nil); <-rechecked }()
	f := store.Follower{Log: q.cfg.Log, Keys: q.cfg.Keys, From: max(x.size, max(x.fromFiles, 1)-1), Void: q.void}
	if x.fromFiles > 0 { // From is in the last batch of the files
		f.Near = x.lastSeq()
	}
	f.Prepare = func(b sealedlog.Batch, entries []entry.Entry) any { return factsOf(x.key, b, entries) }
	for s, err := range f.Batches(ctx) {
		if err != nil {
			return cmp.Or(context.Cause(ctx), err)
		}
		if err := q.take(x, s); err != nil {
			return err
		}
		q.gather(ctx, x, s)
		q.dropErased(s.Entries) // in any case: what passMark finds is only tried again
		if err := q.passMark(ctx); err != nil {
			return err
		}
		q.freezeFull(ctx)
	}
	return errors.New("the follower has stopped")
}

func (q *Query) currentIndex() *index {
	q.mu.RLock()
	defer q.mu.RUnlock()
	return q.index
}

func (q *Query) indexSize() uint64 { return q.Status().Size }

func (q *Query) take(x *index, s store.Sealed) (err error) {
	erased := false
	q.set(func() {
		restored := x.fromFiles
		if err = x.take(s, s.Prepared.(*facts)); err == nil {
			q.dropErasedEvents(s.Entries)
			erased = q.state.unreadable.dropErased(s.Entries)
			q.state.reach(s.Seq)
			q.state.restored += restored
			q.state.storeErr = nil
			if q.grown.Store(time.Now().UnixNano()); restored > 0 {
				q.wakeKeeper()
			}
		}
	})
	if erased {
		q.changeUnreadable(func(*unreadables) bool { return true })
	}
	return err
}

// supervise ends the session when the index turns out to be wrong, or when the log fails to verify
// in the part that was not read at the restore.
func (q *Query) supervise(ctx context.Context, end context.CancelCauseFunc, x *index) {
	q.mu.RLock()
	size := max(x.fromFiles, q.state.restored)
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
			if s.of == x { // ignore suspicions of an earlier index
				q.logger.ErrorContext(ctx, "query found that its index is wrong", "log", q.cfg.Log.Name, "cause", s.why)
				if errors.Is(s.why, errIndexFile) {
					end(errReread)
				} else {
					end(errWrongIndex)
				}
			}
		}
	}
}

// recheckWhenUp rechecks once the index has reached the log's end. Answers wait for it for at most
// Config.CheckFirst.
func (q *Query) recheckWhenUp(ctx context.Context, x *index, size uint64) error {
	if err := q.wait(ctx, func() bool { return q.state.caughtUp }); err != nil {
		return err
	}
	timer := time.AfterFunc(q.cfg.CheckFirst, func() { q.setHolding(false) })
	defer timer.Stop()
	defer q.setHolding(false)
	return q.recheck(ctx, x, size)
}

// setHolding makes answers wait, or ends that.
func (q *Query) setHolding(on bool) { q.set(func() { q.state.holding = on }) }

// rechecking returns the number of entries whose index was read from files and is not yet compared
// with the log.
func (q *Query) rechecking() uint64 {
	q.mu.RLock()
	defer q.mu.RUnlock()
	return q.state.rechecking()
}

func (q *Query) isHolding() bool {
	q.mu.RLock()
	defer q.mu.RUnlock()
	return q.state.holding
}

// dropErased removes the data of erased entries from memory.
func (q *Query) dropErased(entries []entry.Entry) {
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
		q.wakeKeeper()
	}
}

// reach records that the log was followed up to a SEALED sequence.
func (s *state) reach(seq uint64) {
	s.position = max(s.position, seq)
	s.end = max(s.end, s.position)
	s.caughtUp = s.caughtUp || s.position >= s.end
	s.stalled = 0
}

// void records a void message. A new walk and a recheck meet the same one again.
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
		q.logger.Error("query skips a void message on SEALED", "log", q.cfg.Log.Name, "sequence", seq, "cause", why)
	}
}

// noteEnd records SEALED's end. An empty SEALED counts as followed to its end.
func (q *Query) noteEnd(end uint64) {
	q.set(func() {
		s := &q.state
		if s.end = end; s.position != end {
			s.stalled++
			return
		}
		if s.mark != nil && q.index.size < s.mark.Size {
			s.shortReads++
		}
		s.caughtUp, s.stalled, s.storeErr = true, 0, nil
	})
}

// watch reads SEALED's end every watchInterval, so that Status knows how far behind the index is.
func (q *Query) watch(ctx context.Context) {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		q.readEnd(ctx)
	}
}

func (q *Query) readEnd(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	info, err := q.cfg.Log.Sealed.Info(ctx)
	if err == nil {
		q.noteEnd(info.Last)
	} else if !errors.Is(err, context.Canceled) {
		q.set(func() { q.state.storeErr = fmt.Errorf("sealed stream: %w", err) })
	}
}
