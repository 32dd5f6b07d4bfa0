package sealer

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/store"
)

// reopen goes on after EVENTS was lost, if an administrator has opened a new input epoch by a control message on the new
// EVENTS; otherwise it returns why, which is ErrInputLost.
func (s *Sealer) reopen(ctx context.Context, st *state, at proof.Position, why error) (uint64, error) {
	if !errors.Is(why, ErrInputLost) {
		return 0, why
	}
	want, err := s.nextEpoch(ctx, st, at, "")
	if err != nil {
		return 0, err
	}
	m, d, err := s.findEpoch(ctx, want)
	if err != nil {
		return 0, err
	}
	if d == nil {
		return 0, why
	}
	info, err := s.cfg.Log.Events.Info(ctx)
	if err != nil {
		return 0, fmt.Errorf("events stream: %w", err)
	}
	st.epoch, st.next, st.created = d.Epoch, 0, d.EventsCreated
	st.opening = s.epochDraft(d, entry.FormatReceived(m.Time))
	return info.First, nil
}

// nextEpoch is the epoch that would go on from the log as it stands.
func (s *Sealer) nextEpoch(ctx context.Context, st *state, at proof.Position, reason string) (entry.Epoch, error) {
	seq := at.Seq
	if at.Place != proof.PlaceEnd { // the newest entry may be the gap or epoch entry before that message's own
		entries, err := s.tail.partial(at.Place)
		if err != nil {
			return entry.Epoch{}, err
		}
		seq = entries[len(entries)-1].InputSeq
	}
	info, err := s.cfg.Log.Events.Info(ctx)
	if err != nil {
		return entry.Epoch{}, fmt.Errorf("events stream: %w", err)
	}
	return entry.Epoch{
		Epoch: at.Epoch + 1, EventsCreated: entry.FormatReceived(info.Created), Reason: reason,
		After: entry.After{InputEpoch: at.Epoch, InputSeq: seq, Size: st.size, Root: entry.FormatHash(s.tail.chain.Frontier().Root())},
	}, nil
}

// findEpoch looks through EVENTS for the control message that opens just this epoch. It reads all of EVENTS, which is done
// only when EVENTS is known to be lost.
func (s *Sealer) findEpoch(ctx context.Context, want entry.Epoch) (entry.Message, *entry.Epoch, error) {
	end, _, err := store.End(ctx, s.cfg.Log.Events)
	if err != nil {
		return entry.Message{}, nil, fmt.Errorf("events stream: %w", err)
	}
	if end == 0 {
		return entry.Message{}, nil, nil
	}
	ctx, came, done := impatient(ctx)
	defer done()
	r, err := s.cfg.Log.Events.Read(ctx, 1)
	if err != nil {
		return entry.Message{}, nil, fmt.Errorf("events stream: %w", err)
	}
	defer r.Close()
	for seen := uint64(0); seen < end; {
		messages, err := r.Next(ctx, 64)
		if err != nil {
			return entry.Message{}, nil, fmt.Errorf("events stream: %w", err)
		}
		came()
		for _, m := range messages {
			seen = m.Seq
			if m.Subject != controlSubject(s.identity.log) {
				continue
			}
			_, detail, err := entry.ParseControl(m.Data)
			if d, ok := detail.(*entry.Epoch); err == nil && ok && d.Epoch == want.Epoch && d.EventsCreated == want.EventsCreated && d.After == want.After {
				return m, d, nil
			}
		}
	}
	return entry.Message{}, nil, nil
}

func (s *Sealer) epochDraft(d *entry.Epoch, receivedAt string) *entry.Draft {
	draft := entry.OwnDraft(entry.Source{
		Log: s.identity.log, Origin: s.identity.origin, Epoch: d.Epoch, ReceivedAt: receivedAt,
	}, entry.TypeEpoch, d)
	return &draft
}

// OpenEpoch publishes an administrator's decision to go on with an EVENTS stream that does not continue what was sealed
// (ErrInputLost). What was lost is sealed with it. It does nothing, and says so by false, if EVENTS is intact.
func OpenEpoch(ctx context.Context, cfg Config, reason string) (bool, error) {
	s, err := New(cfg)
	if err != nil {
		return false, err
	}
	for range 2 { // one answer of a broker that was just deposed is not enough
		s.forget()
		if _, err := s.open(ctx); err == nil {
			return false, nil
		} else if !errors.Is(err, ErrInputLost) {
			return false, err
		}
	}
	if s.tail.chain.Size() == 0 {
		return false, fmt.Errorf("%w: nothing is sealed yet; delete EVENTS and create the log again", ErrInputLost)
	}
	at := s.tail.chain.Input()
	d, err := s.nextEpoch(ctx, &state{size: s.tail.chain.Size()}, at, reason)
	if err != nil {
		return false, err
	}
	body := entry.FormatControl(uuid.NewString(), s.identity.origin, entry.TypeEpoch, d.AppendJSON(nil))
	_, err = cfg.Log.Events.Append(ctx, entry.Message{Subject: controlSubject(s.identity.log), Data: body}, nil)
	if err != nil {
		return false, fmt.Errorf("publish epoch: %w", err)
	}
	return true, nil
}
