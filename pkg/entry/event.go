package entry

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/redact"
)

// Event is what an agent says: parsed and checked, but not sealed. An empty string, a nil pointer
// and an empty map stand for an attribute that the event does not have.
type Event struct {
	ID        string // CloudEvents id
	Source    string // CloudEvents source: the agent
	Type      string // CloudEvents type, verbatim
	EventType string // Type as the log names it (SPEC 3.3)
	Subject   string // CloudEvents subject: what the agent acted on
	Time      string // RFC 3339 in UTC, with the digits that the sender gave

	Action         string // allow, deny, audit, quarantine or warning
	Outcome        string // success, failure, denied or error
	PolicyDecision string // result of a policy, in its own words
	MatchedRule    string // rule of the policy that matched
	TraceID        string // trace that the event belongs to
	SessionID      string // session that the event belongs to
	TargetDID      string // the other agent

	AgentSeq  *uint64 // the agent's own number of the event, below 2^53
	AgentPrev string  // the agent's own link: 64 lower-case hexadecimal digits
	Signature string  // the agent's own signature, which this package does not check

	// Extensions are all other attributes in canonical string form, datacontenttype and dataschema
	// among them.
	Extensions map[string]string

	Data    []byte    // data bytes (SPEC 3.4)
	HasData bool      // whether there is data, which may have no bytes
	Salt    *[32]byte // the sender's salt of the data; nil lets the sealer derive one

	// Redactions are what Redact has taken out. They are no attribute until GiveRedactions.
	Redactions []redact.Finding

	rawJSON  bool   // Data is JSON text that can be written as such
	oldTrace string // TraceID by the rules before ruleset.Binding, if it differs
	wide     bool   // its leaf is too long under the rules before ruleset.Blinding
	rules    uint64 // the rules that By has applied; 0 for none
	altered  bool   // Redact has found something, under ruleset.Blinding
}

// Entry returns an entry with what the event says. It is not sealed: place, DataHash, EntryHash and
// Leaf are missing.
func (e *Event) Entry() Entry {
	return Entry{
		EntryID: e.ID, Timestamp: e.Time, EventType: e.EventType, CloudEventType: e.Type, AgentDID: e.Source,
		Action: e.Action, Resource: e.Subject, TargetDID: e.TargetDID, Outcome: e.Outcome,
		PolicyDecision: e.PolicyDecision, MatchedRule: e.MatchedRule, TraceID: e.TraceID, SessionID: e.SessionID,
		AgentSeq: e.AgentSeq, AgentPrev: e.AgentPrev, Signature: e.Signature, Extensions: e.Extensions,
		Redactions: e.Redactions,
	}
}

// FieldError reports which attribute of an event is wrong, and why.
type FieldError struct {
	Field  string // name of the attribute; empty if the event as a whole is wrong
	Reason string
}

func (e *FieldError) Error() string {
	if e.Field == "" {
		return e.Reason
	}
	return e.Field + ": " + e.Reason
}

func fault(field, format string, args ...any) error {
	return &FieldError{Field: field, Reason: fmt.Sprintf(format, args...)}
}

// set stores one attribute in canonical string form. It checks specversion but does not keep it.
func (e *Event) set(name, value string) error {
	if err := checkAttribute(name, value); err != nil {
		return err
	}
	return e.assign(name, value)
}

// assign is set for a name and value that were checked by SPEC 3.1.
func (e *Event) assign(name, value string) error {
	if value == "" && mayNotBeEmpty(name) {
		return fault(name, "empty")
	}
	switch name {
	case "specversion":
		if value != "1.0" {
			return fault(name, "%.40q is not 1.0", value)
		}
	case "time":
		t, err := canonical.Time(value)
		if err != nil {
			return fault(name, "%.40q is %v", value, err)
		}
		e.Time = t
	case "agentseq":
		n, err := canonical.Integer([]byte(value))
		if err != nil {
			return fault(name, "%v", err)
		}
		e.AgentSeq = &n
	case "agentprev":
		if _, err := ParseHash(value); err != nil {
			return fault(name, "not 64 lower-case hexadecimal digits")
		}
		e.AgentPrev = value
	case "datasalt":
		h, err := ParseHash(value)
		if err != nil {
			return fault(name, "not 64 lower-case hexadecimal digits")
		}
		salt := [32]byte(h)
		e.Salt = &salt
	default:
		if p := e.text(name); p != nil {
			*p = value
			return nil
		}
		if e.Extensions == nil {
			e.Extensions = make(map[string]string, 4)
		}
		e.Extensions[name] = value
	}
	return nil
}

// text returns the field of an attribute of plain text, or nil if it has none.
func (e *Event) text(name string) *string {
	switch name {
	case "id":
		return &e.ID
	case "source":
		return &e.Source
	case "type":
		return &e.Type
	case "subject":
		return &e.Subject
	case "action":
		return &e.Action
	case "outcome":
		return &e.Outcome
	case "policydecision":
		return &e.PolicyDecision
	case "matchedrule":
		return &e.MatchedRule
	case "traceid":
		return &e.TraceID
	case "sessionid":
		return &e.SessionID
	case "targetdid":
		return &e.TargetDID
	case "agentsignature":
		return &e.Signature
	}
	return nil
}

// mayNotBeEmpty reports whether SPEC 2 names the attribute, or it describes data.
func mayNotBeEmpty(name string) bool {
	switch name {
	case "specversion", "time", "agentseq", "agentprev", "datasalt", "datacontenttype", "dataschema":
		return true
	}
	return new(Event).text(name) != nil
}

// checkAttribute checks a name and value by SPEC 3.1.
func checkAttribute(name, value string) error {
	if name == "" || len(name) > ruleset.MaxAttributeName {
		return fault(canonical.Clip(name, 80), "an attribute name has 1 to %d characters", ruleset.MaxAttributeName)
	}
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && !canonical.IsDigit(c) {
			return fault(canonical.Clip(name, 80), "an attribute name is made of a-z and 0-9")
		}
	}
	return checkValue(name, value)
}

// checkValue checks a value by SPEC 3.1.
func checkValue(name, value string) error {
	if len(value) > ruleset.MaxAttributeBytes {
		return fault(name, "%d bytes, more than %d", len(value), ruleset.MaxAttributeBytes)
	}
	if i := canonical.BadRune(value); i >= 0 {
		return fault(name, "control character, noncharacter or bad UTF-8 at byte %d", i)
	}
	return nil
}

// finish fills what follows from the attributes and checks the event. Every parser ends here.
func (e *Event) finish() error {
	e.findTrace()
	if !e.HasData {
		e.Salt = nil
	}
	e.EventType = ruleset.EventType(e.Type)
	return e.check()
}

// check checks what concerns the event as a whole (SPEC 3).
func (e *Event) check() error {
	for _, r := range []struct{ field, value string }{{"id", e.ID}, {"source", e.Source}, {"type", e.Type}} {
		if r.value == "" {
			return fault(r.field, "required")
		}
	}
	if ruleset.IsOwnType(e.EventType) {
		return fault("type", "%.80q is reserved for the log itself", e.Type)
	}
	if e.Action != "" && !slices.Contains(ruleset.Actions, e.Action) {
		return fault("action", "%.40q is none of %s", e.Action, strings.Join(ruleset.Actions, ", "))
	}
	if e.Outcome != "" && !slices.Contains(ruleset.Outcomes, e.Outcome) {
		return fault("outcome", "%.40q is none of %s", e.Outcome, strings.Join(ruleset.Outcomes, ", "))
	}
	if len(e.Data) > ruleset.MaxDataBytes {
		return fault("data", "%d bytes, more than %d", len(e.Data), ruleset.MaxDataBytes)
	}
	e.wide = e.Fits(ruleset.Binding) != nil // By decides whether that matters
	return nil
}

// Check validates an event that was made in Go rather than parsed, by all of SPEC 3. It brings Time
// into canonical form and fills EventType and, from a traceparent, TraceID. Errors are *FieldError.
func (e *Event) Check() error {
	again := Event{Data: e.Data, HasData: e.HasData || len(e.Data) > 0, Salt: e.Salt, rawJSON: e.rawJSON}
	for name, value := range e.Attributes() {
		if err := again.set(name, value); err != nil {
			return err
		}
	}
	for name := range e.Extensions {
		if name == "data" || mayNotBeEmpty(name) && name != "datacontenttype" && name != "dataschema" {
			return fault(name, "is no extension")
		}
	}
	if err := again.data(again.Data); err != nil {
		return err
	}
	if err := again.finish(); err != nil {
		return err
	}
	if err := again.Fits(ruleset.Newest); err != nil {
		return err
	}
	*e = again
	return nil
}

// Attributes yields every attribute except specversion and datasalt with its canonical string, in
// no particular order.
func (e *Event) Attributes() func(yield func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		for _, name := range [...]string{"id", "source", "type", "subject", "action", "outcome",
			"policydecision", "matchedrule", "traceid", "sessionid", "targetdid", "agentsignature"} {
			if v := *e.text(name); v != "" && !yield(name, v) {
				return
			}
		}
		if e.Time != "" && !yield("time", e.Time) || e.AgentPrev != "" && !yield("agentprev", e.AgentPrev) {
			return
		}
		if e.AgentSeq != nil && !yield("agentseq", strconv.FormatUint(*e.AgentSeq, 10)) {
			return
		}
		for name, value := range e.Extensions {
			if !yield(name, value) {
				return
			}
		}
	}
}
