package sealer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/draft"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// startPoint is where a session starts.
type startPoint struct {
	sequencer *sequencer
	from      uint64 // EVENTS sequence to read from
	// the committed input position, checked against EVENTS; nil if nothing of this EVENTS is sealed
	// yet
	input     *sealedlog.Position
	created   string // creation time of EVENTS; "" if unknown
	leastLast uint64 // EVENTS has reached this sequence
}

// open makes the sealer's state from the end of SEALED. It is both the ordinary start and the whole
// of crash recovery: the sealer looks at nothing else that a crash leaves behind.
func (s *Sealer) open(ctx context.Context) (startPoint, error) {
	start, err := s.openTail(ctx)
	if errors.Is(err, ErrRefused) && s.leaveSnapshot(ctx, err) {
		start, err = s.openTail(ctx)
	}
	return start, err
}

func (s *Sealer) openTail(ctx context.Context) (startPoint, error) {
	if t := s.tail; t.window != nil && !t.window.truncate(t.chain.Size()) {
		s.resetTail() // the window cannot take back what ran ahead of the commits
	}
	t := s.tail
	if err := s.readMark(t); err != nil {
		return startPoint{}, err
	}
	if err := t.advance(ctx); err != nil {
		return startPoint{}, err
	}
	s.reportVoid(t)
	st := &state{
		identity: s.identity,
		keys:     s.keys,
		signable: s.cfg.Signer.VerifierKeys(),
		size:     t.chain.Size(),

		window: t.window,
	}
	q := &sequencer{state: st, frontier: t.chain.Frontier().Clone(), limits: s.limits, signer: s.cfg.Signer}
	if st.size == 0 {
		return s.openEmpty(ctx, q)
	}
	if err := st.checkSignable(t.config); err != nil {
		return startPoint{}, err
	}
	if err := s.checkPayloads(ctx, t); err != nil {
		return startPoint{}, err
	}
	var err error
	if st.redact, err = redaction(t.config); err != nil {
		return startPoint{}, err
	}
	st.rules, st.service = t.config.Rules, t.service
	st.config, st.configIndex, st.prevHash = t.config, t.configIndex, t.chain.LastHash()
	q.activeKeys = t.config.Keys
	at := t.chain.Input()
	if err := t.loadCreated(ctx, at.Epoch); err != nil {
		return startPoint{}, err
	}
	st.epoch, st.created = at.Epoch, t.created
	if err := s.checkInput(ctx, t, at); err != nil && !s.cfg.hooks.blind(err) {
		from, err := s.reopen(ctx, st, at, err)
		return startPoint{sequencer: q, from: from, created: st.created, leastLast: from}, err
	}
	if at.Place == sealedlog.PlaceEnd {
		st.next = at.Seq + 1
		return startPoint{q, st.next, &at, st.created, at.Seq}, nil
	}
	return startPoint{q, at.Seq, &at, st.created, at.Seq}, s.resume(t, q, at)
}

func (s *Sealer) openEmpty(ctx context.Context, q *sequencer) (startPoint, error) {
	info, err := s.cfg.Log.Events.Info(ctx)
	if err != nil {
		return startPoint{}, fmt.Errorf("events stream: %w", err)
	}
	if info.Last > 0 && info.First > 1 {
		return startPoint{}, fmt.Errorf("%w: nothing is sealed, but EVENTS starts at sequence %d", ErrInputLost, info.First)
	}
	q.state.created = canonical.FormatReceived(info.Created)
	return startPoint{sequencer: q, from: 1, created: q.state.created}, nil
}

// resume moves the state back to before a message of which only the first entries are committed.
// Sealing it again makes the same entries; the sequencer compares and skips those that are
// committed.
func (s *Sealer) resume(t *tail, q *sequencer, at sealedlog.Position) error {
	entries, err := t.partial(at.Place)
	if err != nil {
		return err
	}
	st, first := q.state, entries[0]
	st.size, st.prevHash, st.next = first.Index, first.PreviousHash, at.Seq
	if !t.window.truncate(first.Index) {
		return fmt.Errorf("%w: the window does not reach index %d", ErrLogBad, first.Index)
	}
	switch d := first.Detail.(type) {
	case *entry.Gap:
		st.next = d.From
	case *entry.Epoch:
		if first.InputSeq == 0 {
			st.next = 0
			st.opening = st.epochDraft(d, first.ReceivedAt)
		}
	}
	for _, e := range slices.Backward(entries) {
		st.service.takeBack(&e)
	}
	q.sealedAlready = entries
	return nil
}

// checkPayloads checks that PAYLOADS reaches the sequence that SEALED names.
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

// checkInput checks that EVENTS is the stream that was sealed from, and that it still holds the
// message at the input position.
func (s *Sealer) checkInput(ctx context.Context, t *tail, at sealedlog.Position) error {
	info, err := s.cfg.Log.Events.Info(ctx)
	if err != nil {
		return fmt.Errorf("events stream: %w", err)
	}
	if created := canonical.FormatReceived(info.Created); t.created != "" && created != t.created {
		return fmt.Errorf("%w: EVENTS was created %s, but the log was sealed from a stream created %s", ErrInputLost, created,
			t.created)
	}
	m, err := s.cfg.Log.Events.Get(ctx, at.Seq)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return s.inputGone(ctx, t, at)
	case err != nil:
		return fmt.Errorf("EVENTS sequence %d: %w", at.Seq, err)
	case !s.identity.holds(m, at):
		return fmt.Errorf("%w: sequence %d, the newest one sealed, holds another message", ErrInputLost, at.Seq)
	}
	return nil
}

// holds reports whether m is the message that an input position names. From ruleset.Blinding on, a
// batch names its message by another digest than before.
func (id identity) holds(m entry.Message, at sealedlog.Position) bool {
	digest := m.Digest()
	return m.Time.Equal(at.Time) &&
		(digest == at.Digest || draft.InputDigest(id.secret, ruleset.Blinding, digest) == at.Digest)
}

// inputGone distinguishes a message that was lost from one that another sealer has trimmed after a
// commit that this sealer has not read yet.
func (s *Sealer) inputGone(ctx context.Context, t *tail, at sealedlog.Position) error {
	end, _, err := store.End(ctx, s.cfg.Log.Sealed)
	switch {
	case err != nil:
		return fmt.Errorf("sealed stream: %w", err)
	case end != t.lastRead:
		return fmt.Errorf("%w: SEALED ends at sequence %d, not %d", errLost, end, t.lastRead)
	}
	return fmt.Errorf("%w: sequence %d, the newest one sealed, is gone", ErrInputLost, at.Seq)
}
