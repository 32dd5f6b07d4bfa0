package ingest

import (
	"context"
	"errors"
	"time"

	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/redact"
)

// redact removes secrets from an event before it is stored, by the rules of the newest config that
// ingest has seen. The sealer redacts again by the rules that are active at the event's index, so
// rules that are a little older do no harm. What a sender has made of the data is not redacted
// here: it would let readers try guesses of what was removed (docs/SPEC-rules4.md, 4.4).
func (in *Ingest) redact(ev *entry.Event, it *item) error {
	set := in.rules.Load()
	if set == nil || ev.Binds() {
		in.keep(ev, it, inbox.Parsed{Set: set, Redacted: set == nil})
		return nil
	}
	if err := ev.Redact(set, it.event); err != nil {
		return err
	}
	if len(ev.Redactions) == 0 {
		in.keep(ev, it, inbox.Parsed{Set: set, Redacted: true})
		return nil
	}
	ev.GiveRedactions()
	it.event = ev.AppendJSON(nil)
	again, err := entry.ParseEvent(it.event) // as the sealer will
	if err == nil {
		*ev = again
		in.keep(ev, it, inbox.Parsed{Set: set})
	}
	return err
}

// keptBytes limits the attributes of a parsed event that is kept, with their JSON, in bytes: they
// are strings of their own, for which parsedCost is charged.
const keptBytes = 1 << 10

// keep keeps what was parsed of an item's text for the sealer of this process.
func (in *Ingest) keep(ev *entry.Event, it *item, p inbox.Parsed) {
	if in.cfg.Handover.Room() && len(it.event)-len(ev.Data) <= keptBytes {
		p.Event = *ev
		it.parsed = &p
	}
}

// configInterval is how often ingest looks for a newer config. firstConfigInterval applies until
// the log has one.
const (
	configInterval      = 10 * time.Second
	firstConfigInterval = 200 * time.Millisecond
)

// learn follows the redaction rules of the newest config until ctx is done.
func (in *Ingest) learn(ctx context.Context) {
	last := uint64(0)
	for {
		wait := configInterval
		if last = in.learnOnce(ctx, last); last == 0 {
			wait = firstConfigInterval
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// learnOnce reads the newest config if SEALED has grown. If nothing is sealed yet or the broker
// does not answer, the known rules stay.
func (in *Ingest) learnOnce(ctx context.Context, last uint64) uint64 {
	info, err := in.cfg.Log.Sealed.Info(ctx)
	if err != nil || info.Last == last {
		return last
	}
	c, _, err := store.NewestConfig(ctx, in.cfg.Log)
	if err != nil {
		if ctx.Err() == nil && !errors.Is(err, store.ErrNotFound) {
			in.logger.WarnContext(ctx, "ingest cannot read the log's config; it redacts by the rules known before",
				"log", in.cfg.Log.Name, "cause", err)
		}
		return last
	}
	in.sealing.Store(c.Rules)
	if old := in.known.Swap(c.Redaction); old != nil && old.Equal(c.Redaction) {
		return info.Last
	}
	if c.Redaction == nil {
		in.rules.Store(nil)
		return info.Last
	}
	set, err := redact.Compile(c.Redaction)
	if err != nil { // the config is of a newer release, which the sealer has
		in.logger.WarnContext(ctx, "ingest cannot use the log's redaction rules; it keeps its own", "log", in.cfg.Log.Name,
			"cause", err)
		return info.Last
	}
	in.rules.Store(set)
	return info.Last
}
