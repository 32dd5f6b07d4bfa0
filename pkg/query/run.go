package query

import (
	"context"
	"errors"
	"fmt"
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
	defer func() { cancel(); <-watched }()
	defer q.EndStreams() // nothing would come any more
	for wait := time.Duration(0); ; {
		before := q.Status().Size
		err := q.session(ctx)
		if ctx.Err() != nil {
			return nil
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

// session follows the log from where the index ends until something goes wrong.
func (q *Query) session(ctx context.Context) error {
	info, err := q.cfg.Log.Sealed.Info(ctx)
	if err != nil {
		return fmt.Errorf("sealed stream: %w", err)
	}
	q.sees(info.Last)
	f := store.Follower{Log: q.cfg.Log, Keys: q.cfg.Keys, From: q.Status().Size, Void: q.void}
	for s, err := range f.Batches(ctx) {
		if err != nil {
			return err
		}
		q.set(func() {
			if err = q.index.take(s); err == nil {
				q.unshow(s.Entries)
				q.state.reach(s.Seq)
				q.state.trouble = nil
			}
		})
		if err != nil {
			return err
		}
		q.forget(s.Entries)
	}
	return errors.New("the follower has stopped")
}

// forget drops the data of erased entries from memory.
func (q *Query) forget(entries []entry.Entry) {
	for i := range entries {
		d, ok := entries[i].Detail.(*entry.Erasure)
		if !ok {
			continue
		}
		q.mu.RLock()
		r := reader{snapshot: snapshot{size: q.index.size, batches: q.index.batches}}
		q.mu.RUnlock()
		for _, x := range d.Indexes {
			if x < r.size {
				ref, _ := r.sameBatch([]uint64{x})
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

func (q *Query) void(seq uint64, why error) {
	if seq <= q.Status().SealedSeq {
		return // a walk that began again
	}
	q.log.Error("a void message on SEALED is skipped", "log", q.cfg.Log.Name, "sequence", seq, "cause", why)
	q.set(func() {
		if len(q.state.void) < maxVoid {
			q.state.void = append(q.state.void, seq)
		}
		q.state.reach(seq)
	})
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
