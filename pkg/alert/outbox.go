package alert

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/store"
)

// outbox writes alerts to ALERTS, each once. It holds what this follower knows of the stream: its last sequence, and the ids of those alerts on it that
// this follower has still to come to. A message is appended only with that last sequence, so nothing can stand there that was not looked at.
//
// One alert is under way at a time, or one atomic batch: of several predicted sequences, one could be filled by another follower's message, and the later
// ones would be stored by someone who has not read it.
type outbox struct {
	log    *slog.Logger
	name   string // of the log
	stream store.Stream
	last   uint64             // ALERTS was read to here; the next append expects it
	ahead  map[string]foreign // by id: written by another follower, or by this one before a crash
	ops    ops
	single bool        // the stream takes no batches
	full   func(error) // told while ALERTS refuses; nil: it does not any more
}

// foreign is what matters of an alert that this follower has not come to yet.
type foreign struct {
	seq, cursor, index uint64
	kind               Kind
	rule, agent        string
}

// ops is what was told that follows from no entry. It is saved with the follower's state, so that a restart does not tell it again.
type ops struct {
	Lagging  bool     `json:"lagging,omitempty"`  // told that the sealer lags, and it still does
	Void     uint64   `json:"void,omitempty"`     // highest SEALED sequence told as void
	Failures []string `json:"failures,omitempty"` // ids of the failures told, the newest hundred
}

const maxFailures = 100

// saw learns from an alert on ALERTS, whoever wrote it.
func (o *ops) saw(a *Alert) {
	switch a.Kind {
	case KindLag:
		o.Lagging = true
	case KindVoid:
		o.Void = max(o.Void, a.SealedSeq)
	case KindFailure:
		if !o.failed(a.ID) {
			o.Failures = append(o.Failures, a.ID)
			o.Failures = o.Failures[max(0, len(o.Failures)-maxFailures):]
		}
	}
}

func (o *ops) failed(id string) bool {
	return slices.Contains(o.Failures, id)
}

// told says whether an alert needs no telling because its like was told already.
func (o *ops) told(a *Alert) bool {
	switch a.Kind {
	case KindLag:
		return o.Lagging
	case KindVoid:
		return a.SealedSeq <= o.Void
	case KindFailure:
		return o.failed(a.ID)
	}
	return false
}

// refresh reads ALERTS from where it was read before to its end.
func (o *outbox) refresh(ctx context.Context) error {
	end, gone, err := store.End(ctx, o.stream)
	if err != nil {
		return fmt.Errorf("alerts stream: %w", err)
	}
	if end+gone < o.last {
		return fmt.Errorf("alerts stream: %w: it ends at %d, and was read to %d", errReset, end+gone, o.last)
	}
	if end > o.last {
		if err := o.read(ctx, end); err != nil {
			return err
		}
	}
	o.last = end + gone
	return nil
}

// read takes note of the alerts up to a sequence.
func (o *outbox) read(ctx context.Context, end uint64) error {
	for m, err := range store.Ahead(ctx, o.stream, o.last+1, end, func(m entry.Message) entry.Message { return m }) {
		if err != nil {
			return fmt.Errorf("alerts stream: %w", err)
		}
		a, err := Parse(m)
		if err != nil { // written by nobody who writes here; it says nothing of what was told
			o.log.WarnContext(ctx, "not an alert on the alerts stream", "log", o.name, "sequence", m.Seq, "cause", err)
			continue
		}
		switch a.Kind {
		case KindLag, KindVoid, KindFailure:
			o.ops.saw(&a)
		default:
			o.ahead[a.ID] = foreign{m.Seq, a.Cursor, a.Index, a.Kind, a.Rule, a.Agent}
		}
	}
	return nil
}

// errReset: ALERTS is not the stream that was read before.
var errReset = errors.New("the stream was made anew")

// Waits between attempts to publish.
const (
	publishWait    = 20 * time.Millisecond
	publishMaxWait = 5 * time.Second
)

// publish writes alerts in order and returns when all are on ALERTS. A crash in between leaves the first few, which the next refresh finds. It gives up only
// when ctx is done, or ALERTS is another stream.
func (o *outbox) publish(ctx context.Context, list []Alert) (written int, err error) {
	for wait := publishWait; ; {
		list = o.untold(list)
		if len(list) == 0 {
			return written, nil
		}
		n, err := o.append(ctx, list)
		if err == nil {
			o.full(nil)
			list, written, wait = list[n:], written+n, publishWait
			continue
		}
		if !errors.Is(err, store.ErrConflict) {
			o.log.WarnContext(ctx, "alert not published yet", "log", o.name, "cause", err)
			o.full(err)
			select {
			case <-ctx.Done():
				return written, ctx.Err()
			case <-time.After(wait):
			}
			wait = min(2*wait, publishMaxWait)
		}
		// The answer may be lost and the message there, or come yet; then it takes the sequence that the next attempt expects, or the next attempt its.
		if err := o.refresh(ctx); errors.Is(err, errReset) || ctx.Err() != nil {
			return written, err
		} else if err != nil {
			o.log.WarnContext(ctx, "alerts stream is not read", "log", o.name, "cause", err)
		}
	}
}

// untold leaves out, at the front, what stands on ALERTS already.
func (o *outbox) untold(list []Alert) []Alert {
	for len(list) > 0 {
		a := &list[0]
		if _, there := o.ahead[a.ID]; !there && !o.ops.told(a) {
			break
		}
		delete(o.ahead, a.ID)
		list = list[1:]
	}
	return list
}

// append writes the first alerts of a list that can be written in one step, and returns how many.
func (o *outbox) append(ctx context.Context, list []Alert) (n int, err error) {
	if b, ok := o.stream.(store.BatchAppender); ok && !o.single {
		if n, err = o.appendBatch(ctx, b, list); !errors.Is(err, errors.ErrUnsupported) {
			return n, err
		}
		o.single = true // the stream is older than batches
	}
	m, err := list[0].message(o.name)
	if err != nil {
		return 0, err
	}
	expect := o.last
	seq, err := o.stream.Append(ctx, m, &expect)
	if err != nil {
		return 0, err
	}
	o.wrote(list[:1], seq)
	return 1, nil
}

// batchBytes bounds a batch, whose messages the broker holds until all are there.
const batchBytes = 4 << 20

// appendBatch writes as many as one batch may have, up to the first that stands on ALERTS already.
func (o *outbox) appendBatch(ctx context.Context, b store.BatchAppender, list []Alert) (int, error) {
	var messages []entry.Message
	for i, size := 0, 0; i < len(list) && i < store.MaxBatch && size < batchBytes; i++ {
		if _, there := o.ahead[list[i].ID]; there || i > 0 && o.ops.told(&list[i]) {
			break
		}
		m, err := list[i].message(o.name)
		if err != nil {
			return 0, err
		}
		messages, size = append(messages, m), size+len(m.Data)
	}
	seq, err := b.AppendBatch(ctx, messages, o.last)
	if err != nil {
		return 0, err
	}
	o.wrote(list[:len(messages)], seq)
	return len(messages), nil
}

// wrote notes what was acknowledged.
func (o *outbox) wrote(list []Alert, seq uint64) {
	o.last = seq
	for i := range list {
		o.ops.saw(&list[i])
	}
}

// prune forgets what this follower, whose next index is given, will not come to any more.
func (o *outbox) prune(g *engine, next uint64) {
	for id, f := range o.ahead {
		switch {
		case f.kind == KindSilence && f.index < next:
			g.heard(f.rule, f.agent, f.index)
			delete(o.ahead, id)
		case f.kind != KindSilence && f.cursor < next:
			delete(o.ahead, id)
		}
	}
}

// settled is the ALERTS sequence up to which nothing concerns entries that are still to come: a restart reads on behind it.
func (o *outbox) settled() uint64 {
	s := o.last
	for _, f := range o.ahead {
		s = min(s, f.seq-1)
	}
	return s
}
