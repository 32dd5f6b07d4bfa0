package query

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
)

// Trace holds all entries with one trace or session id, in log order, and who acted on whose
// behalf.
type Trace struct {
	Entries []Found
	api.TraceSummary
}

// Trace reads the entries with a trace id. The error wraps ErrNotFound if there are none.
func (q *Query) Trace(ctx context.Context, id string) (Trace, error) {
	return q.trace(ctx, api.Filter{Trace: []string{id}})
}

// Session reads the entries with a session id. The error wraps ErrNotFound if there are none.
func (q *Query) Session(ctx context.Context, id string) (Trace, error) {
	return q.trace(ctx, api.Filter{Session: []string{id}})
}

func (q *Query) trace(ctx context.Context, f api.Filter) (Trace, error) {
	plan, s, err := q.planTrace(ctx, f)
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

// planTrace finds the entries of a trace without reading them.
func (q *Query) planTrace(ctx context.Context, f api.Filter) (plan, *traceSummary, error) {
	p, err := q.plan(ctx, f, Page{Limit: MaxLimit, Order: Ascending})
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
		if s.Count, err = q.countUpTo(ctx, f, p.size); err != nil {
			return plan{}, nil, err
		}
	}
	return p, s, nil
}

// traceSummary builds a TraceSummary while entries are read.
type traceSummary struct {
	api.TraceSummary
	openBranches map[actor]int // the branch to which an agent's next entry belongs
	received     timeRange
	claimed      timeRange
}

// actor is an agent within one trace. A session may have several traces.
type actor struct{ trace, agent string }

func newTraceSummary() *traceSummary {
	return &traceSummary{openBranches: map[actor]int{}, TraceSummary: api.TraceSummary{
		Tree: []api.Branch{},
		Counts: api.TraceCounts{
			Agents: map[string]int{}, Types: map[string]int{}, Actions: map[string]int{}, Outcomes: map[string]int{},
		},
	}}
}

func (s *traceSummary) add(list []Found) {
	for i := range list {
		e := &list[i].Entry
		s.attach(e)
		for _, c := range []struct {
			counts map[string]int
			value  string
		}{
			{s.Counts.Agents, e.AgentDID}, {s.Counts.Types, e.EventType}, {s.Counts.Actions, e.Action},
			{s.Counts.Outcomes, e.Outcome},
		} {
			if c.value != "" {
				c.counts[c.value]++
			}
		}
		s.Received, s.Claimed = s.received.add(e.ReceivedAt), s.claimed.add(e.Timestamp)
	}
}

// attach adds an entry to its branch. If it is a delegation, it opens the branch below it.
func (s *traceSummary) attach(e *entry.Entry) {
	by := actor{e.TraceID, e.AgentDID}
	at, there := s.openBranches[by]
	if !there {
		at = s.open(by, api.Branch{})
	}
	b := &s.Tree[at]
	b.Entries = append(b.Entries, e.Index)
	if isDelegation(e) {
		index := e.Index
		s.open(actor{e.TraceID, e.TargetDID}, api.Branch{Delegation: &index, Parent: &at, Depth: b.Depth + 1})
	}
}

func (s *traceSummary) open(by actor, b api.Branch) int {
	b.AgentDID, b.TraceID, b.Entries = by.agent, by.trace, []uint64{}
	s.Tree = append(s.Tree, b)
	s.openBranches[by] = len(s.Tree) - 1
	return len(s.Tree) - 1
}

func isDelegation(e *entry.Entry) bool {
	return e.EventType == "agent_invocation" && e.TargetDID != "" && e.Action != "deny" && e.Outcome != "denied"
}

// timeRange extends a TimeRange.
type timeRange struct {
	api.TimeRange
	begin, end int64 // seconds since 1970
	fraction   [2]float64
}

func (r *timeRange) add(text string) api.TimeRange {
	t, err := canonical.ParseTime(text)
	if err != nil {
		return r.TimeRange // a parsed entry always has times
	}
	fraction := float64(t.Nanosecond()) / 1e9
	if r.First == "" || api.CompareTimes(text, r.First) < 0 {
		r.First, r.begin, r.fraction[0] = text, t.Unix(), fraction
	}
	if r.Last == "" || api.CompareTimes(text, r.Last) > 0 {
		r.Last, r.end, r.fraction[1] = text, t.Unix(), fraction
	}
	// a Duration cannot hold the years 0 to 9999
	r.Seconds = float64(r.end-r.begin) + (r.fraction[1] - r.fraction[0])
	return r.TimeRange
}

// MarshalJSON writes the trace as the API shows it.
func (t Trace) MarshalJSON() ([]byte, error) {
	dst, err := appendEntries([]byte(`{"entries":[`), t.Entries, bare, false)
	if err != nil {
		return nil, err
	}
	return appendTraceEnd(dst, &t.TraceSummary)
}

// appendTraceEnd closes the list of entries and writes the members of the summary behind it.
func appendTraceEnd(dst []byte, s *api.TraceSummary) ([]byte, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	b[0] = ','
	return append(append(dst, ']'), b...), nil
}
