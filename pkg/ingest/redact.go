package ingest

import (
	"context"
	"errors"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/redact"
	"github.com/sealstream/sealstream/pkg/store"
)

// redact takes secrets out of an event before it is stored, by the rules of the log's newest config as far as ingest has seen it. The sealer does it
// again by the rules in force at the event's place, so it does no harm if these are a little older.
func (in *Ingest) redact(ev *entry.Event, it *item) error {
	set := in.rules.Load()
	if set == nil {
		return nil
	}
	if err := ev.Redact(set, it.event); err != nil || len(ev.Redactions) == 0 {
		return err
	}
	ev.GiveRedactions()
	it.event = ev.AppendJSON(nil)
	again, err := entry.ParseEvent(it.event) // as the sealer will
	if err == nil {
		*ev = again
	}
	return err
}

// learnEvery is how old the rules that ingest goes by may become; learnFirst is between looks for the first config of a log.
const (
	learnEvery = 10 * time.Second
	learnFirst = 200 * time.Millisecond
)

// learn keeps the rules those of the newest config, until ctx is done.
func (in *Ingest) learn(ctx context.Context) {
	last := uint64(0)
	for {
		wait := learnEvery
		if last = in.learnOnce(ctx, last); last == 0 {
			wait = learnFirst
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// learnOnce looks at the newest config if SEALED has grown. Where nothing is sealed yet, or the broker does not answer, what is known stays.
func (in *Ingest) learnOnce(ctx context.Context, last uint64) uint64 {
	info, err := in.cfg.Log.Sealed.Info(ctx)
	if err != nil || info.Last == last {
		return last
	}
	c, err := store.NewestConfig(ctx, in.cfg.Log)
	if err != nil {
		if ctx.Err() == nil && !errors.Is(err, store.ErrNotFound) {
			in.log.WarnContext(ctx, "ingest: the log's config cannot be read; events are redacted by the rules known before", "log", in.cfg.Log.Name, "cause", err)
		}
		return last
	}
	if old := in.known.Swap(c.Redaction); old != nil && old.Equal(c.Redaction) {
		return info.Last
	}
	if c.Redaction == nil {
		in.rules.Store(nil)
		return info.Last
	}
	set, err := redact.Compile(c.Redaction)
	if err != nil { // of a newer release; the sealer has it
		in.log.WarnContext(ctx, "ingest: redacts by its own rules", "log", in.cfg.Log.Name, "cause", err)
		return info.Last
	}
	in.rules.Store(set)
	return info.Last
}
