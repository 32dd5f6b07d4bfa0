package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/sealstream/sealstream/pkg/entry"
)

type traceCmd struct {
	ID      string `arg:"" help:"Trace id, or with --session a session id."`
	Session bool   `help:"ID is that of a session."`
}

func (*traceCmd) Help() string {
	return "Draws what all agents did in a trace, in the order of the log; what an agent did on another's behalf hangs below the delegation.\n\n" +
		"Marks: ✗ a violation, or an event that was blocked or refused; ! denied, quarantined or warned of; → a delegation.\n\n" +
		"Examples:\n  sealstream trace b04037ccf2b9c5fd51f17f5af4319591\n  sealstream trace --session tau-airline-0-4"
}

// trace is the answer of GET /v1/traces/{id} and /v1/sessions/{id}.
type trace struct {
	Entries    []traceEntry
	Count      uint64
	Truncated  bool
	NextCursor *string `json:"next_cursor"`
	Tree       []traceBranch
	Counts     struct{ Agents, Types map[string]int }
	Received   struct{ Seconds float64 }
	Claimed    struct {
		First   string
		Seconds float64
	}
}

type traceEntry struct {
	Index                                uint64
	Timestamp, Action, Outcome, Resource string
	EventType                            string `json:"event_type"`
	TargetDID                            string `json:"target_did"`
	MatchedRule                          string `json:"matched_rule"`
	PolicyDecision                       string `json:"policy_decision"`
}

type traceBranch struct {
	AgentDID   string  `json:"agent_did"`
	TraceID    string  `json:"trace_id"`
	Delegation *uint64 `json:"delegation"`
	Entries    []uint64
}

// Run draws the tree, or prints the answer as it is.
func (c *traceCmd) Run(a *app) error {
	if c.ID == "" {
		return errors.New("the id is empty")
	}
	path := "/v1/traces/"
	if c.Session {
		path = "/v1/sessions/"
	}
	var raw json.RawMessage
	if err := a.get(path+url.PathEscape(c.ID), nil, &raw); err != nil {
		return err
	}
	if a.json {
		return a.print(raw)
	}
	var t trace
	if err := json.Unmarshal(raw, &t); err != nil {
		return fmt.Errorf("answer to %s: %w", path, err)
	}
	d := newDrawing(t, c.Session, styleOf(a.out))
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
		fmt.Fprintf(a.err, "more: sealstream query --%s=%s --order asc --cursor %s\n", kind, shellWord(c.ID), *t.NextCursor)
	}
	return nil
}

// shellWord quotes what a shell would not take as one plain word.
func shellWord(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return cell(s, 200) // nothing to paste, but nothing that a terminal obeys
	}
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/@%+=,") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// isBad says whether an entry is of a kind that an investigator looks for.
func (e traceEntry) isBad() bool {
	switch e.EventType {
	case "policy_violation", "rogue_detection", "tool_blocked", entry.TypeEquivocation, entry.TypeRejected:
		return true
	}
	return false
}

func (e traceEntry) isDenied() bool {
	return e.Action == "deny" || e.Action == "quarantine" || e.Action == "warning" || e.Outcome == "denied"
}

// since is a time on the agents' clocks, counted from the trace's earliest.
func since(first, t string) string {
	begin, err := entry.ParseTime(first)
	at, err2 := entry.ParseTime(t)
	if err != nil || err2 != nil {
		return ""
	}
	return "+" + shortDuration(at.Sub(begin))
}

// shortDuration has about three digits.
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
