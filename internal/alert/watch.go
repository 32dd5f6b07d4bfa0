package alert

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

const (
	tickInterval = time.Second // interval between checks of what belongs to no entry
	// maxCutReads is how often in a row SEALED may end too early until that is published, which is
	// final. A broker that resumes, or leads before it has caught up, reports an old end for
	// seconds, and an election takes up to twenty.
	maxCutReads  = 60
	silenceGrace = 2 * time.Second
	checkTimeout = 5 * time.Second // of one check
)

// check checks what belongs to no entry: whether SEALED was cut, whether events wait, and which
// agents have fallen silent while nothing comes. It ignores errors of the store, which the walk
// reports: then nothing can be said now.
func (f *follower) check(ctx context.Context) error {
	look, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	sealed, err := f.a.cfg.Log.Sealed.Info(look)
	if err != nil {
		return nil
	}
	if sealed.Last < f.position {
		if f.cutReads++; f.cutReads >= maxCutReads {
			return f.errCut()
		}
		return nil
	}
	f.cutReads = 0
	if err := f.checkConditions(ctx); err != nil {
		return err
	}
	caughtUp := sealed.Last == f.position
	f.a.set(func(s *Status) {
		if caughtUp {
			s.CaughtUp, s.Err = true, ""
		}
	})
	now := time.Now()
	waiting, ok := f.oldestWaiting(look, sealed.Last)
	if !ok {
		return nil
	}
	if err := f.checkLag(ctx, now, waiting); err != nil || !caughtUp || waiting != nil {
		return err
	}
	return f.publish(ctx, f.engine.silent(now.Add(-f.a.grace).UnixNano(), f.next))
}

// oldestWaiting returns the oldest message on EVENTS that is not sealed completely, or nil. It
// returns false if that is unknown.
func (f *follower) oldestWaiting(ctx context.Context, sealedLast uint64) (*entry.Message, bool) {
	if !f.hasInput && sealedLast > 0 {
		return nil, false
	}
	input := f.input
	if sealedLast > f.position {
		// a sealed event does not wait, even if this follower has not verified its batch yet
		if m, err := f.a.cfg.Log.Sealed.Get(ctx, sealedLast); err == nil {
			if b, err := sealedlog.ParseBatch(m); err == nil {
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
	if input.Place == sealedlog.PlaceEnd || from == 0 {
		from++
	}
	if info.Last < from {
		return nil, true
	}
	m, err := events.Get(ctx, from)
	if errors.Is(err, store.ErrNotFound) {
		// a gap, or a message that was just purged: use the next one
		return next(ctx, events, from)
	}
	return &m, err == nil
}

func next(ctx context.Context, s store.Stream, from uint64) (*entry.Message, bool) {
	ctx, cancel := context.WithTimeout(ctx, tickInterval)
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

// checkLag publishes one alert when events wait longer than the limit. It resets when they wait
// less than half as long.
func (f *follower) checkLag(ctx context.Context, now time.Time, waiting *entry.Message) error {
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
		f.a.logger.InfoContext(ctx, "alerts: the sealer has caught up", "log", f.a.cfg.Log.Name)
	case !lagging && age > limit:
		a := f.logAlert(KindLag, TypeLag, fmt.Sprint(waiting.Seq), f.next)
		a.InputSeq, a.Text = waiting.Seq, fmt.Sprintf(
			"events wait to be sealed for more than %s, from EVENTS sequence %d on", limit, waiting.Seq)
		return f.publish(ctx, []Alert{a})
	}
	return nil
}

// logAlert makes an alert about the log as a whole, after the entries read so far.
func (f *follower) logAlert(kind Kind, typ, part string, next uint64) Alert {
	index := next - min(next, 1)
	return Alert{
		ID: alertID(f.a.origin, index, kind, typ, part), Source: f.a.origin, Type: typ, Kind: kind, Rule: typ,
		Agent: f.a.origin,
		Time:  canonical.FormatReceived(time.Now()), Index: index, Hash: f.hash, Size: next, Cursor: f.next,
	}
}

// failure returns the alert for a log that fails to verify.
func (f *follower) failure(err error) Alert {
	what, next := "version", f.next
	m, ok := errors.AsType[*audit.MismatchError](err)
	if ok {
		what, next = string(m.What), m.Index+1
	}
	a := f.logAlert(KindFailure, TypeFailure, what, next)
	a.Text, a.Hash, a.Size = err.Error(), "", f.next
	return a
}

// void publishes an alert for a message on SEALED that does not continue the log. A new walk meets
// the same messages again, which are not repeated.
func (f *follower) void(ctx context.Context, i item) error {
	a := f.logAlert(KindVoid, TypeVoid, fmt.Sprint(i.void), f.next)
	a.ID = alertID(f.a.origin, i.void, KindVoid, TypeVoid, "")
	a.SealedSeq, a.Text = i.void, fmt.Sprintf("SEALED sequence %d does not continue the log and was skipped", i.void)
	if err := f.publish(ctx, []Alert{a}); err != nil {
		return err
	}
	f.position, f.dirty = max(f.position, i.void), true
	return nil
}
