package alert

import (
	"strings"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
)

// Rule says which entries are worth an alert. The entries that it matches are told one by one, or with Rate when they come too often, or with
// Silence when an agent sends none any more.
type Rule struct {
	Name    string
	Match   []Condition // all must hold; none: every entry
	Rate    *Rate
	Silence time.Duration // 0: not about silence
}

// Condition is what one field of an entry must be: one of Values, or begin with one of Prefixes.
type Condition struct {
	Field    string
	Values   []string
	Prefixes []string
}

// Rate is reached when, of the entries of one agent or resource that a rule matches, at least Count were received within Window, up to and with the one
// at hand. It is told at most once in a window for each agent or resource. Time is what the broker said (received_at), and never runs
// backwards: an entry that was received earlier than one before it counts as received with that one.
type Rate struct {
	Count  int
	Window time.Duration
	Per    string // agent or resource
}

// Limits of a rules file. They bound what a rule may hold in memory, and what is saved of it.
const (
	maxRules      = 1000
	maxValues     = 10000
	maxRateCount  = 10000
	maxDuration   = 31 * 24 * time.Hour
	maxRemembered = 1 << 20 // times a rate rule remembers, and agents a silence rule does: who was seen least recently is forgotten first
)

// fields are the members of an entry that conditions may name; extensions.NAME beside them.
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
	"data_hash":       func(e *entry.Entry) string { return e.DataHash },
}

// extensionPrefix begins the field of an attribute that has no member of its own.
const extensionPrefix = "extensions."

// value is a field of an entry; "" if it is absent.
func value(e *entry.Entry, field string) string {
	if get, ok := fields[field]; ok {
		return get(e)
	}
	return e.Extensions[strings.TrimPrefix(field, extensionPrefix)]
}

// matcher is a rule made ready: a set is looked up, not searched.
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

// matches says whether all conditions hold. An absent field matches nothing, not even the prefix "".
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
