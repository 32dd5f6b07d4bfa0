package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sealstream/sealstream/internal/when"
)

// row is the part of an entry that tables, streams and traces show.
type row struct {
	Index          uint64
	Timestamp      string
	Action         string
	Outcome        string
	Resource       string
	EventType      string `json:"event_type"`
	AgentDID       string `json:"agent_did"`
	TargetDID      string `json:"target_did"`
	MatchedRule    string `json:"matched_rule"`
	PolicyDecision string `json:"policy_decision"`
}

// line returns an entry as one line with fixed columns, for a stream whose longest value is not
// known.
func (r row) line() string {
	return fmt.Sprintf("%7d  %-30s  %-18s  %-40s  %s  %s", r.Index, cell(r.Timestamp, 40), cell(r.EventType, 32),
		cell(r.AgentDID, 48), decision(r), cell(r.Resource, 200))
}

// colour returns the colour that the entry has in traces.
func (r row) colour() string {
	switch {
	case r.isBad():
		return red
	case r.isDenied():
		return yellow
	}
	return ""
}

// tabbed prints an entry as a row of the table that goes to a pipe.
func (r row) tabbed(t *tabwriter.Writer) {
	fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Index, cell(r.Timestamp, 40), cell(r.EventType, 32),
		cell(r.AgentDID, 48), cell(r.Action, 16), cell(r.Outcome, 16), cell(r.Resource, 60))
}

// entryColumns are the columns of entries on a terminal. Those that entries of one log fill alike
// give way last.
var entryColumns = []column{
	{title: "INDEX"},
	{title: "TIME"},
	{title: "TYPE", least: 12},
	{title: "AGENT", least: 17},
	{title: "DECISION", least: 8},
	{title: "RESOURCE", least: 11},
}

// entryTable returns an empty table of entries for this terminal.
func (a *app) entryTable() *table { return &table{style: a.style(), columns: entryColumns} }

// add adds an entry to a table of entries.
func (a *app) add(t *table, r row) {
	agent, decided := cell(r.AgentDID, 64), decision(r)
	if t.width > 0 {
		agent, decided = shortAgent(agent), shortDecision(r)
	}
	t.add(r.colour(), strconv.FormatUint(r.Index, 10), a.short(r.Timestamp), cell(r.EventType, 32),
		agent, decided, cell(r.Resource, 120))
}

// shortAgent leaves out the method of a DID, and marks that. --wide shows the whole.
func shortAgent(agent string) string {
	if rest, ok := strings.CutPrefix(agent, "did:"); ok {
		if _, name, ok := strings.Cut(rest, ":"); ok {
			return "…" + name
		}
	}
	return agent
}

// shortDecision leaves out the outcome that is expected.
func shortDecision(r row) string {
	if r.Action != "" && r.Outcome == "success" {
		return cell(r.Action, 16)
	}
	return decision(r)
}

// short returns a time of an entry as a terminal shows it.
func (a *app) short(text string) string {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return cell(text, 40)
	}
	return when.Short(at, a.now())
}

// now returns the present time, in the zone of the times that a terminal shows.
func (a *app) now() time.Time {
	if a.utc {
		return time.Now().UTC()
	}
	return time.Now()
}

// style returns the style of the standard output.
func (a *app) style() style {
	s := styleOf(a.out)
	if a.wide {
		s.width = 0
	}
	return s
}

// liveWidths are the columns of entries that come one by one: what entries usually fill.
var liveWidths = []int{6, 16, 17, 26, 13, 40}

// printer returns a function that prints an entry as one line: as text, or as JSON with --json.
func (a *app) printer() func(raw []byte) error {
	style := a.style()
	var live *table
	if isTerminal(a.out) && !a.json {
		live = a.entryTable()
		live.widths = slices.Clone(liveWidths)
		live.shrink(live.widths)
	}
	return func(raw []byte) error {
		if a.json {
			return a.encode(json.RawMessage(raw), false) // removes line breaks inside of data
		}
		var r row
		if err := json.Unmarshal(raw, &r); err != nil {
			return fmt.Errorf("an entry of the answer: %w", err)
		}
		if live != nil {
			a.add(live, r)
			return live.write(a.out)
		}
		_, err := fmt.Fprint(a.out, style.line("", r.colour(), r.line()))
		return err
	}
}
