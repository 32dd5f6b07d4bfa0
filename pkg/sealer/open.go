package sealer

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/store"
)

// start is what the loop begins with.
type start struct {
	sequencer *sequencer
	from      uint64          // EVENTS sequence from which to read
	at        *proof.Position // committed, and found in EVENTS; nil: nothing of this EVENTS is sealed yet
	created   string          // of EVENTS; "" if that is not known
	least     uint64          // EVENTS reached this sequence
}

// open makes the sealer's state from the end of SEALED. It is the ordinary start, and the whole of recovery: nothing
// else that a crash leaves behind is looked at.
func (s *Sealer) open(ctx context.Context) (start, error) {
	if t := s.tail; t.window != nil && !t.window.truncate(t.chain.Size()) {
		s.forget() // what ran ahead of the commits cannot be taken back in place
	}
	t := s.tail
	if err := s.readMark(t); err != nil {
		return start{}, err
	}
	if err := t.advance(ctx); err != nil {
		return start{}, err
	}
	s.reportVoid(t)
	st := &state{identity: s.identity, keys: s.keys, own: s.cfg.Signer.VerifierKeys(), size: t.chain.Size(), prev: entry.ZeroHash, window: t.window}
	q := &sequencer{state: st, frontier: t.chain.Frontier().Clone(), limits: s.limits, signer: s.cfg.Signer}
	if st.size == 0 {
		return s.openEmpty(ctx, q)
	}
	if err := st.accepts(t.config); err != nil {
		return start{}, err
	}
	if err := s.checkPayloads(ctx, t); err != nil {
		return start{}, err
	}
	var err error
	if st.redact, err = redaction(t.config); err != nil {
		return start{}, err
	}
	st.config, st.configIndex, st.prev = t.config, t.configIndex, entry.FormatHash(t.chain.LastHash())
	q.force = t.config.Keys
	at := t.chain.Input()
	if err := t.loadCreated(ctx, at.Epoch); err != nil {
		return start{}, err
	}
	st.epoch, st.created = at.Epoch, t.created
	if err := s.checkInput(ctx, t, at); err != nil && !s.cfg.hooks.blind(err) {
		from, err := s.reopen(ctx, st, at, err)
		return start{sequencer: q, from: from, created: st.created, least: from}, err
	}
	if at.Place == proof.PlaceEnd {
		st.next = at.Seq + 1
		return start{q, st.next, &at, st.created, at.Seq}, nil
	}
	return start{q, at.Seq, &at, st.created, at.Seq}, s.resume(t, q, at)
}

func (s *Sealer) openEmpty(ctx context.Context, q *sequencer) (start, error) {
	info, err := s.cfg.Log.Events.Info(ctx)
	if err != nil {
		return start{}, fmt.Errorf("events stream: %w", err)
	}
	if info.Last > 0 && info.First > 1 {
		return start{}, fmt.Errorf("%w: nothing is sealed, but EVENTS begins at sequence %d", ErrInputLost, info.First)
	}
	q.state.created = entry.FormatReceived(info.Created)
	return start{sequencer: q, from: 1, created: q.state.created}, nil
}

// resume puts the state back to before a message of which only the first entries are committed. Sealing it again makes
// the same entries; the sequencer compares and skips those that stand.
func (s *Sealer) resume(t *tail, q *sequencer, at proof.Position) error {
	entries, err := t.partial(at.Place)
	if err != nil {
		return err
	}
	st, first := q.state, entries[0]
	st.size, st.prev, st.next = first.Index, first.PreviousHash, at.Seq
	if !t.window.truncate(first.Index) {
		return fmt.Errorf("%w: the window does not reach index %d", ErrLogBad, first.Index)
	}
	switch d := first.Detail.(type) {
	case *entry.Gap:
		st.next = d.From
	case *entry.Epoch:
		if first.InputSeq == 0 {
			st.next = 0
			st.opening = s.epochDraft(d, first.ReceivedAt)
		}
	}
	q.skip = entries
	return nil
}

// checkPayloads: PAYLOADS must reach as far as SEALED says.
func (s *Sealer) checkPayloads(ctx context.Context, t *tail) error {
	info, err := s.cfg.Log.Payloads.Info(ctx)
	if err != nil {
		return fmt.Errorf("payloads stream: %w", err)
	}
	if named := t.chain.Batch().Payloads; info.Last < named {
		return fmt.Errorf("%w: PAYLOADS ends at sequence %d, SEALED names %d", ErrLogBad, info.Last, named)
	}
	return nil
}

// checkInput: EVENTS must be the stream that was sealed from, and still hold the very message at the input position.
func (s *Sealer) checkInput(ctx context.Context, t *tail, at proof.Position) error {
	info, err := s.cfg.Log.Events.Info(ctx)
	if err != nil {
		return fmt.Errorf("events stream: %w", err)
	}
	if created := entry.FormatReceived(info.Created); t.created != "" && created != t.created {
		return fmt.Errorf("%w: it was created %s, the log seals one created %s", ErrInputLost, created, t.created)
	}
	m, err := s.cfg.Log.Events.Get(ctx, at.Seq)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return s.inputGone(ctx, t, at)
	case err != nil:
		return fmt.Errorf("EVENTS sequence %d: %w", at.Seq, err)
	case !holds(m, at):
		return fmt.Errorf("%w: sequence %d, up to which was sealed, holds another message", ErrInputLost, at.Seq)
	}
	return nil
}

// holds says whether a message is the one that an input position names.
func holds(m entry.Message, at proof.Position) bool {
	return m.Digest() == at.Digest && m.Time.Equal(at.Time)
}

// inputGone tells a message that was lost from one that another sealer has trimmed, behind a commit that this one has not read yet.
func (s *Sealer) inputGone(ctx context.Context, t *tail, at proof.Position) error {
	end, _, err := store.End(ctx, s.cfg.Log.Sealed)
	switch {
	case err != nil:
		return fmt.Errorf("sealed stream: %w", err)
	case end != t.last:
		return fmt.Errorf("%w: it ends at sequence %d, not %d", errLost, end, t.last)
	}
	return fmt.Errorf("%w: sequence %d, up to which was sealed, is gone", ErrInputLost, at.Seq)
}
