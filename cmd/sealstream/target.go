package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/sealstream/sealstream/pkg/entry"
)

// target is where a replay goes.
type target interface {
	most() int // entries in one send
	// send hands entries on; all of them have arrived when it returns nil.
	send(ctx context.Context, group []replayed) error
	close()
}

// target opens where --to says.
func (c *replayCmd) target(a *app) (target, error) {
	if c.Dest == "terminal" {
		return &terminalTarget{a, a.printer(), c}, nil
	}
	if u, err := url.Parse(c.Dest); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
		if u.Host == "" {
			return nil, fmt.Errorf("--to %.200q: no host", c.Dest)
		}
		return &httpTarget{c.Dest, c.Batch, c}, nil
	}
	prefix := "audit." + a.log + ".replay."
	name, ok := strings.CutPrefix(c.Dest, prefix)
	if !ok || name == "" || strings.ContainsAny(name, ".*> \t\r\n") {
		return nil, fmt.Errorf("--to %.200q is neither terminal, a URL, nor a subject %sNAME", c.Dest, prefix)
	}
	if c.Name == "" {
		c.Name = name
	}
	return c.natsTarget()
}

// terminalTarget prints a line for each entry, or the events that the other targets get.
type terminalTarget struct {
	a    *app
	show func([]byte) error
	c    *replayCmd
}

func (t *terminalTarget) most() int { return 1 }
func (t *terminalTarget) close()    {}

func (t *terminalTarget) send(_ context.Context, group []replayed) error {
	for _, e := range group {
		b := []byte(e.shown)
		if t.a.json {
			var err error
			if b, err = entry.Replay(e.entry, e.payload, t.c.Name); err != nil {
				return err
			}
		}
		if err := t.show(b); err != nil {
			return err
		}
	}
	return nil
}
