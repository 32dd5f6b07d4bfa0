package main

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sealstream/sealstream/pkg/api"
)

// drawing draws a trace as a tree of text.
type drawing struct {
	style
	trace
	session bool
	entries map[uint64]row
	below   map[uint64]api.Branch // index of a delegation to its branch
	digits  int                   // length of the longest index
	types   int                   // length of the longest event type, in characters
	out     bytes.Buffer
}

// maxType is the longest part of an event type that is shown, in characters. Agents choose it
// freely.
const maxType = 32

func newDrawing(t trace, session bool, s style) *drawing {
	d := &drawing{style: s, trace: t, session: session, entries: map[uint64]row{}, below: map[uint64]api.Branch{}}
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

// head writes the totals.
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
	agents := plural(uint64(len(d.Counts.Agents)), "agent", "agents")
	d.out.WriteString(d.line("", "", fmt.Sprintf("%s%s of %s; %s by the agents' clocks, %s in the log", shown,
		plural(d.Count, "entry", "entries"), agents, seconds(d.Claimed.Seconds), seconds(d.Received.Seconds))))
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

// seconds formats a number of seconds, which may be longer than a time.Duration can hold.
func seconds(s float64) string {
	if s >= 1e9 {
		return fmt.Sprintf("%.0f s", s)
	}
	return shortDuration(time.Duration(s * float64(time.Second)))
}

// tree draws the branches of the agents that nobody delegated to, and what is below them.
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

func (d *drawing) branch(b api.Branch, prefix string) {
	for i, x := range b.Entries {
		fork, rest := "├─ ", "│  "
		if i == len(b.Entries)-1 {
			fork, rest = "└─ ", "   "
		}
		e := d.entries[x]
		below, delegates := d.below[x]
		delete(d.below, x) // a lying server could send a loop
		colour, text, details := d.entry(e, delegates, below)
		d.entryLines(prefix+fork, prefix+rest, colour, text, details)
		if delegates {
			d.branch(below, prefix+rest)
		}
	}
}

// entryLines writes an entry: its line, and its details in lines below where they do not fit beside
// it. A resource alone is cut instead.
func (d *drawing) entryLines(first, rest, colour, text string, details []string) {
	whole := strings.Join(append([]string{text}, details...), "  ")
	first = d.short(first)
	if room := d.width - utf8.RuneCountInString(first); d.width == 0 || len(details) < 2 ||
		utf8.RuneCountInString(whole) <= room {
		d.out.WriteString(d.line(first, colour, whole))
		return
	}
	rest = d.short(rest + strings.Repeat(" ", d.digits+4))
	below := style{width: max(d.width-utf8.RuneCountInString(rest), 20)}
	d.out.WriteString(d.line(first, colour, text))
	for line := range strings.Lines(below.wrap(strings.Join(details, "  "), 0)) {
		d.out.WriteString(d.line(rest, colour, strings.TrimSpace(line)))
	}
}

// short shortens the prefix of a deep branch to half of the width.
func (d *drawing) short(prefix string) string {
	if n := utf8.RuneCountInString(prefix); d.width > 0 && n > d.width/2 {
		return "…" + string([]rune(prefix)[n-d.width/2+1:])
	}
	return prefix
}

// entry returns the colour and the text of an entry's line, and what else there is to tell: the
// resource first, if there is one.
func (d *drawing) entry(e row, delegates bool, below api.Branch) (colour, text string, details []string) {
	mark := " "
	switch {
	case e.isBad():
		colour, mark = red, "✗"
	case e.isDenied():
		colour, mark = yellow, "!"
	case delegates:
		colour, mark = cyan, "→"
	}
	decided := decision(e)
	if d.width > 0 {
		decided = shortDecision(e)
	}
	text = fmt.Sprintf("%s %*d  %-8s  %-*s  %s", mark, d.digits, e.Index, since(d.Claimed.First, e.Timestamp), d.types,
		cell(e.EventType, maxType), decided)
	if e.Resource != "" {
		details = append(details, cell(e.Resource, 200))
	}
	if e.TargetDID != "" {
		to := "→ " + cell(e.TargetDID, 200)
		if delegates && len(below.Entries) == 0 {
			to += " (which left no entry)"
		}
		details = append(details, to)
	}
	if e.MatchedRule != "" {
		details = append(details, "rule "+cell(e.MatchedRule, 200))
	}
	if e.PolicyDecision != "" {
		details = append(details, "("+cell(e.PolicyDecision, 200)+")")
	}
	return colour, text, details
}

func decision(e row) string {
	switch {
	case e.Action == "":
		return cell(e.Outcome, 16)
	case e.Outcome == "":
		return cell(e.Action, 16)
	}
	return cell(e.Action, 16) + "/" + cell(e.Outcome, 16)
}
