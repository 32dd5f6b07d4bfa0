package query

import (
	"fmt"
	"maps"
	"slices"

	"github.com/sealstream/sealstream/pkg/entry"
)

// Filter says which entries are wanted: those that have, in every field that is filled, one of its values, and a timestamp
// from From to To. The zero Filter wants all.
type Filter struct {
	Agent, Type, Action, Outcome []string // agent_did, event_type, action, outcome
	Resource, Target, Rule       []string // resource, target_did, matched_rule
	Trace, Session               []string // trace_id, session_id
	From, To                     string   // RFC 3339, both included; "": open
}

// fieldCount is the number of members of an entry that are indexed.
const fieldCount = 9

// agentField is the place of agent_did among them.
const agentField = 0

// fieldNames are the parameters of the HTTP API, and the names in an export's manifest.
var fieldNames = [fieldCount]string{"agent", "type", "action", "outcome", "resource", "target", "rule", "trace", "session"}

// fieldsOf is the values of the fields; "" where the entry has none.
func fieldsOf(e *entry.Entry) [fieldCount]string {
	return [fieldCount]string{e.AgentDID, e.EventType, e.Action, e.Outcome, e.Resource, e.TargetDID, e.MatchedRule, e.TraceID, e.SessionID}
}

func (f *Filter) values() [fieldCount]*[]string {
	return [fieldCount]*[]string{&f.Agent, &f.Type, &f.Action, &f.Outcome, &f.Resource, &f.Target, &f.Rule, &f.Trace, &f.Session}
}

// maxValues bounds the values in one filter: each of them is looked at for every match.
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
