package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/client"
	"github.com/sealstream/sealstream/pkg/entry"
)

type traceCmd struct {
	ID      string `arg:"" help:"Trace id. With --session, a session id."`
	Session bool   `help:"Take ID as a session id."`
}

func (*traceCmd) Help() string {
	return `Draws what all agents did in a trace, in the order of the log. What an agent did on another's behalf
is indented below the delegation.

Marks: ✗ a violation, or a blocked or refused event; ! denied, quarantined or warned; → a
delegation.

Examples:
  sealstream trace b04037ccf2b9c5fd51f17f5af4319591
  sealstream trace --session tau-airline-0-4`
}

// trace is the answer of GET /v1/traces/{id} and /v1/sessions/{id}.
type trace struct {
	Entries []row
	api.TraceSummary
}

// Run draws the tree, or prints the answer as it is.
func (c *traceCmd) Run(a *app) error {
	if c.ID == "" {
		return errors.New("trace: the id is empty")
	}
	path := "/v1/traces/"
	if c.Session {
		path = "/v1/sessions/"
	}
	var raw json.RawMessage
	if err := a.get(path+client.PathSegment(c.ID), nil, &raw); err != nil {
		return err
	}
	if a.json {
		return a.print(raw)
	}
	var t trace
	if err := json.Unmarshal(raw, &t); err != nil {
		return fmt.Errorf("answer to %s: %w", path, err)
	}
	d := newDrawing(t, c.Session, a.style())
	d.head(c.ID)
	d.tree()
	if _, err := d.out.WriteTo(a.out); err != nil {
		return err
	}
	if t.Truncated && t.NextCursor != nil {
		kind := "trace"
		if c.Session {
			kind = "session"
		}
		fmt.Fprintf(a.err, "more: sealstream query --%s=%s --order asc --cursor %s%s\n", kind, shellWord(c.ID),
			*t.NextCursor, hintFlags(a.server, a.logName))
	}
	return nil
}

// shellWord quotes a text that a shell would not read as one plain word.
func shellWord(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return cell(s, 200) // cannot be pasted, but is safe to print
	}
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/@%+=,") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// isBad reports whether an entry is a violation, or a blocked or refused event.
func (e row) isBad() bool {
	switch e.EventType {
	case "policy_violation", "rogue_detection", "tool_blocked", entry.TypeEquivocation, entry.TypeRejected:
		return true
	}
	return false
}

func (e row) isDenied() bool {
	return e.Action == "deny" || e.Action == "quarantine" || e.Action == "warning" || e.Outcome == "denied"
}

// since returns the time between two timestamps of agents, or "" if one of them is not a time.
func since(first, t string) string {
	begin, err := canonical.ParseTime(first)
	at, err2 := canonical.ParseTime(t)
	if err != nil || err2 != nil {
		return ""
	}
	return "+" + shortDuration(at.Sub(begin))
}

// shortDuration formats a duration with about three digits.
func shortDuration(d time.Duration) string {
	switch {
	case d >= time.Minute:
		d = d.Round(time.Second)
	case d >= time.Second:
		d = d.Round(100 * time.Millisecond)
	case d >= time.Millisecond:
		d = d.Round(time.Millisecond)
	}
	return d.String()
}
