package alert

import (
	"strings"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
)

// Rule selects entries for alerts. Each matching entry is an alert. With Rate, only too many of
// them are; with Silence, an agent that sends none any more is.
type Rule struct {
	Name    string
	Match   []Condition // all must hold; an empty list matches every entry
	Rate    *Rate
	Silence time.Duration // 0 means no silence rule
}

// Condition requires that a field of an entry equals one of Values or starts with one of Prefixes.
type Condition struct {
	Field    string
	Values   []string
	Prefixes []string
}

// Rate is reached when at least Count matching entries of one agent or resource were received
// within Window, the current one included. It is published at most once in a window for each agent
// or resource. The time is that of the broker (received_at) and never runs backwards: an entry
// received earlier than its predecessor counts with that one's time.
type Rate struct {
	Count  int
	Window time.Duration
	Per    string // "agent" or "resource"
}

const perAgent = "agent" // Rate.Per

// Limits of a rules file. They bound the memory of a rule, and its saved state.
const (
	MaxRules     = 1000
	maxValues    = 10000
	maxRateCount = 10000
	maxDuration  = 31 * 24 * time.Hour
	// limits the times of a rate rule and the agents of a silence rule; the least recently seen is
	// forgotten first
	maxRemembered = 1 << 20
)

// fields are the members of an entry that conditions may name, besides extensions.NAME.
var fields = map[string]func(*entry.Entry) string{
	"agent_did":       func(e *entry.Entry) string { return e.AgentDID },
	"event_type":      eventType,
	"action":          func(e *entry.Entry) string { return e.Action },
	"outcome":         func(e *entry.Entry) string { return e.Outcome },
	"resource":        func(e *entry.Entry) string { return e.Resource },
	"target_did":      func(e *entry.Entry) string { return e.TargetDID },
	"policy_decision": func(e *entry.Entry) string { return e.PolicyDecision },
	"matched_rule":    func(e *entry.Entry) string { return e.MatchedRule },
	"trace_id":        func(e *entry.Entry) string { return e.TraceID },
	"session_id":      func(e *entry.Entry) string { return e.SessionID },
	"entry_id":        func(e *entry.Entry) string { return e.EntryID },
	"cloudevent_type": func(e *entry.Entry) string { return e.CloudEventType },
	"publisher":       func(e *entry.Entry) string { return e.Publisher },
	"data_hash":       dataHash,
}

func dataHash(e *entry.Entry) string {
	if e.DataHash == nil {
		return ""
	}
	return e.DataHash.String()
}

// extensionPrefix is the prefix of attributes that have no member of their own.
const extensionPrefix = "extensions."

// value returns a field of an entry, or "".
func value(e *entry.Entry, field string) string {
	if get, ok := fields[field]; ok {
		return get(e)
	}
	return e.Attribute(strings.TrimPrefix(field, extensionPrefix))
}

// matcher is a condition, prepared for fast lookup.
type matcher struct {
	get      func(*entry.Entry) string
	values   map[string]bool
	prefixes []string
}

func compile(list []Condition) []matcher {
	out := make([]matcher, len(list))
	for i, c := range list {
		m := &out[i]
		if m.get = fields[c.Field]; m.get == nil {
			m.get = func(e *entry.Entry) string { return value(e, c.Field) }
		}
		m.values, m.prefixes = make(map[string]bool, len(c.Values)), c.Prefixes
		for _, v := range c.Values {
			m.values[v] = true
		}
	}
	return out
}

// matches reports whether all conditions hold. An absent field matches nothing, not even the prefix
// "".
func matches(list []matcher, e *entry.Entry) bool {
	for i := range list {
		v := list[i].get(e)
		if v == "" || !list[i].values[v] && !hasPrefix(v, list[i].prefixes) {
			return false
		}
	}
	return true
}

func hasPrefix(v string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(v, p) {
			return true
		}
	}
	return false
}
