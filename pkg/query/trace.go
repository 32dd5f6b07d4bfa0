package query

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/sealstream/sealstream/pkg/entry"
)

// Trace is all that agents did under one trace or session id, in the order of the log, and who did it on whose behalf.
type Trace struct {
	Entries []Found
	TraceSummary
}

// TraceSummary is a Trace without its entries. A Trace holds at most MaxLimit entries: where there are more, Truncated says so,
// and all but Count is of the first ones alone.
type TraceSummary struct {
	TraceID   string `json:"trace_id,omitempty"`   // what was asked for: this,
	SessionID string `json:"session_id,omitempty"` // or this

	Count     uint64 `json:"count"` // entries with the id
	Truncated bool   `json:"truncated"`
	// NextCursor goes on behind the last entry, in /v1/entries with trace or session and order=asc; null if nothing is truncated.
	NextCursor *string `json:"next_cursor"`
	TreeSize   uint64  `json:"tree_size"`

	Tree     []Branch  `json:"tree"`
	Counts   Counts    `json:"counts"`
	Received TimeRange `json:"received"` // when the log received the entries
	Claimed  TimeRange `json:"claimed"`  // when they happened, by what the agents say
}

// Branch is what one agent did in a trace on one behalf. An entry of an agent hangs below the newest delegation to that agent that stands before it in the
// log under the same trace_id, and at the root if there is none. A delegation is an agent_invocation with a target_did that was not denied. The
// log knows no more of who calls whom: an agent that two others call at once may hang below the wrong one of them.
type Branch struct {
	AgentDID   string   `json:"agent_did"`
	TraceID    string   `json:"trace_id,omitempty"`
	Delegation *uint64  `json:"delegation"` // index of the delegation that it hangs below; null at the root
	Parent     *int     `json:"parent"`     // place in Tree of the branch that holds the delegation; null at the root. It is less than the own one
	Depth      int      `json:"depth"`      // delegations above
	Entries    []uint64 `json:"entries"`    // indexes, ascending; none, if the agent left no entry
}

// Counts says how often each value occurs. Entries without a value are in no count.
type Counts struct {
	Agents   map[string]int `json:"agents"`
	Types    map[string]int `json:"types"`
	Actions  map[string]int `json:"actions"`
	Outcomes map[string]int `json:"outcomes"`
}

// TimeRange is the earliest and the latest of some times, and how far apart they are.
type TimeRange struct {
	First   string  `json:"first"`
	Last    string  `json:"last"`
	Seconds float64 `json:"seconds"`
}

// Trace reads the entries with a trace id; ErrNotFound says that there is none.
func (q *Query) Trace(ctx context.Context, id string) (Trace, error) {
	return q.trace(ctx, Filter{Trace: []string{id}})
}

// Session reads the entries with a session id; ErrNotFound says that there is none.
func (q *Query) Session(ctx context.Context, id string) (Trace, error) {
	return q.trace(ctx, Filter{Session: []string{id}})
}

func (q *Query) trace(ctx context.Context, f Filter) (Trace, error) {
	plan, s, err := q.planTrace(f)
	if err != nil {
		return Trace{}, err
	}
	found, err := plan.read(ctx, plan.indexes)
	if err != nil {
		return Trace{}, err
	}
	s.add(found)
	return Trace{found, s.TraceSummary}, nil
}

// planTrace finds the entries of a trace, before they are read.
func (q *Query) planTrace(f Filter) (plan, *traceSummary, error) {
	p, err := q.plan(f, Page{Limit: MaxLimit, Order: Ascending})
	if err != nil {
		return plan{}, nil, err
	}
	s := newTraceSummary()
	what, id := "session", ""
	if len(f.Trace) > 0 {
		what, id = "trace", f.Trace[0]
		s.TraceID = id
	} else {
		id = f.Session[0]
		s.SessionID = id
	}
	if len(p.indexes) == 0 {
		return plan{}, nil, fmt.Errorf("%s %.200q: %w", what, id, ErrNotFound)
	}
	s.Count, s.TreeSize = uint64(len(p.indexes)), p.size
	if p.next != "" {
		s.Truncated, s.NextCursor = true, &p.next
		if s.Count, err = q.countUpTo(f, p.size); err != nil {
			return plan{}, nil, err
		}
	}
	return p, s, nil
}

// traceSummary makes a TraceSummary of entries as they come.
type traceSummary struct {
	TraceSummary
	below    map[actor]int // the branch in which an agent's next entry stands
	received timeRange
	claimed  timeRange
}

// actor is an agent within one trace. A session may have several traces.
type actor struct{ trace, agent string }

func newTraceSummary() *traceSummary {
	return &traceSummary{below: map[actor]int{}, TraceSummary: TraceSummary{
		Tree:   []Branch{},
		Counts: Counts{map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}},
	}}
}

func (s *traceSummary) add(list []Found) {
	for i := range list {
		e := &list[i].Entry
		s.hang(e)
		for _, c := range []struct {
			counts map[string]int
			value  string
		}{{s.Counts.Agents, e.AgentDID}, {s.Counts.Types, e.EventType}, {s.Counts.Actions, e.Action}, {s.Counts.Outcomes, e.Outcome}} {
			if c.value != "" {
				c.counts[c.value]++
			}
		}
		s.Received, s.Claimed = s.received.add(e.ReceivedAt), s.claimed.add(e.Timestamp)
	}
}

// hang puts an entry into its branch and, if it is a delegation, opens the branch below it.
func (s *traceSummary) hang(e *entry.Entry) {
	by := actor{e.TraceID, e.AgentDID}
	at, there := s.below[by]
	if !there {
		at = s.open(by, Branch{})
	}
	b := &s.Tree[at]
	b.Entries = append(b.Entries, e.Index)
	if isDelegation(e) {
		index := e.Index
		s.open(actor{e.TraceID, e.TargetDID}, Branch{Delegation: &index, Parent: &at, Depth: b.Depth + 1})
	}
}

func (s *traceSummary) open(by actor, b Branch) int {
	b.AgentDID, b.TraceID, b.Entries = by.agent, by.trace, []uint64{}
	s.Tree = append(s.Tree, b)
	s.below[by] = len(s.Tree) - 1
	return len(s.Tree) - 1
}

func isDelegation(e *entry.Entry) bool {
	return e.EventType == "agent_invocation" && e.TargetDID != "" && e.Action != "deny" && e.Outcome != "denied"
}

// timeRange widens a TimeRange.
type timeRange struct {
	TimeRange
	begin, end int64 // seconds since 1970
	fraction   [2]float64
}

func (r *timeRange) add(canonical string) TimeRange {
	t, err := entry.ParseTime(canonical)
	if err != nil {
		return r.TimeRange // an entry that was parsed has times
	}
	fraction := float64(t.Nanosecond()) / 1e9
	if r.First == "" || compareTimes(canonical, r.First) < 0 {
		r.First, r.begin, r.fraction[0] = canonical, t.Unix(), fraction
	}
	if r.Last == "" || compareTimes(canonical, r.Last) > 0 {
		r.Last, r.end, r.fraction[1] = canonical, t.Unix(), fraction
	}
	r.Seconds = float64(r.end-r.begin) + (r.fraction[1] - r.fraction[0]) // years 0 to 9999 are more than a Duration holds
	return r.TimeRange
}

// MarshalJSON writes the trace as the API shows it.
func (t Trace) MarshalJSON() ([]byte, error) {
	dst, err := appendEntries([]byte(`{"entries":[`), t.Entries, false, false)
	if err != nil {
		return nil, err
	}
	return t.appendEnd(dst)
}

// appendEnd closes the list of entries and writes the members of the summary behind it.
func (s *TraceSummary) appendEnd(dst []byte) ([]byte, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	b[0] = ','
	return append(append(dst, ']'), b...), nil
}
