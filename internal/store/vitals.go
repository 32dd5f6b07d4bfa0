package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealstream/sealstream/internal/sealedlog"
)

// Vitals is the state of a log's streams, as their leaders report it. Nothing of it is verified.
type Vitals struct {
	Sizes   map[string]Size // of the streams and buckets, by the names of Parts
	Input   uint64          // EVENTS sequence up to whose end everything is sealed
	Last    uint64          // the newest EVENTS sequence
	Waiting uint64          // EVENTS messages that are not sealed whole
	Oldest  time.Time       // when the oldest of them was stored, or a time after that; zero: none waits
	Average uint64          // bytes of an EVENTS message
}

// Waited returns how long the oldest event has waited to be sealed; 0 if none waits.
func (v Vitals) Waited() time.Duration {
	if v.Oldest.IsZero() {
		return 0
	}
	return max(0, time.Since(v.Oldest))
}

// Parts are the names of a log's streams and buckets in Vitals.
var Parts = []string{"events", "sealed", "payloads", "alerts", "head", "cursors", "archive"}

func (l *Log) part(name string) any {
	return map[string]any{"events": l.Events, "sealed": l.Sealed, "payloads": l.Payloads, "alerts": l.Alerts,
		"head": l.Head, "cursors": l.Cursors, "archive": l.Archive}[name]
}

// Watch observes a log's streams. It reads a message only if another one has become the newest, or
// the oldest that waits. One goroutine may use it at a time.
type Watch struct {
	Log *Log
	// MayRead says that messages of EVENTS may be read, which tells exactly how long the oldest
	// waits. Otherwise it counts from when it was seen to wait.
	MayRead bool

	sealed uint64 // SEALED sequence that input is of
	input  sealedlog.Position
	from   uint64 // EVENTS sequence that oldest is of
	oldest time.Time
}

// Look returns the state of the streams. It asks first what is sealed, so that it never reports
// fewer waiting messages than there are.
func (w *Watch) Look(ctx context.Context) (Vitals, error) {
	v := Vitals{Sizes: map[string]Size{}}
	sealed, err := w.Log.Sealed.Info(ctx)
	if err != nil {
		return v, fmt.Errorf("sealed stream: %w", err)
	}
	if err := w.readInput(ctx, sealed); err != nil {
		return v, fmt.Errorf("sealed stream: %w", err)
	}
	v.Sizes["sealed"] = Size{sealed.Bytes, sealed.Limit}
	events, err := w.Log.Events.Info(ctx)
	if err != nil {
		return v, fmt.Errorf("events stream: %w", err)
	}
	v.Sizes["events"] = Size{events.Bytes, events.Limit}
	for _, name := range Parts {
		if _, known := v.Sizes[name]; known || w.Log.part(name) == nil {
			continue
		}
		if v.Sizes[name], err = SizeOf(ctx, w.Log.part(name)); err != nil {
			return v, fmt.Errorf("%s: %w", name, err)
		}
	}
	return v, w.backlog(ctx, events, &v)
}

// readInput learns from the newest batch how far EVENTS is sealed.
func (w *Watch) readInput(ctx context.Context, info Info) error {
	if info.Last < w.sealed { // another stream of that name
		w.sealed, w.input = 0, sealedlog.Position{}
	}
	for seq := info.Last; seq > w.sealed && seq >= info.First; seq-- {
		m, err := w.Log.Sealed.Get(ctx, seq)
		if errors.Is(err, ErrNotFound) {
			continue
		} else if err != nil {
			return err
		}
		if b, err := sealedlog.ParseBatch(m); err == nil { // else it is void
			w.sealed, w.input = info.Last, b.Input
			return nil
		}
	}
	w.sealed = info.Last
	return nil
}

// backlog learns what waits on EVENTS.
func (w *Watch) backlog(ctx context.Context, events Info, v *Vitals) error {
	v.Input, v.Last = w.input.Seq, events.Last
	if w.input.Place != sealedlog.PlaceEnd && v.Input > 0 {
		v.Input-- // the rest of that message waits
	}
	if stored := events.Last + 1 - min(events.First, events.Last+1); stored > 0 {
		v.Average = events.Bytes / stored
	}
	first := max(v.Input+1, events.First)
	if first > events.Last {
		w.from = 0
		return nil
	}
	v.Waiting = events.Last - first + 1
	if w.from != first {
		w.from, w.oldest = first, events.Newest
		if m, err := w.read(ctx, first); err != nil {
			return err
		} else if !m.IsZero() {
			w.oldest = m
		}
		if w.oldest.IsZero() {
			w.oldest = time.Now()
		}
	}
	v.Oldest = w.oldest
	return nil
}

// read returns when an EVENTS message was stored. It returns zero if that cannot be known.
func (w *Watch) read(ctx context.Context, seq uint64) (time.Time, error) {
	if !w.MayRead {
		return time.Time{}, nil
	}
	m, err := w.Log.Events.Get(ctx, seq)
	if errors.Is(err, ErrNotFound) { // purged between the two questions, or a gap
		return time.Time{}, nil
	} else if err != nil {
		return time.Time{}, fmt.Errorf("EVENTS sequence %d: %w", seq, err)
	}
	return m.Time, nil
}
