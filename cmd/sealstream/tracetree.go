package main

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// drawing draws a trace as a tree of text.
type drawing struct {
	style
	trace
	session bool
	entries map[uint64]traceEntry
	below   map[uint64]traceBranch // by the index of the delegation
	digits  int                    // of the longest index
	types   int                    // characters of the longest event type
	out     bytes.Buffer
}

// maxType is how much is shown of an event type, which agents choose freely.
const maxType = 32

func newDrawing(t trace, session bool, s style) *drawing {
	d := &drawing{style: s, trace: t, session: session, entries: map[uint64]traceEntry{}, below: map[uint64]traceBranch{}}
	for _, e := range t.Entries {
		d.entries[e.Index] = e
		d.digits = max(d.digits, len(fmt.Sprint(e.Index)))
		d.types = max(d.types, utf8.RuneCountInString(cell(e.EventType, maxType)))
	}
	for _, b := range t.Tree {
		if b.Delegation != nil {
			d.below[*b.Delegation] = b
		}
	}
	return d
}

// head says what the whole amounts to.
func (d *drawing) head(id string) {
	kind := "trace"
	if d.session {
		kind = "session"
	}
	d.out.WriteString(d.line("", bold, kind+" "+cell(id, 200)))
	shown := ""
	if d.Truncated {
		shown = fmt.Sprintf("first %d of ", len(d.Entries))
	}
	d.out.WriteString(d.line("", "", fmt.Sprintf("%s%s of %s; %s by the agents' clocks, %s in the log", shown, plural(d.Count, "entry", "entries"),
		plural(uint64(len(d.Counts.Agents)), "agent", "agents"), seconds(d.Claimed.Seconds), seconds(d.Received.Seconds))))
	var counts []string
	for _, name := range slices.SortedFunc(maps.Keys(d.Counts.Types), func(a, b string) int {
		if c := d.Counts.Types[b] - d.Counts.Types[a]; c != 0 {
			return c
		}
		return strings.Compare(a, b)
	}) {
		counts = append(counts, fmt.Sprintf("%d %s", d.Counts.Types[name], cell(name, maxType)))
	}
	d.out.WriteString(d.line("", faint, strings.Join(counts, ", ")))
}

func plural(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// seconds of a span that may be longer than a Duration holds.
func seconds(s float64) string {
	if s >= 1e9 {
		return fmt.Sprintf("%.0f s", s)
	}
	return shortDuration(time.Duration(s * float64(time.Second)))
}

// tree draws the agents that act on nobody's behalf, and what hangs below them.
func (d *drawing) tree() {
	for _, b := range d.Tree {
		if b.Delegation != nil {
			continue
		}
		title := cell(b.AgentDID, 200)
		if d.session && b.TraceID != "" {
			title += "  trace " + cell(b.TraceID, 80)
		}
		d.out.WriteByte('\n')
		d.out.WriteString(d.line("", bold, title))
		d.branch(b, "")
	}
}

func (d *drawing) branch(b traceBranch, prefix string) {
	for i, x := range b.Entries {
		fork, rest := "├─ ", "│  "
		if i == len(b.Entries)-1 {
			fork, rest = "└─ ", "   "
		}
		e := d.entries[x]
		below, delegates := d.below[x]
		delete(d.below, x) // what a server tells that lies has perhaps no end
		colour, text := d.entry(e, delegates, below)
		d.out.WriteString(d.line(d.short(prefix+fork), colour, text))
		if delegates {
			d.branch(below, prefix+rest)
		}
	}
}

// short keeps the branches of a deep tree from filling the line.
func (d *drawing) short(prefix string) string {
	if n := utf8.RuneCountInString(prefix); d.width > 0 && n > d.width/2 {
		return "…" + string([]rune(prefix)[n-d.width/2+1:])
	}
	return prefix
}

// entry is a line's colour and text.
func (d *drawing) entry(e traceEntry, delegates bool, below traceBranch) (colour, text string) {
	mark := " "
	switch {
	case e.isBad():
		colour, mark = red, "✗"
	case e.isDenied():
		colour, mark = yellow, "!"
	case delegates:
		colour, mark = cyan, "→"
	}
	text = fmt.Sprintf("%s %*d  %-8s  %-*s  %s", mark, d.digits, e.Index, since(d.Claimed.First, e.Timestamp), d.types, cell(e.EventType, maxType), decision(e))
	if e.Resource != "" {
		text += "  " + cell(e.Resource, 200)
	}
	if e.TargetDID != "" {
		text += "  → " + cell(e.TargetDID, 200)
		if delegates && len(below.Entries) == 0 {
			text += " (which left no entry)"
		}
	}
	if e.MatchedRule != "" {
		text += "  rule " + cell(e.MatchedRule, 200)
	}
	if e.PolicyDecision != "" {
		text += "  (" + cell(e.PolicyDecision, 200) + ")"
	}
	return colour, text
}

func decision(e traceEntry) string {
	switch {
	case e.Action == "":
		return cell(e.Outcome, 16)
	case e.Outcome == "":
		return cell(e.Action, 16)
	}
	return cell(e.Action, 16) + "/" + cell(e.Outcome, 16)
}
