package query

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sealstream/sealstream/pkg/entry"
)

// Filter says which entries are wanted: those that have, in every field that is filled, one of its values, and a time
// from From to To. The zero Filter wants all.
//
// A Resource that ends in * is a prefix: /crm/* are all that begin with /crm/. One that ends in \* is the resource that ends in *.
type Filter struct {
	Agent, Type, Action, Outcome []string // agent_did, event_type, action, outcome
	Resource, Target, Rule       []string // resource, target_did, matched_rule
	Trace, Session               []string // trace_id, session_id
	From, To                     string   // RFC 3339, both included; "": open
	Time                         Time     // of which time From and To are; "": Timestamp
}

// Time is one of the two times of an entry.
type Time string

const (
	Timestamp Time = "timestamp" // when it happened, as the agent claims
	Received  Time = "received"  // when the broker stored it: received_at
)

// fieldCount is the number of members of an entry that are indexed.
const fieldCount = 9

// Places among them.
const (
	agentField    = 0
	typeField     = 1
	actionField   = 2
	outcomeField  = 3
	resourceField = 4
)

// fieldNames are the parameters of the HTTP API, and the names in an export's manifest.
var fieldNames = [fieldCount]string{"agent", "type", "action", "outcome", "resource", "target", "rule", "trace", "session"}

// fieldsOf is the values of the fields; "" where the entry has none.
func fieldsOf(e *entry.Entry) [fieldCount]string {
	return [fieldCount]string{e.AgentDID, e.EventType, e.Action, e.Outcome, e.Resource, e.TargetDID, e.MatchedRule, e.TraceID, e.SessionID}
}

func (f *Filter) values() [fieldCount]*[]string {
	return [fieldCount]*[]string{&f.Agent, &f.Type, &f.Action, &f.Outcome, &f.Resource, &f.Target, &f.Rule, &f.Trace, &f.Session}
}

// resourceOf reads a value of Resource: the text, and whether it is a prefix.
func resourceOf(value string) (text string, prefix bool) {
	text, star := strings.CutSuffix(value, "*")
	if !star {
		return value, false
	}
	if escaped, ok := strings.CutSuffix(text, `\`); ok {
		return escaped + "*", false
	}
	return text, true
}

// matches says whether an entry is one that the filter wants. f is normal.
func (f *Filter) matches(e *entry.Entry) bool {
	of := fieldsOf(e)
	for i, values := range f.values() {
		if len(*values) > 0 && !slices.ContainsFunc(*values, func(v string) bool {
			if i != resourceField {
				return v == of[i]
			}
			text, prefix := resourceOf(v)
			return text == of[i] || prefix && of[i] != "" && strings.HasPrefix(of[i], text)
		}) {
			return false
		}
	}
	at := e.Timestamp
	if f.Time == Received {
		at = e.ReceivedAt
	}
	return (f.From == "" || compareTimes(at, f.From) >= 0) && (f.To == "" || compareTimes(at, f.To) <= 0)
}

// maxValues bounds the values in one filter: each of them is looked for in every part.
const maxValues = 256

// normal is the filter with its values sorted, without repeats, and its times in canonical form; or what is wrong with it.
func (f Filter) normal() (Filter, error) {
	count := 0
	for i, values := range f.values() {
		list := slices.Clone(*values)
		slices.Sort(list)
		if list = slices.Compact(list); len(list) > 0 && list[0] == "" {
			return f, &RequestError{fieldNames[i], "empty"}
		}
		*values = list
		count += len(list)
	}
	if count > maxValues {
		return f, &RequestError{"", fmt.Sprintf("%d values in one filter, more than %d", count, maxValues)}
	}
	for _, t := range []struct {
		name  string
		value *string
	}{{"from", &f.From}, {"to", &f.To}} {
		if *t.value == "" {
			continue
		}
		c, err := entry.CanonicalTime(*t.value)
		if err != nil {
			return f, &RequestError{t.name, fmt.Sprintf("%.60q is %v (the + of an offset is written %%2B in a URL)", *t.value, err)}
		}
		*t.value = c
	}
	if f.From != "" && f.To != "" && compareTimes(f.From, f.To) > 0 {
		return f, &RequestError{"from", "lies after to"}
	}
	if f.Time != "" && f.Time != Timestamp && f.Time != Received {
		return f, &RequestError{"time", fmt.Sprintf("%.40q is neither %s nor %s", string(f.Time), Timestamp, Received)}
	}
	if f.Time == Timestamp || f.From == "" && f.To == "" {
		f.Time = ""
	}
	return f, nil
}

// Map is the filter as an export's manifest tells it (SPEC 9): by parameter, empty if all is wanted.
func (f Filter) Map() map[string][]string {
	m := map[string][]string{}
	for i, values := range f.values() {
		if len(*values) > 0 {
			m[fieldNames[i]] = *values
		}
	}
	if f.From != "" {
		m["from"] = []string{f.From}
	}
	if f.To != "" {
		m["to"] = []string{f.To}
	}
	if f.Time != "" {
		m["time"] = []string{string(f.Time)}
	}
	return m
}

// text tells filters apart; it is the same for the same filter however it was written. f is normal.
func (f Filter) text() string {
	m := f.Map()
	s := ""
	for _, name := range slices.Sorted(maps.Keys(m)) {
		s += fmt.Sprintf("%s%q", name, m[name])
	}
	return s
}
