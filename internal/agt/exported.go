package agt

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
)

// ErrExported reports JSON that is not a CloudEvent of the toolkit's export.
var ErrExported = errors.New("not an event of the toolkit's export")

// flattened lists the fields that the export always writes among the data, and then those that it
// writes there if they are set. It lets the agent's own data overwrite them, so a member may be
// either.
var (
	flattened = []string{"action", "outcome", "resource", "policy_decision", "matched_rule"}
	further   = []string{"policy_version", "arguments_hash", "approver_did", "issued_at", "completed_at"}
)

// Exported is one event of export_cloudevents.
type Exported struct {
	Record              // as far as it can be told; Data is the agent's own if Verified, else all that stood there
	EntryHash, Previous string
	Verified            bool     // EntryHash is that of the record
	Lifted              []string // fields that were among the data
	// fields that the agent's own data had overwritten: with a value that the hash proves; with
	// none
	Recovered, Lost []string
	Ambiguous       []string          // lifted ones that it may have overwritten: no hash says that it has not
	Further         map[string]string // policy_version and the like
	Attributes      map[string]string // those that are not the toolkit's
}

// ParseExported parses one event of an export and recovers its record. The export lets the agent's
// own data overwrite fields of the entry. ParseExported tries which members are fields, and which
// values were overwritten, until the event's hash fits. If there is no hash, or none fits, all
// lifted fields are ambiguous.
func ParseExported(raw []byte) (Exported, error) {
	v, err := Parse(raw)
	if err != nil {
		return Exported{}, err
	}
	if v.Kind != Object {
		return Exported{}, fmt.Errorf("%w: no object", ErrExported)
	}
	x := Exported{Attributes: map[string]string{}}
	data, err := x.attributes(v)
	if err != nil {
		return Exported{}, err
	}
	if solved, ok := x.solve(data); ok {
		return solved, nil
	}
	x, _ = x.lift(data, guess{})
	if x.Ambiguous = x.Lifted; data.Raw() != "" {
		x.Data = []byte(data.Raw())
	}
	return x, nil
}

// attributes reads the attributes and returns the data.
func (x *Exported) attributes(v Value) (data Value, err error) {
	for _, m := range v.Members {
		if m.Name == "data" {
			data = m.Value
			continue
		}
		if m.Value.Kind == Null {
			continue
		}
		if m.Value.Kind != String {
			return data, fmt.Errorf("%w: %.80q is no string", ErrExported, m.Name)
		}
		switch s := m.Value.Text; m.Name {
		case "specversion":
			if s != "1.0" {
				return data, fmt.Errorf("%w: specversion %.40q", ErrExported, s)
			}
		case "id":
			x.EntryID = s
		case "source":
			x.AgentDID = s
		case "type":
			x.EventType = ruleset.EventType(s)
		case "time":
			x.Timestamp = s
		case "traceid":
			x.TraceID = &s
		case "sessionid":
			x.SessionID = &s
		case "agentmeshentryhash":
			x.EntryHash = s
		case "agentmeshprevioushash":
			x.Previous = s
		case "datacontenttype":
			if s != "application/json" {
				return data, fmt.Errorf("%w: datacontenttype %.80q", ErrExported, s)
			}
		default:
			x.Attributes[m.Name] = s
		}
	}
	if v.Get("specversion") == nil {
		return data, fmt.Errorf("%w: no specversion", ErrExported)
	}
	return data, nil
}

// guess is a set of members that are the agent's own data, although they have the names of fields.
type guess struct {
	own     []string
	further bool // those of the second list, all of them
}

// lift removes the fields from the data and returns the rest.
func (x Exported) lift(data Value, g guess) (Exported, Value) {
	x.Further = map[string]string{}
	rest := Value{Kind: Object}
	for _, m := range data.Members {
		var value *string
		if m.Value.Kind == String {
			value = &m.Value.Text
		}
		switch {
		case slices.Contains(flattened, m.Name) && !slices.Contains(g.own, m.Name) && (value != nil || m.Value.Kind == Null):
			x.Lifted = append(x.Lifted, m.Name)
			x.put(m.Name, value)
		case slices.Contains(further, m.Name) && !g.further && value != nil:
			x.Lifted = append(x.Lifted, m.Name)
			x.Further[m.Name] = *value
		default:
			rest.Members = append(rest.Members, m)
		}
	}
	return x, rest
}

// put fills one of the flattened fields.
func (x *Exported) put(name string, value *string) {
	switch name {
	case "action":
		x.Action = text(value)
	case "outcome":
		x.Outcome = text(value)
	case "resource":
		x.Resource = value
	case "policy_decision":
		x.PolicyDecision = value
	case "matched_rule":
		x.MatchedRule = value
	}
}

// Event returns the exported event as a CloudEvent for this log.
func (x Exported) Event() (entry.Event, error) {
	ext := map[string]string{
		ExtFormat:               FormatExport,
		"agentmeshentryhash":    x.EntryHash,
		"agentmeshprevioushash": x.Previous,
		ExtLifted:               list(x.Lifted),
		ExtAmbiguous:            list(x.Ambiguous),
		ExtRecovered:            list(x.Recovered),
		ExtLost:                 list(x.Lost),
		ExtUnsigned:             list(x.unsigned()),
	}
	for name, value := range x.Attributes {
		ext[name] = value
	}
	for name, value := range x.Further {
		ext[furtherAttribute(name)] = value
	}
	return x.Record.Event(ext)
}

// unsigned returns the fields of the event that its hash does not cover. If no hash fits, these are
// all of them.
func (x Exported) unsigned() (names []string) {
	for _, f := range []struct {
		name   string
		there  bool
		hashed bool
	}{
		{"action", x.Action != "", true},
		{"data", x.Data != nil, true},
		{"matched_rule", x.MatchedRule != nil, false},
		{"outcome", x.Outcome != "", true},
		{"policy_decision", x.PolicyDecision != nil, false},
		{"resource", x.Resource != nil, true},
		{"session_id", x.SessionID != nil, false},
		{"timestamp", x.Timestamp != "", true},
		{"trace_id", x.TraceID != nil, false},
	} {
		if f.there && !(f.hashed && x.Verified) {
			names = append(names, f.name)
		}
	}
	return append(names, slices.Sorted(maps.Keys(x.Further))...)
}
