package sealer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/sealstream/sealstream/pkg/store"
)

// sweeper deletes the orphans that crashes and losing sealers left on PAYLOADS: what stands strictly between the payload
// messages that two consecutive batches name. Above the newest named one nothing is touched: it may be on its way. Which batches are the
// log's, and which void, the tail knows; the sweeper reads no headers of its own.
type sweeper struct {
	s      *Sealer
	loaded bool
	done   swept // how far it has come
	stored swept // what of it stands in CURSORS

	mu    sync.Mutex
	begun bool
	first swept  // where the tail's first walk began
	upTo  swept  // the newest batch that the tail told of
	spans []span // up to there, not swept yet
}

// swept is how far the log is swept; it stands in CURSORS, and losing it costs a walk.
type swept struct {
	Size     uint64 `json:"size"`     // tree size behind a batch
	Payloads uint64 `json:"payloads"` // the payload sequence that this batch names
}

// span is what lies between two named sequences.
type span struct{ after, before uint64 }

func (w *sweeper) took(c committed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.begun {
		w.begun, w.first = true, swept{c.batch.First, c.before}
	}
	if c.batch.Size <= w.upTo.Size {
		return // the tail walks again
	}
	if c.batch.Payloads > c.before+1 {
		w.spans = append(w.spans, span{c.before, c.batch.Payloads})
	}
	w.upTo = swept{c.batch.Size, c.batch.Payloads}
}

func (w *sweeper) take() (first, upTo swept, spans []span) {
	w.mu.Lock()
	defer w.mu.Unlock()
	spans, w.spans = w.spans, nil
	return w.first, w.upTo, spans
}

func (w *sweeper) putBack(spans []span) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.spans = append(spans, w.spans...)
}

// cursorStep is how far the sweeper goes without writing its cursor if it finds nothing.
const cursorStep = 1 << 16

func (w *sweeper) sweep(ctx context.Context, _ committed) error {
	if err := w.load(ctx); err != nil {
		return err
	}
	first, upTo, spans := w.take()
	err := w.older(ctx, first)
	for len(spans) > 0 && err == nil {
		if err = w.between(ctx, spans[0]); err == nil {
			spans = spans[1:]
		}
	}
	if err != nil {
		w.putBack(spans)
		return err
	}
	if upTo.Size > w.done.Size {
		w.done = upTo
	}
	return w.store(ctx)
}

// older sweeps from where an earlier sweeper ended to where the tail's walk began.
func (w *sweeper) older(ctx context.Context, to swept) error {
	if w.done.Size >= to.Size {
		return nil
	}
	f := store.Follower{Log: w.s.cfg.Log, Keys: w.s.keys, From: w.done.Size, Stop: true}
	for b, err := range f.Batches(ctx) {
		if err != nil {
			return err
		}
		if b.Batch.Size > to.Size {
			return nil
		}
		if err := w.between(ctx, span{w.done.Payloads, b.Batch.Payloads}); err != nil {
			return err
		}
		w.done = swept{b.Batch.Size, b.Batch.Payloads}
	}
	if w.done.Size < to.Size {
		return fmt.Errorf("the log cannot be followed from index %d", w.done.Size)
	}
	return nil
}

// between removes the payload messages of a span; rewritten ones stand on another subject and stay.
func (w *sweeper) between(ctx context.Context, s span) error {
	payloads := w.s.cfg.Log.Payloads
	p, ok := payloads.(store.Purger)
	for seq := s.after + 1; ok && seq < s.before; seq++ {
		m, err := payloads.Get(ctx, seq)
		if errors.Is(err, store.ErrNotFound) || err == nil && m.Subject != payloadsSubject(w.s.identity.log) {
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

func (w *sweeper) key() string { return w.s.identity.log + "/sweep" }

func (w *sweeper) load(ctx context.Context) error {
	if w.loaded {
		return nil
	}
	value, _, err := w.s.cfg.Log.Cursors.Get(ctx, w.key())
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err != nil || json.Unmarshal(value, &w.done) != nil || w.done.Size > w.s.Status().Size {
		w.done = swept{} // none, or none of this log
	}
	w.loaded, w.stored = true, w.done
	return nil
}

// store writes the cursor now and then: the less often, the more is walked again by the next sealer, which finds nothing to do.
func (w *sweeper) store(ctx context.Context) error {
	if w.done.Size < w.stored.Size+cursorStep {
		return nil
	}
	value, err := json.Marshal(w.done)
	if err != nil {
		return err
	}
	if err := w.s.cfg.Log.Cursors.Put(ctx, w.key(), value); err != nil {
		return err
	}
	w.stored = w.done
	return nil
}
