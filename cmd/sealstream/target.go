package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/sealstream/sealstream/internal/when"
	"github.com/sealstream/sealstream/streams/subject"
)

// target is the destination of a replay.
type target interface {
	// maxBatch is the largest number of entries of the next send.
	maxBatch() int
	// send sends entries. If it returns nil, all of them have arrived.
	send(ctx context.Context, group []replayed) error
	close()
}

// target opens the destination of --dest.
func (c *replayCmd) target(a *app) (target, error) {
	if c.Dest == "terminal" {
		return &terminalTarget{a, a.printer(), c}, nil
	}
	if when.Is(c.Dest) {
		return nil, fmt.Errorf("--dest %s is a time; give --until to end the replay there", c.Dest)
	}
	if u, err := url.Parse(c.Dest); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
		if u.Host == "" {
			return nil, fmt.Errorf("--dest %.200q: no host", c.Dest)
		}
		return &httpTarget{c.Dest, c.Batch, c}, nil
	}
	prefix := subject.Replay(a.logName, "")
	name, ok := strings.CutPrefix(c.Dest, prefix)
	if !ok || name == "" || strings.ContainsAny(name, ".*> \t\r\n") {
		return nil, fmt.Errorf("--dest %.200q is neither terminal, a URL, nor a subject %sNAME", c.Dest, prefix)
	}
	if c.Name == "" {
		c.Name = name
	}
	return c.natsTarget()
}

// terminalTarget prints a line for each entry, or with --json the events that other targets
// receive.
type terminalTarget struct {
	a    *app
	show func([]byte) error
	c    *replayCmd
}

func (t *terminalTarget) maxBatch() int { return 1 }
func (t *terminalTarget) close()        {}

func (t *terminalTarget) send(_ context.Context, group []replayed) error {
	for _, e := range group {
		b := []byte(e.shown)
		if t.a.json {
			var err error
			if b, err = e.entry.Replay(e.payload, t.c.Name); err != nil {
				return err
			}
		}
		if err := t.show(b); err != nil {
			return err
		}
	}
	return nil
}
