package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
)

type replayCmd struct {
	fieldFlags
	From      string        `help:"Earliest timestamp, RFC 3339, inclusive." placeholder:"TIME"`
	Until     string        `help:"Latest timestamp, RFC 3339, inclusive." placeholder:"TIME"`
	Speed     string        `help:"1x: at its own pace; 10x: ten times as fast; max: without pauses." default:"1x" placeholder:"1x|10x|max"`
	Dest      string        `name:"to" help:"terminal, a subject audit.<log>.replay.NAME, or an http or https URL." default:"terminal" placeholder:"terminal|SUBJECT|URL"`
	FromIndex uint64        `help:"First index; to go on where a replay stopped." placeholder:"INDEX"`
	MaxPause  time.Duration `help:"No pause is longer; 0: as long as it was." placeholder:"DURATION"`
	Name      string        `help:"What the replayed events say in sealreplay; none: the last part of the subject, or a new UUID."`
	Batch     int           `help:"Events in one HTTP request, 1 to 256; more than one go as a CloudEvents batch." default:"1"`
	natsFlags
}

func (*replayCmd) Help() string {
	return "Tells entries again, by the times at which the log received them, up to the end that the log has now. Each goes as a CloudEvent whose type is " +
		"sealstream.replay. and the original's, with sealreplay, sealindex and sealhash: no ingest takes it for a new event.\n\n" +
		"Examples:\n  sealstream replay --trace 7f3a --speed 10x\n" +
		"  sealstream replay --speed max --to audit.default.replay.night --context sealstream-data/replay.json\n" +
		"  sealstream replay --type policy_violation --to http://127.0.0.1:9000/events --batch 100"
}

// Run replays until the end, or until a signal stops it; then it says how to go on.
func (c *replayCmd) Run(a *app) error {
	speed, err := parseSpeed(c.Speed)
	if err != nil {
		return err
	}
	if c.Batch < 1 || c.Batch > 256 {
		return fmt.Errorf("--batch %d: 1 to 256 are possible", c.Batch)
	}
	if c.MaxPause < 0 {
		return errors.New("--max-pause is negative")
	}
	if strings.ContainsFunc(c.Name, func(r rune) bool { return !unicode.IsPrint(r) }) || len(c.Name) > 256 {
		return fmt.Errorf("--name %.80q: up to 256 printable characters are possible", c.Name)
	}
	to, err := c.target(a)
	if err != nil {
		return err
	}
	defer to.close()
	if c.Name == "" {
		c.Name = uuid.Must(uuid.NewV7()).String()
	}
	q := c.values()
	setTimes(q, c.From, c.Until)
	r := &replay{
		app: a, history: newHistory(a, q, c.FromIndex), pace: pace{speed: speed, most: c.MaxPause}, to: to, name: c.Name, next: c.FromIndex,
	}
	err = r.run(a.ctx)
	if stopped := a.ctx.Err() != nil; stopped || err != nil {
		fmt.Fprintf(a.err, "stopped after %s; go on with --from-index %d\n", plural(r.sent, "event", "events"), r.next)
		if stopped {
			return nil
		}
		return err
	}
	if c.Dest != "terminal" {
		fmt.Fprintf(a.err, "replayed %s as %s\n", plural(r.sent, "event", "events"), c.Name)
	}
	return nil
}

// replay takes entries from the history, waits until they are due, and hands them on.
type replay struct {
	*app
	*history
	pace
	to   target
	name string
	sent uint64
	next uint64 // index from which on nothing is handed on yet
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

// group waits for the next entry, and takes with it what is due by then.
func (r *replay) group(ctx context.Context) (group []replayed, err error) {
	for len(group) < r.to.most() {
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
			if err := sleep(ctx, wait); err != nil {
				return nil, err
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

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
