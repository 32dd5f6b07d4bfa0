package alert

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/retry"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// outbox writes each alert to ALERTS once. It knows the last sequence of the stream, and the ids of
// those alerts on it whose entries this follower has not reached. It appends only with that
// expected last sequence, so it has seen everything on the stream.
//
// It writes one alert at a time, or one atomic batch. With several pipelined appends, another
// follower's message could take one of the predicted sequences, and the later ones would be stored
// although nobody has read it.
type outbox struct {
	logger  *slog.Logger
	logName string // name of the log
	stream  store.Stream
	last    uint64 // newest ALERTS sequence read, which the next append expects
	// alerts by id, written by another follower, or by this one before a crash
	ahead     map[string]pendingAlert
	ops       opsState
	noBatches bool        // the stream accepts no batches
	onError   func(error) // called with the reason while ALERTS refuses messages, then with nil
}

// pendingAlert is an alert on ALERTS that this follower has not reached.
type pendingAlert struct {
	seq, cursor, index uint64
	kind               Kind
	rule, agent        string
}

// opsState records the published alerts that belong to no entry. It is saved with the follower's
// state, so that a restart does not repeat them.
type opsState struct {
	Lagging  bool     `json:"lagging,omitempty"`  // a lag was published, and still lasts
	Void     uint64   `json:"void,omitempty"`     // highest SEALED sequence published as void
	Failures []string `json:"failures,omitempty"` // ids of the last 100 published failures

	// published state (health.State) of each condition
	Conditions map[string]int `json:"conditions,omitempty"`
}

const maxFailures = 100

// record records an alert on ALERTS, whoever wrote it.
func (o *opsState) record(a *Alert) {
	switch a.Kind {
	case KindLag:
		o.Lagging = true
	case KindState:
		o.recordState(a)
	case KindVoid:
		o.Void = max(o.Void, a.SealedSeq)
	case KindFailure:
		if !o.failed(a.ID) {
			o.Failures = append(o.Failures, a.ID)
			o.Failures = o.Failures[max(0, len(o.Failures)-maxFailures):]
		}
	}
}

func (o *opsState) failed(id string) bool {
	return slices.Contains(o.Failures, id)
}

// published reports whether an equivalent alert was published already.
func (o *opsState) published(a *Alert) bool {
	switch a.Kind {
	case KindLag:
		return o.Lagging
	case KindState:
		return int(health.Parse(a.State)) <= o.Conditions[a.Condition]
	case KindVoid:
		return a.SealedSeq <= o.Void
	case KindFailure:
		return o.failed(a.ID)
	}
	return false
}

// refresh reads ALERTS from the last known sequence to its end.
func (o *outbox) refresh(ctx context.Context) error {
	end, gone, err := store.End(ctx, o.stream)
	if err != nil {
		return fmt.Errorf("alerts stream: %w", err)
	}
	if end+gone < o.last {
		return fmt.Errorf("alerts stream: %w: it ends at sequence %d, but was read up to %d", errReset, end+gone, o.last)
	}
	if end > o.last {
		if err := o.read(ctx, end); err != nil {
			return err
		}
	}
	o.last = end + gone
	return nil
}

// read records the alerts up to a sequence.
func (o *outbox) read(ctx context.Context, end uint64) error {
	for m, err := range store.Ahead(ctx, o.stream, o.last+1, end, func(m entry.Message) entry.Message { return m }) {
		if err != nil {
			return fmt.Errorf("alerts stream: %w", err)
		}
		a, err := Parse(m)
		if err != nil { // written by another program; it proves no alert
			o.logger.WarnContext(ctx, "alerts: a message on the alerts stream is not an alert", "log", o.logName, "sequence",
				m.Seq, "cause", err)
			continue
		}
		switch a.Kind {
		case KindLag, KindState, KindVoid, KindFailure:
			o.ops.record(&a)
		default:
			o.ahead[a.ID] = pendingAlert{m.Seq, a.Cursor, a.Index, a.Kind, a.Rule, a.Agent}
		}
	}
	return nil
}

// errReset reports that ALERTS is not the stream that was read before.
var errReset = errors.New("the stream was recreated")

// Waits between attempts to publish.
const (
	publishWait    = 20 * time.Millisecond
	publishMaxWait = 5 * time.Second
)

// publish writes alerts in order and returns when all are on ALERTS. A crash in between leaves the
// first ones, which the next refresh finds. It fails only if ctx is done or ALERTS was recreated.
func (o *outbox) publish(ctx context.Context, list []Alert) (written int, err error) {
	for pauses := retry.New(publishWait, publishMaxWait); ; {
		list = o.dropPublished(list)
		if len(list) == 0 {
			return written, nil
		}
		n, err := o.append(ctx, list)
		if err == nil {
			o.onError(nil)
			list, written = list[n:], written+n
			pauses.Reset()
			continue
		}
		if !errors.Is(err, store.ErrConflict) {
			pause := pauses.Next()
			o.logger.WarnContext(ctx, "alerts: an alert is not published yet", "log", o.logName, "retry_in", pause,
				"cause", err)
			o.onError(err)
			if retry.Sleep(ctx, pause) != nil {
				return written, ctx.Err()
			}
		}
		// The answer may be lost although the message is stored, or will be. Then it occupies the
		// sequence that the next attempt expects, or that attempt gets the sequence first.
		if err := o.refresh(ctx); errors.Is(err, errReset) || ctx.Err() != nil {
			return written, err
		} else if err != nil {
			o.logger.WarnContext(ctx, "alerts: cannot read the alerts stream", "log", o.logName, "cause", err)
		}
	}
}

// dropPublished removes the leading alerts that are on ALERTS already.
func (o *outbox) dropPublished(list []Alert) []Alert {
	for len(list) > 0 {
		a := &list[0]
		if _, there := o.ahead[a.ID]; !there && !o.ops.published(a) {
			break
		}
		delete(o.ahead, a.ID)
		list = list[1:]
	}
	return list
}

// append writes as many leading alerts as one step can, and returns how many.
func (o *outbox) append(ctx context.Context, list []Alert) (n int, err error) {
	if b, ok := o.stream.(store.BatchAppender); ok && !o.noBatches {
		if n, err = o.appendBatch(ctx, b, list); !errors.Is(err, errors.ErrUnsupported) {
			return n, err
		}
		o.noBatches = true // the stream was created without batches
	}
	m, err := list[0].message(o.logName)
	if err != nil {
		return 0, err
	}
	expect := o.last
	seq, err := o.stream.Append(ctx, m, &expect)
	if err != nil {
		return 0, err
	}
	o.acknowledged(list[:1], seq)
	return 1, nil
}

// batchBytes limits a batch, which the broker holds in memory until it is complete.
const batchBytes = 4 << 20

// appendBatch writes as many alerts as one batch may have, up to the first that is on ALERTS
// already.
func (o *outbox) appendBatch(ctx context.Context, b store.BatchAppender, list []Alert) (int, error) {
	var messages []entry.Message
	for i, size := 0, 0; i < len(list) && i < store.MaxBatch && size < batchBytes; i++ {
		if _, there := o.ahead[list[i].ID]; there || i > 0 && o.ops.published(&list[i]) {
			break
		}
		m, err := list[i].message(o.logName)
		if err != nil {
			return 0, err
		}
		messages, size = append(messages, m), size+len(m.Data)
	}
	seq, err := b.AppendBatch(ctx, messages, o.last)
	if err != nil {
		return 0, err
	}
	o.acknowledged(list[:len(messages)], seq)
	return len(messages), nil
}

// acknowledged records alerts that were acknowledged.
func (o *outbox) acknowledged(list []Alert, seq uint64) {
	o.last = seq
	for i := range list {
		o.ops.record(&list[i])
	}
}

// prune removes pending alerts that this follower, which is at index next, will not reach any more.
func (o *outbox) prune(g *engine, next uint64) {
	for id, f := range o.ahead {
		switch {
		case f.kind == KindSilence && f.index < next:
			g.dropSilence(f.rule, f.agent, f.index)
			delete(o.ahead, id)
		case f.kind != KindSilence && f.cursor < next:
			delete(o.ahead, id)
		}
	}
}

// restartAfter returns the ALERTS sequence after which a restart must read: nothing up to it
// concerns entries that are still to come.
func (o *outbox) restartAfter() uint64 {
	s := o.last
	for _, f := range o.ahead {
		s = min(s, f.seq-1)
	}
	return s
}
