package sealer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/streams/subject"
)

// sweeper deletes orphans on PAYLOADS: messages that a crash or a losing sealer left there and that
// no batch names. An orphan lies strictly between the payload messages that two consecutive batches
// name. The sweeper touches nothing above the newest named message, since it may belong to a batch
// that is about to be committed. The tail decides which batches belong to the log and which are
// void.
type sweeper struct {
	s        *Sealer
	loaded   bool
	progress swept // how far the log is swept
	stored   swept // the progress last written to CURSORS

	mu      sync.Mutex
	started bool
	first   swept  // where the tail's first walk started
	upTo    swept  // the newest batch added
	spans   []span // spans up to there that are not swept yet
}

// swept is the cursor in CURSORS that tells how far the log is swept. Losing it costs one more
// walk.
type swept struct {
	Size     uint64 `json:"size"`     // tree size after a batch
	Payloads uint64 `json:"payloads"` // PAYLOADS sequence that the batch names
}

// span is the range of PAYLOADS sequences strictly between two named ones.
type span struct{ after, before uint64 }

func (w *sweeper) addBatch(c committed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.started {
		w.started, w.first = true, swept{c.batch.First, c.before}
	}
	if c.batch.Size <= w.upTo.Size {
		return // seen before: the tail walks again after a reset
	}
	if c.batch.Payloads > c.before+1 {
		w.spans = append(w.spans, span{c.before, c.batch.Payloads})
	}
	w.upTo = swept{c.batch.Size, c.batch.Payloads}
}

// take returns what to sweep up to the newest batch, which is c if the tail has added none: it
// started from a snapshot at the end of the log.
func (w *sweeper) take(c committed) (first, upTo swept, spans []span) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.started {
		w.started, w.first = true, swept{c.batch.Size, c.batch.Payloads}
		w.upTo = w.first
	}
	spans, w.spans = w.spans, nil
	return w.first, w.upTo, spans
}

func (w *sweeper) putBack(spans []span) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.spans = append(spans, w.spans...)
}

// cursorStep is how many entries the sweeper passes before it writes its cursor again.
const cursorStep = 1 << 16

func (w *sweeper) sweep(ctx context.Context, c committed) error {
	if err := w.load(ctx); err != nil {
		return err
	}
	first, upTo, spans := w.take(c)
	err := w.sweepOlder(ctx, first)
	for len(spans) > 0 && err == nil {
		if err = w.sweepSpan(ctx, spans[0]); err == nil {
			spans = spans[1:]
		}
	}
	if err != nil {
		w.putBack(spans)
		return err
	}
	if upTo.Size > w.progress.Size {
		w.progress = upTo
	}
	return w.store(ctx)
}

// sweepOlder sweeps from where an earlier sweeper stopped to where the tail's walk started.
func (w *sweeper) sweepOlder(ctx context.Context, to swept) error {
	if w.progress.Size >= to.Size {
		return nil
	}
	f := store.Follower{Log: w.s.cfg.Log, Keys: w.s.keys, From: w.progress.Size, Stop: true}
	for b, err := range f.Batches(ctx) {
		if err != nil {
			return err
		}
		if b.Batch.Size > to.Size {
			return nil
		}
		if err := w.sweepSpan(ctx, span{w.progress.Payloads, b.Batch.Payloads}); err != nil {
			return err
		}
		w.progress = swept{b.Batch.Size, b.Batch.Payloads}
	}
	if w.progress.Size < to.Size {
		return fmt.Errorf("the log cannot be followed from index %d", w.progress.Size)
	}
	return nil
}

// sweepSpan deletes the payload messages of a span. Messages that an erasure rewrote are on another
// subject and stay.
func (w *sweeper) sweepSpan(ctx context.Context, s span) error {
	payloads := w.s.cfg.Log.Payloads
	p, ok := payloads.(store.Purger)
	for seq := s.after + 1; ok && seq < s.before; seq++ {
		m, err := payloads.Get(ctx, seq)
		if errors.Is(err, store.ErrNotFound) || err == nil && m.Subject != subject.Payloads(w.s.identity.logName) {
			continue
		} else if err != nil {
			return err
		}
		if err := p.SecureDelete(ctx, seq); err != nil && !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("orphan at PAYLOADS sequence %d: %w", seq, err)
		}
	}
	return nil
}

func (w *sweeper) key() string { return subject.Sweep(w.s.identity.logName) }

func (w *sweeper) load(ctx context.Context) error {
	if w.loaded {
		return nil
	}
	value, _, err := w.s.cfg.Log.Cursors.Get(ctx, w.key())
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err != nil || json.Unmarshal(value, &w.progress) != nil || w.progress.Size > w.s.Status().Size {
		w.progress = swept{} // missing, or the cursor of another log
	}
	w.loaded, w.stored = true, w.progress
	return nil
}

// store writes the cursor every cursorStep entries. What lies beyond it is swept once more by the
// next sealer, which then finds nothing to delete.
func (w *sweeper) store(ctx context.Context) error {
	if w.progress.Size < w.stored.Size+cursorStep {
		return nil
	}
	value, err := json.Marshal(w.progress)
	if err != nil {
		return err
	}
	if err := w.s.cfg.Log.Cursors.Put(ctx, w.key(), value); err != nil {
		return err
	}
	w.stored = w.progress
	return nil
}
