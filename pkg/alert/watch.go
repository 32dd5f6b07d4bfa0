package alert

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
	tickEvery    = time.Second // between looks at what no entry tells
	cutPatience  = 3           // looks in a row at a SEALED that ends too early, before that is told
	silenceGrace = 2 * time.Second
	checkTimeout = 5 * time.Second // of one look
)

// tick looks at what no entry tells: whether SEALED was cut, whether events wait, and who has fallen silent while nothing comes. Trouble of the store is
// left to the walk; it only means that nothing can be said now.
func (f *follower) tick(ctx context.Context) error {
	look, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	sealed, err := f.a.cfg.Log.Sealed.Info(look)
	if err != nil {
		return nil
	}
	if sealed.Last < f.position {
		if f.cut++; f.cut >= cutPatience {
			return f.short()
		}
		return nil
	}
	f.cut = 0
	caughtUp := sealed.Last == f.position
	f.a.set(func(s *Status) {
		if caughtUp {
			s.CaughtUp, s.Err = true, ""
		}
	})
	now := time.Now()
	waiting, ok := f.waiting(look, sealed.Last)
	if !ok {
		return nil
	}
	if err := f.lag(ctx, now, waiting); err != nil || !caughtUp || waiting != nil {
		return err
	}
	return f.publish(ctx, f.engine.silent(now.Add(-f.a.grace).UnixNano(), f.next))
}

// waiting is the oldest message on EVENTS that is not sealed whole; nil if there is none, and false if that cannot be told.
func (f *follower) waiting(ctx context.Context, sealedLast uint64) (*entry.Message, bool) {
	if !f.any && sealedLast > 0 {
		return nil, false
	}
	input := f.input
	if sealedLast > f.position { // what is sealed does not wait, whether this follower has read it or not; the walk will verify it
		if m, err := f.a.cfg.Log.Sealed.Get(ctx, sealedLast); err == nil {
			if b, err := proof.ParseBatch(m); err == nil {
				input = b.Input
			}
		}
	}
	events := f.a.cfg.Log.Events
	info, err := events.Info(ctx)
	if err != nil {
		return nil, false
	}
	from := input.Seq
	if input.Place == proof.PlaceEnd || from == 0 {
		from++
	}
	if info.Last < from {
		return nil, true
	}
	m, err := events.Get(ctx, from)
	if errors.Is(err, store.ErrNotFound) { // a gap, or a message purged between the two questions: the next one that there is
		return next(ctx, events, from)
	}
	return &m, err == nil
}

func next(ctx context.Context, s store.Stream, from uint64) (*entry.Message, bool) {
	ctx, cancel := context.WithTimeout(ctx, tickEvery)
	defer cancel()
	r, err := s.Read(ctx, from)
	if err != nil {
		return nil, false
	}
	defer r.Close()
	list, err := r.Next(ctx, 1)
	if err != nil {
		return nil, false
	}
	return &list[0], true
}

// lag tells once that events wait longer than they may, and takes that back when they wait less than half as long.
func (f *follower) lag(ctx context.Context, now time.Time, waiting *entry.Message) error {
	limit, lagging := f.a.cfg.Lag, f.out.ops.Lagging
	if limit < 0 {
		return nil
	}
	age := time.Duration(0)
	if waiting != nil {
		age = now.Sub(waiting.Time)
	}
	switch {
	case lagging && age < limit/2:
		f.out.ops.Lagging, f.dirty = false, true
		f.a.log.InfoContext(ctx, "the sealer has caught up", "log", f.a.cfg.Log.Name)
	case !lagging && age > limit:
		a := f.own(KindLag, TypeLag, fmt.Sprint(waiting.Seq), f.next)
		a.InputSeq, a.Text = waiting.Seq, fmt.Sprintf("events wait to be sealed for more than %s, from EVENTS sequence %d on", limit, waiting.Seq)
		return f.publish(ctx, []Alert{a})
	}
	return nil
}

// own begins an alert about the log as a whole, which stands behind the entries read so far.
func (f *follower) own(kind Kind, typ, part string, next uint64) Alert {
	index := next - min(next, 1)
	return Alert{
		ID: alertID(f.a.origin, index, kind, typ, part), Source: f.a.origin, Type: typ, Kind: kind, Rule: typ, Agent: f.a.origin,
		Time: entry.FormatReceived(time.Now()), Index: index, Hash: f.hash, Size: next, Cursor: f.next,
	}
}

// failure is the alert of a log that does not verify.
func (f *follower) failure(err error) Alert {
	what, next := "version", f.next
	m, ok := errors.AsType[*proof.MismatchError](err)
	if ok {
		what, next = m.What, m.Index+1
	}
	a := f.own(KindFailure, TypeFailure, what, next)
	a.Text, a.Hash, a.Size = err.Error(), "", f.next
	return a
}

// void tells of a message on SEALED that does not continue the log. A walk that begins again meets those again that were told.
func (f *follower) void(ctx context.Context, i item) error {
	a := f.own(KindVoid, TypeVoid, fmt.Sprint(i.void), f.next)
	a.ID = alertID(f.a.origin, i.void, KindVoid, TypeVoid, "")
	a.SealedSeq, a.Text = i.void, fmt.Sprintf("SEALED sequence %d does not continue the log and was skipped", i.void)
	if err := f.publish(ctx, []Alert{a}); err != nil {
		return err
	}
	f.position, f.dirty = max(f.position, i.void), true
	return nil
}
