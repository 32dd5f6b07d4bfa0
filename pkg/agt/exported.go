package agt

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/sealstream/sealstream/pkg/entry"
)

// ErrExported: the JSON is no CloudEvent of the toolkit's export.
var ErrExported = errors.New("not an event of the toolkit's export")

// flattened are the fields that the export puts among the data in any case, and then the ones it puts there if they are set. The agent's own data is
// put over them, so that a member may be either.
var (
	flattened = []string{"action", "outcome", "resource", "policy_decision", "matched_rule"}
	further   = []string{"policy_version", "arguments_hash", "approver_did", "issued_at", "completed_at"}
)

// Exported is one event of export_cloudevents.
type Exported struct {
	Record              // as far as it can be told; Data is the agent's own if Verified, else all that stood there
	EntryHash, Previous string
	Verified            bool              // EntryHash is that of the record
	Lifted              []string          // fields that were among the data
	Recovered, Lost     []string          // fields that the agent's own data had overwritten: with a value that the hash proves; with none
	Ambiguous           []string          // lifted ones that it may have overwritten: no hash says that it has not
	Further             map[string]string // policy_version and the like
	Attributes          map[string]string // those that are not the toolkit's
}

// ParseExported reads one event of an export, and finds the record behind it. The export writes the agent's own data over the fields of the entry; which
// of the two a member is, and what was overwritten, is tried out against the event's hash. Where it has none, or none that fits, all is ambiguous.
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

// attributes reads everything but data.
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
			x.EventType = entry.EventType(s)
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

// guess says which members of the data are the agent's own, although they have the names of fields.
type guess struct {
	own     []string
	further bool // those of the second list, all of them
}

// lift takes the fields out of the data, and gives what is left.
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

// Event is the exported event as a CloudEvent for this log.
func (x Exported) Event() (entry.Event, error) {
	ext := map[string]string{ExtFormat: FormatExport, "agentmeshentryhash": x.EntryHash, "agentmeshprevioushash": x.Previous,
		ExtLifted: list(x.Lifted), ExtAmbiguous: list(x.Ambiguous), ExtRecovered: list(x.Recovered), ExtLost: list(x.Lost), ExtUnsigned: list(x.unsigned())}
	for name, value := range x.Attributes {
		ext[name] = value
	}
	for name, value := range x.Further {
		ext[furtherAttribute(name)] = value
	}
	return x.Record.Event(ext)
}

// unsigned are the fields that the event has and that its hash does not cover; all of them if there is no hash that fits.
func (x Exported) unsigned() (names []string) {
	for _, f := range []struct {
		name   string
		there  bool
		hashed bool
	}{
		{"action", x.Action != "", true}, {"data", x.Data != nil, true}, {"matched_rule", x.MatchedRule != nil, false}, {"outcome", x.Outcome != "", true},
		{"policy_decision", x.PolicyDecision != nil, false}, {"resource", x.Resource != nil, true}, {"session_id", x.SessionID != nil, false},
		{"timestamp", x.Timestamp != "", true}, {"trace_id", x.TraceID != nil, false},
	} {
		if f.there && !(f.hashed && x.Verified) {
			names = append(names, f.name)
		}
	}
	return append(names, slices.Sorted(maps.Keys(x.Further))...)
}
