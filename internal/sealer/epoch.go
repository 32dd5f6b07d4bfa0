package sealer

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/draft"
	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams/subject"
)

// reopen continues after the loss of EVENTS, if an administrator has opened a new input epoch with
// a control message on the new EVENTS. Otherwise it returns why, which wraps ErrInputLost. It
// returns the EVENTS sequence to read from.
func (s *Sealer) reopen(ctx context.Context, st *state, at sealedlog.Position, why error) (uint64, error) {
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
	st.opening = st.epochDraft(d, canonical.FormatReceived(m.Time))
	return info.First, nil
}

// nextEpoch returns the epoch that would follow the log as it is now.
func (s *Sealer) nextEpoch(ctx context.Context, st *state, at sealedlog.Position, reason string) (entry.Epoch, error) {
	seq := at.Seq
	// the newest entry may be the gap or epoch entry that precedes the message's own
	if at.Place != sealedlog.PlaceEnd {
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
		Epoch: at.Epoch + 1, EventsCreated: canonical.FormatReceived(info.Created), Reason: reason,
		After: entry.After{
			InputEpoch: at.Epoch,
			InputSeq:   seq,
			Size:       st.size,
			Root:       s.tail.chain.Frontier().Root().String(),
		},
	}, nil
}

// findEpoch searches EVENTS for the control message that opens exactly this epoch. It reads all of
// EVENTS, which is acceptable only because EVENTS is known to be lost.
func (s *Sealer) findEpoch(ctx context.Context, want entry.Epoch) (entry.Message, *entry.Epoch, error) {
	end, _, err := store.End(ctx, s.cfg.Log.Events)
	if err != nil {
		return entry.Message{}, nil, fmt.Errorf("events stream: %w", err)
	}
	if end == 0 {
		return entry.Message{}, nil, nil
	}
	ctx, came, done := withIdleTimeout(ctx)
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
			if m.Subject != subject.Control(s.identity.logName) {
				continue
			}
			_, detail, err := m.Control()
			if d, ok := detail.(*entry.Epoch); err == nil && ok && d.Epoch == want.Epoch &&
				d.EventsCreated == want.EventsCreated &&
				d.After == want.After {
				return m, d, nil
			}
		}
	}
	return entry.Message{}, nil, nil
}

func (id identity) epochDraft(d *entry.Epoch, receivedAt string) *draft.Draft {
	draft := draft.Own(draft.Source{
		Log: id.logName, Origin: id.origin, Secret: id.secret, Epoch: d.Epoch, ReceivedAt: receivedAt, Rules: id.rules,
	}, entry.TypeEpoch, d)
	return &draft
}

// OpenEpoch publishes an administrator's decision to go on with an EVENTS stream that does not
// continue what was sealed (ErrInputLost). The entry of the epoch records what was sealed before.
// OpenEpoch returns false and publishes nothing if EVENTS is intact.
func OpenEpoch(ctx context.Context, cfg Config, reason string) (bool, error) {
	s, err := New(cfg)
	if err != nil {
		return false, err
	}
	for attempt := range 2 { // one answer may come from a broker that has just lost leadership
		if attempt > 0 {
			s.resetTail()
		}
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
	body := inbox.FormatControl(uuid.NewString(), s.identity.origin, entry.TypeEpoch, d.AppendJSON(nil))
	_, err = cfg.Log.Events.Append(ctx, entry.Message{Subject: subject.Control(s.identity.logName), Data: body}, nil)
	if err != nil {
		return false, fmt.Errorf("publish epoch: %w", err)
	}
	return true, nil
}
