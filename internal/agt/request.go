package agt

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sealstream/sealstream/pkg/entry"
)

// ErrRequest reports JSON that is not a request of the toolkit's collector. The error's text names
// the invalid member.
var ErrRequest = errors.New("not a request of the collector")

// Request is a request to the toolkit's collector to record an entry.
type Request struct {
	Record                    // EntryID and Timestamp are "" unless they were given
	Further map[string]string // policy_version and the like
}

// ParseRequest parses the object of a request, with the members of Record and of the toolkit's
// entry. The default of event_type is agent_action, that of outcome is success, and that of data is
// an empty object. An unknown member is an error.
func ParseRequest(v Value) (Request, error) {
	if v.Kind != Object {
		return Request{}, fmt.Errorf("%w: no object", ErrRequest)
	}
	r := Request{Further: map[string]string{}}
	r.Data = []byte("{}")
	for i := range v.Members {
		if err := r.set(v.Members[i].Name, &v.Members[i].Value); err != nil {
			return Request{}, err
		}
	}
	for _, x := range []struct{ name, value string }{{"agent_did", r.AgentDID}, {"action", r.Action}} {
		if x.value == "" {
			return Request{}, fmt.Errorf("%w: %s is required", ErrRequest, x.name)
		}
	}
	r.EventType = cmp.Or(r.EventType, "agent_action")
	r.Outcome = cmp.Or(r.Outcome, "success")
	return r, nil
}

// set sets a member of the request. Null leaves it as it is.
func (r *Request) set(name string, value *Value) error {
	text, optional := r.member(name)
	known := text != nil || optional != nil || name == "data" || slices.Contains(further, name)
	switch {
	case value.Kind == Null && known:
	case name == "data":
		if value.Kind != Object {
			return fmt.Errorf("%w: data is no object", ErrRequest)
		}
		r.Data = []byte(value.Raw())
	case value.Kind != Null && value.Kind != String:
		return fmt.Errorf("%w: %.80q is no string, or unknown", ErrRequest, name)
	case text != nil:
		*text = value.Text
	case optional != nil:
		*optional = &value.Text
	case known:
		r.Further[name] = value.Text
	default:
		return fmt.Errorf("%w: %.80q is unknown", ErrRequest, name)
	}
	return nil
}

// member returns where a member is kept that is a string: one that has a zero value, or an optional
// one. Both are nil if there is none of that name.
func (r *Request) member(name string) (text *string, optional **string) {
	switch name {
	case "entry_id":
		return &r.EntryID, nil
	case "timestamp":
		return &r.Timestamp, nil
	case "event_type":
		return &r.EventType, nil
	case "agent_did":
		return &r.AgentDID, nil
	case "action":
		return &r.Action, nil
	case "outcome":
		return &r.Outcome, nil
	case "resource":
		return nil, &r.Resource
	case "target_did":
		return nil, &r.TargetDID
	case "policy_decision":
		return nil, &r.PolicyDecision
	case "matched_rule":
		return nil, &r.MatchedRule
	case "trace_id":
		return nil, &r.TraceID
	case "session_id":
		return nil, &r.SessionID
	case "sandbox_id":
		return nil, &r.SandboxID
	case "environment":
		return nil, &r.Environment
	case "compute_driver":
		return nil, &r.ComputeDriver
	}
	return nil, nil
}

// Event returns the request as a CloudEvent.
func (r Request) Event() (entry.Event, error) {
	ext := map[string]string{ExtFormat: FormatAPI}
	for name, value := range r.Further {
		ext[furtherAttribute(name)] = value
	}
	return r.Record.Event(ext)
}

// furtherAttribute is the attribute that one of the further fields has in an entry.
func furtherAttribute(field string) string { return "agt" + strings.ReplaceAll(field, "_", "") }

// Shown returns an entry in the toolkit's form, with the log's hashes instead of the toolkit's and
// with the entry's index. data is nil if the entry has none, or if it was erased. Without linked,
// the hashes are null.
func Shown(e entry.Entry, data []byte, linked bool) []byte {
	previous, own := "", ""
	if linked {
		previous, own = e.PreviousHash.String(), e.EntryHash.String()
	}
	orNull := func(s string) Value { return optional(Optional(s)) }
	first := func(a, b string) Value {
		if a == "" {
			a = b
		}
		return str(a)
	}
	x := e.Extensions
	members := []Member{
		{"entry_id", str(e.EntryID)},
		{"timestamp", str(ISO(e.Timestamp))},
		{"event_type", str(e.EventType)},
		{"agent_did", str(e.AgentDID)},
		{"action", first(e.Action, x[ExtAction])},
		{"resource", orNull(e.Resource)},
		{"target_did", orNull(e.TargetDID)},
		{"outcome", first(e.Outcome, x[ExtOutcome])},
		{"policy_decision", orNull(e.PolicyDecision)},
		{"matched_rule", orNull(e.MatchedRule)},
		{"previous_hash", orNull(previous)},
		{"entry_hash", orNull(own)},
		{"trace_id", orNull(e.TraceID)},
		{"session_id", orNull(e.SessionID)},
		{"sandbox_id", orNull(x[ExtSandbox])},
		{"environment", orNull(x[ExtEnvironment])},
		{"compute_driver", orNull(x[ExtCompute])},
		{"index", Value{Kind: Int, Text: fmt.Sprint(e.Index)}},
	}
	for _, name := range further {
		members = append(members, Member{name, orNull(x[furtherAttribute(name)])})
	}
	return appendObject(nil, append(members, Member{"data", shownData(data)}))
}

// ISO formats a time of an entry for all versions of Python: with an offset instead of the Z.
func ISO(canonical string) string { return strings.TrimSuffix(canonical, "Z") + "+00:00" }
