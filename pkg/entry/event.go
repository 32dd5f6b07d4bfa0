package entry

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Event is what an agent says: parsed and checked, not sealed. Strings are absent if empty.
type Event struct {
	ID, Source, Type string // CloudEvents id, source and type, verbatim
	EventType        string // Type, mapped by EventType
	Subject          string
	Time             string // RFC 3339 in UTC, as precise as given (CanonicalTime)

	Action, Outcome, PolicyDecision, MatchedRule string
	TraceID, SessionID, TargetDID                string

	AgentSeq  *uint64 // the agent's own numbering, below 2^53
	AgentPrev string  // the agent's own link: 64 lower-case hexadecimal digits
	Signature string  // the agent's own signature, not looked at here

	Extensions map[string]string // every other attribute in canonical string form; datacontenttype and dataschema too

	Data    []byte    // the data bytes of SPEC 3.4
	HasData bool      // an event can have data of no bytes
	Salt    *[32]byte // the sender's own salt; nil: the sealer derives one

	Redactions []Redaction // what Redact has taken out; no attribute (but see GiveRedactions)

	rawJSON bool // Data is JSON text that can be written as such
}

// FieldError says which attribute of an event is at fault, and why. Field is empty where it is the whole.
type FieldError struct{ Field, Reason string }

func (e *FieldError) Error() string {
	if e.Field == "" {
		return e.Reason
	}
	return e.Field + ": " + e.Reason
}

func fault(field, format string, args ...any) error {
	return &FieldError{Field: field, Reason: fmt.Sprintf(format, args...)}
}

// set takes one attribute in canonical string form. specversion is checked and not kept.
func (e *Event) set(name, value string) error {
	if err := checkAttribute(name, value); err != nil {
		return err
	}
	return e.assign(name, value)
}

// assign is set for a name and value that hold SPEC 3.1.
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
		t, err := CanonicalTime(value)
		if err != nil {
			return fault(name, "%.40q is %v", value, err)
		}
		e.Time = t
	case "agentseq":
		n, err := integer([]byte(value))
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
		e.Salt = &h
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

// text is the member that an attribute of plain text has of its own, or nil.
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

// mayNotBeEmpty: the attributes that SPEC 2 names, and the two that describe data.
func mayNotBeEmpty(name string) bool {
	switch name {
	case "specversion", "time", "agentseq", "agentprev", "datasalt", "datacontenttype", "dataschema":
		return true
	}
	return new(Event).text(name) != nil
}

// checkAttribute holds SPEC 3.1 for one name and value.
func checkAttribute(name, value string) error {
	if name == "" || len(name) > MaxAttributeName {
		return fault(clip(name, 80), "an attribute name has 1 to %d characters", MaxAttributeName)
	}
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && !isDigit(c) {
			return fault(clip(name, 80), "an attribute name is made of a-z and 0-9")
		}
	}
	return checkValue(name, value)
}

// checkValue holds SPEC 3.1 for a value.
func checkValue(name, value string) error {
	if len(value) > MaxAttributeBytes {
		return fault(name, "%d bytes, more than %d", len(value), MaxAttributeBytes)
	}
	if i := badRune(value); i >= 0 {
		return fault(name, "control character, noncharacter or bad UTF-8 at byte %d", i)
	}
	return nil
}

// badRune is the place of the first character that SPEC 3.1 forbids, or −1.
func badRune(s string) int {
	for i := 0; i < len(s); {
		if len(s)-i >= 8 {
			mark := unusual(eight(s, i))
			if mark == 0 {
				i += 8
				continue
			}
			i += lowest(mark)
		}
		c := s[i]
		if c < utf8.RuneSelf {
			if c < 0x20 || c == 0x7f {
				return i
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || forbidden(r) {
			return i
		}
		i += n
	}
	return -1
}

func forbidden(r rune) bool {
	return r < 0x20 || r >= 0x7f && r <= 0x9f || r >= 0xfdd0 && r <= 0xfdef || r&0xfffe == 0xfffe
}

// finish fills what follows from the attributes and checks the whole; every parser ends here.
func (e *Event) finish() error {
	if e.TraceID == "" {
		e.TraceID = traceOf(e.Extensions["traceparent"])
	}
	if !e.HasData {
		e.Salt = nil
	}
	e.EventType = EventType(e.Type)
	return e.check()
}

// traceOf takes the trace id out of a W3C traceparent of version 00; anything else gives none.
func traceOf(parent string) string {
	if len(parent) != 55 || parent[:3] != "00-" || parent[35] != '-' || parent[52] != '-' {
		return ""
	}
	for i := range len(parent) {
		if c := parent[i]; c != '-' && !isDigit(c) && (c < 'a' || c > 'f') || c == '-' && i != 2 && i != 35 && i != 52 {
			return ""
		}
	}
	return parent[3:35]
}

// check holds what concerns the event as a whole (SPEC 3).
func (e *Event) check() error {
	for _, r := range []struct{ field, value string }{{"id", e.ID}, {"source", e.Source}, {"type", e.Type}} {
		if r.value == "" {
			return fault(r.field, "required")
		}
	}
	if isOwnType(e.EventType) {
		return fault("type", "%.80q is reserved for the log itself", e.Type)
	}
	if e.Action != "" && !slices.Contains(Actions, e.Action) {
		return fault("action", "%.40q is none of %s", e.Action, strings.Join(Actions, ", "))
	}
	if e.Outcome != "" && !slices.Contains(Outcomes, e.Outcome) {
		return fault("outcome", "%.40q is none of %s", e.Outcome, strings.Join(Outcomes, ", "))
	}
	if len(e.Data) > MaxDataBytes {
		return fault("data", "%d bytes, more than %d", len(e.Data), MaxDataBytes)
	}
	if n := e.widest(); n > MaxLeafBytes {
		return fault("", "the attributes make a leaf of up to %d bytes, more than %d", n, MaxLeafBytes)
	}
	return nil
}

// Check holds all of SPEC 3 for an event that was made in Go rather than parsed; it brings Time into canonical form, and
// fills EventType and, from a traceparent, TraceID.
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
	*e = again
	return nil
}

// Attributes yields every attribute but specversion and datasalt with its canonical string, in no order.
func (e *Event) Attributes() func(yield func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		for _, name := range [...]string{"id", "source", "type", "subject", "action", "outcome", "policydecision", "matchedrule",
			"traceid", "sessionid", "targetdid", "agentsignature"} {
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

// clip cuts text to n bytes at a character's end and replaces what SPEC 3.1 forbids, so that it can stand in a leaf.
func clip(s string, n int) string {
	var b strings.Builder
	for _, r := range s {
		if forbidden(r) {
			r = utf8.RuneError
		}
		if b.Len()+utf8.RuneLen(r) > n {
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}
