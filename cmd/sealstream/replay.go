package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"github.com/sealstream/sealstream/internal/retry"
)

type replayCmd struct {
	fieldFlags
	Since     string        `help:"Earliest time, in the forms of query." aliases:"from" placeholder:"TIME"`
	Until     string        `help:"Latest time, in the same forms. A day includes its end." placeholder:"TIME"`
	Speed     string        `help:"1x: original speed; 10x: ten times as fast; max: without pauses." default:"1x" predictor:"speed" placeholder:"1x|10x|max"`
	Dest      string        `aliases:"to" help:"Destination: terminal, a subject audit.<log>.replay.NAME, or an http or https URL." default:"terminal" placeholder:"terminal|SUBJECT|URL"`
	FromIndex uint64        `help:"Index to start at, to continue a replay that stopped." placeholder:"INDEX"`
	MaxPause  time.Duration `help:"Longest pause between entries. 0 keeps the original pauses." placeholder:"DURATION"`
	Name      string        `help:"Value of the attribute sealreplay. Default: the last part of the subject, or a new UUID."`
	Batch     int           `help:"Events per HTTP request, 1 to 256. More than one are sent as a CloudEvents batch." default:"1"`
	natsFlags
}

func (*replayCmd) Help() string {
	return `Sends entries again, paced by the times at which the log received them, up to the current end of the
log. Each is a CloudEvent whose type is sealstream.replay. followed by the original type, so that no
ingest accepts it as a new event. It has the attributes sealreplay, sealindex and sealhash.

Examples:
  sealstream replay --trace 7f3a --speed 10x
  sealstream replay --speed max --dest audit.default.replay.night \
    --context sealstream-data/replay.json
  sealstream replay --dest http://127.0.0.1:9000/events --batch 100`
}

// Run replays until the end, or until a signal stops it. Then it prints how to continue.
func (c *replayCmd) Run(a *app) error {
	speed, err := parseSpeed(c.Speed)
	if err != nil {
		return err
	}
	if c.Batch < 1 || c.Batch > 256 {
		return fmt.Errorf("--batch %d is not between 1 and 256", c.Batch)
	}
	if c.MaxPause < 0 {
		return errors.New("--max-pause is negative")
	}
	if strings.ContainsFunc(c.Name, func(r rune) bool { return !unicode.IsPrint(r) }) || len(c.Name) > 256 {
		return fmt.Errorf("--name %.80q is longer than 256 bytes or has characters that cannot be printed", c.Name)
	}
	to, err := c.target(a)
	if err != nil {
		return err
	}
	defer to.close()
	if c.Name == "" {
		c.Name = uuid.Must(uuid.NewV7()).String()
	}
	if err := c.known(); err != nil {
		return err
	}
	filter := c.filter()
	if filter.From, filter.To, err = (periodFlags{c.Since, c.Until}).times(time.Now()); err != nil {
		return err
	}
	r := &replay{
		app:     a,
		history: newHistory(a, filter.Values(), c.FromIndex),
		pace:    pace{speed: speed, maxPause: c.MaxPause},
		to:      to,
		next:    c.FromIndex,
	}
	err = r.run(a.ctx)
	if stopped := a.ctx.Err() != nil; stopped || err != nil {
		fmt.Fprintf(a.err, "stopped after %s; continue with --from-index %d\n", plural(r.sent, "event", "events"), r.next)
		if stopped {
			return nil
		}
		return err
	}
	if r.sent == 0 && isTerminal(a.err) {
		fmt.Fprintln(a.err, "no entries match")
	}
	if c.Dest != "terminal" {
		fmt.Fprintf(a.err, "replayed %s as %s\n", plural(r.sent, "event", "events"), c.Name)
	}
	return nil
}

// replay reads entries from the history, waits until they are due, and sends them.
type replay struct {
	*app
	*history
	pace
	to   target
	sent uint64 // number of entries
	next uint64 // index after the last entry that was sent
}

func (r *replay) run(ctx context.Context) error {
	for {
		group, err := r.group(ctx)
		if len(group) == 0 || err != nil {
			return err
		}
		if err := r.to.send(ctx, group); err != nil {
			return err
		}
		r.sent += uint64(len(group))
		r.next = group[len(group)-1].entry.Index + 1
	}
}

// group waits until the next entry is due, and returns it with the others that are due by then.
func (r *replay) group(ctx context.Context) (group []replayed, err error) {
	for len(group) < r.to.maxBatch() {
		e, err := r.peek()
		if e == nil || err != nil {
			return group, err
		}
		wait, err := r.until(e.entry.ReceivedAt)
		if err != nil {
			return nil, err
		}
		if wait > 0 {
			if len(group) > 0 {
				break
			}
			if retry.Sleep(ctx, wait) != nil {
				return nil, ctx.Err()
			}
		}
		group = append(group, *e)
		r.take()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return group, nil
}
