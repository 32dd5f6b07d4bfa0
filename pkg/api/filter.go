package api

import (
	"net/url"
	"slices"
	"strings"

	"github.com/sealstream/sealstream/pkg/entry"
)

// Filter selects entries: those that have, in every field that is set, one of its values, and whose
// time is between From and To. The zero Filter selects all entries.
type Filter struct {
	Agent   []string `json:"agent,omitempty" yaml:"agent"`     // agent_did
	Type    []string `json:"type,omitempty" yaml:"type"`       // event_type
	Action  []string `json:"action,omitempty" yaml:"action"`   // action
	Outcome []string `json:"outcome,omitempty" yaml:"outcome"` // outcome

	// Resource selects by resource. A value that ends in * is a prefix: /crm/* selects all
	// resources that start with /crm/. A value that ends in \* means the resource that ends in *.
	Resource []string `json:"resource,omitempty" yaml:"resource"`

	Target  []string `json:"target,omitempty" yaml:"-"`  // target_did
	Rule    []string `json:"rule,omitempty" yaml:"rule"` // matched_rule
	Trace   []string `json:"trace,omitempty" yaml:"-"`   // trace_id
	Session []string `json:"session,omitempty" yaml:"-"` // session_id

	// From and To are times of RFC 3339, both included. Empty means open.
	From string `json:"from,omitempty" yaml:"-"`
	To   string `json:"to,omitempty" yaml:"-"`

	// Time is the time of an entry that From and To apply to. Empty means Timestamp.
	Time Time `json:"time,omitempty" yaml:"-"`
}

// Time names one of the two times of an entry.
type Time string

const (
	Timestamp Time = "timestamp" // when it happened, as the agent claims
	Received  Time = "received"  // when the broker stored it: received_at
)

// Positions of a filter's fields in FilterNames, Filter.Fields and FilterMembers. Use them to
// handle all fields in a loop. From, To and Time are not among them.
const (
	AgentField = iota
	TypeField
	ActionField
	OutcomeField
	ResourceField // its values may be prefixes

	FilterFields = 9 // number of these fields
)

// FilterNames are the names of the fields, as parameters of the API and in the manifest of an
// export.
var FilterNames = [FilterFields]string{
	"agent",
	"type",
	"action",
	"outcome",
	"resource",
	"target",
	"rule",
	"trace",
	"session",
}

// FilterMembers returns the members of an entry that a filter's fields select by, in the order of
// FilterNames. If the entry does not have a member, the text is empty.
func FilterMembers(e *entry.Entry) [FilterFields]string {
	return [FilterFields]string{
		e.AgentDID,
		e.EventType,
		e.Action,
		e.Outcome,
		e.Resource,
		e.TargetDID,
		e.MatchedRule,
		e.TraceID,
		e.SessionID,
	}
}

// Fields returns pointers to the fields of the filter, in the order of FilterNames.
func (f *Filter) Fields() [FilterFields]*[]string {
	return [FilterFields]*[]string{
		&f.Agent,
		&f.Type,
		&f.Action,
		&f.Outcome,
		&f.Resource,
		&f.Target,
		&f.Rule,
		&f.Trace,
		&f.Session,
	}
}

// Matches reports whether the filter selects an entry. Its times must be canonical, as Normal
// returns them.
func (f *Filter) Matches(e *entry.Entry) bool {
	members := FilterMembers(e)
	for i, values := range f.Fields() {
		if len(*values) > 0 && !slices.ContainsFunc(*values, func(v string) bool { return picks(i, v, members[i]) }) {
			return false
		}
	}
	at := e.Timestamp
	if f.Time == Received {
		at = e.ReceivedAt
	}
	return (f.From == "" || CompareTimes(at, f.From) >= 0) && (f.To == "" || CompareTimes(at, f.To) <= 0)
}

func picks(field int, value, member string) bool {
	if field != ResourceField {
		return value == member
	}
	text, prefix := ResourceValue(value)
	return text == member || prefix && member != "" && strings.HasPrefix(member, text)
}

// ResourceValue parses a value of Filter.Resource: its text, and whether it selects by prefix.
func ResourceValue(value string) (text string, prefix bool) {
	text, star := strings.CutSuffix(value, "*")
	if !star {
		return value, false
	}
	if escaped, ok := strings.CutSuffix(text, `\`); ok {
		return escaped + "*", false
	}
	return text, true
}

// Values returns the filter as the parameters of a request, which is also its form in the manifest
// of an export (SPEC 9). It is empty if all entries are selected.
func (f Filter) Values() url.Values {
	q := url.Values{}
	for i, values := range f.Fields() {
		if len(*values) > 0 {
			q[FilterNames[i]] = *values
		}
	}
	for name, value := range map[string]string{"from": f.From, "to": f.To, "time": string(f.Time)} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}
