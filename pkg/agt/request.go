package agt

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sealstream/sealstream/pkg/entry"
)

// ErrRequest: the JSON is no request of the toolkit's collector. The error's text names the member at fault.
var ErrRequest = errors.New("not a request of the collector")

// Request is what the toolkit's collector is asked to record.
type Request struct {
	Record                    // EntryID and Timestamp are "" unless they were given
	Further map[string]string // policy_version and the like
}

// ParseRequest reads the object of a request: the members of Record and of the toolkit's entry. event_type is agent_action if it is not given, outcome is
// success, data an empty object. A member that would be dropped is an error.
func ParseRequest(v Value) (Request, error) {
	if v.Kind != Object {
		return Request{}, fmt.Errorf("%w: no object", ErrRequest)
	}
	r := Request{Further: map[string]string{}}
	r.Data = []byte("{}")
	texts := map[string]*string{"entry_id": &r.EntryID, "timestamp": &r.Timestamp, "event_type": &r.EventType, "agent_did": &r.AgentDID, "action": &r.Action, "outcome": &r.Outcome}
	optional := map[string]**string{"resource": &r.Resource, "target_did": &r.TargetDID, "policy_decision": &r.PolicyDecision, "matched_rule": &r.MatchedRule,
		"trace_id": &r.TraceID, "session_id": &r.SessionID, "sandbox_id": &r.SandboxID, "environment": &r.Environment, "compute_driver": &r.ComputeDriver}
	for i := range v.Members {
		name, value := v.Members[i].Name, &v.Members[i].Value
		switch {
		case value.Kind == Null:
			if texts[name] == nil && optional[name] == nil && name != "data" && !slices.Contains(further, name) {
				return Request{}, fmt.Errorf("%w: %.80q is unknown", ErrRequest, name)
			}
		case name == "data":
			if value.Kind != Object {
				return Request{}, fmt.Errorf("%w: data is no object", ErrRequest)
			}
			r.Data = []byte(value.Raw())
		case value.Kind != String:
			return Request{}, fmt.Errorf("%w: %.80q is no string, or unknown", ErrRequest, name)
		case texts[name] != nil:
			*texts[name] = value.Text
		case optional[name] != nil:
			*optional[name] = &value.Text
		case slices.Contains(further, name):
			r.Further[name] = value.Text
		default:
			return Request{}, fmt.Errorf("%w: %.80q is unknown", ErrRequest, name)
		}
	}
	for _, name := range []string{"agent_did", "action"} {
		if *texts[name] == "" {
			return Request{}, fmt.Errorf("%w: %s is required", ErrRequest, name)
		}
	}
	if r.EventType == "" {
		r.EventType = "agent_action"
	}
	if r.Outcome == "" {
		r.Outcome = "success"
	}
	return r, nil
}

// Event is the request as a CloudEvent.
func (r Request) Event() (entry.Event, error) {
	ext := map[string]string{ExtFormat: FormatAPI}
	for name, value := range r.Further {
		ext[furtherAttribute(name)] = value
	}
	return r.Record.Event(ext)
}

// furtherAttribute is the attribute that one of the further fields has in an entry.
func furtherAttribute(field string) string { return "agt" + strings.ReplaceAll(field, "_", "") }

// Shown is an entry as the toolkit shows its own, with the log's hashes in the place of its chain's, and the entry's index. data is JSON text; nil: it has none
// that is an object, or it was erased.
func Shown(e entry.Entry, data []byte) []byte {
	orNull := func(s string) Value { return optional(Optional(s)) }
	first := func(a, b string) Value {
		if a == "" {
			a = b
		}
		return str(a)
	}
	x := e.Extensions
	members := []Member{
		{"entry_id", str(e.EntryID)}, {"timestamp", str(ISO(e.Timestamp))}, {"event_type", str(e.EventType)}, {"agent_did", str(e.AgentDID)},
		{"action", first(e.Action, x[ExtAction])}, {"resource", orNull(e.Resource)}, {"target_did", orNull(e.TargetDID)}, {"outcome", first(e.Outcome, x[ExtOutcome])},
		{"policy_decision", orNull(e.PolicyDecision)}, {"matched_rule", orNull(e.MatchedRule)}, {"previous_hash", str(e.PreviousHash)}, {"entry_hash", str(e.EntryHash)},
		{"trace_id", orNull(e.TraceID)}, {"session_id", orNull(e.SessionID)}, {"sandbox_id", orNull(x[ExtSandbox])}, {"environment", orNull(x[ExtEnvironment])},
		{"compute_driver", orNull(x[ExtCompute])}, {"index", Value{Kind: Int, Text: fmt.Sprint(e.Index)}},
	}
	for _, name := range further {
		members = append(members, Member{name, orNull(x[furtherAttribute(name)])})
	}
	v, err := Parse(data)
	if err != nil || v.Kind != Object || !v.finite() {
		v = Value{Kind: Object}
	}
	return appendObject(nil, append(members, Member{"data", v}))
}

// ISO writes a time of an entry as Python reads it in all its versions: with an offset for the Z.
func ISO(canonical string) string { return strings.TrimSuffix(canonical, "Z") + "+00:00" }
