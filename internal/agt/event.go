package agt

import (
	"errors"
	"slices"
	"strings"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
)

// Attributes of an entry that came from the toolkit. Lists of fields are names of the toolkit,
// separated by spaces.
const (
	ExtFormat       = "agtformat"       // FormatTrail or FormatExport
	ExtContentHash  = "agtcontenthash"  // of a trail's line
	ExtPreviousHash = "agtprevioushash" // of a trail's line
	ExtSignature    = "agtsignature"    // of a trail's line
	ExtHMAC         = "agthmac"         // verified, or unchecked if no key was given
	ExtUnsigned     = "agtunsigned"     // fields that no hash or signature of the toolkit covers
	ExtTime         = "agttime"         // the original time, if it was not RFC 3339
	ExtAction       = "agtaction"       // an action that this log does not know; action is absent
	ExtOutcome      = "agtoutcome"      // an outcome that this log does not know; outcome is absent
	// "text" if this log does not accept the data as JSON (a NaN), and keeps it as text
	ExtData        = "agtdata"
	ExtLifted      = "agtlifted"    // fields that were among the data
	ExtAmbiguous   = "agtambiguous" // lifted fields that the agent's own data may have overwritten
	ExtRecovered   = "agtrecovered" // lifted fields that were overwritten, and whose original the hash proves
	ExtLost        = "agtlost"      // lifted fields that were overwritten, and whose original is lost
	ExtSandbox     = "agtsandboxid"
	ExtEnvironment = "agtenvironment"
	ExtCompute     = "agtcomputedriver"
)

// Values of ExtFormat.
const (
	FormatTrail  = "trail"
	FormatExport = "cloudevents"
	FormatAPI    = "api"
)

// Time converts a time that Python wrote to RFC 3339. repaired is true if it was not RFC 3339: the
// toolkit's export writes a Z after the offset, and others write a space instead of the T, or no
// offset, which means UTC.
func Time(s string) (utc string, repaired bool, err error) {
	if c, err := canonical.Time(s); err == nil {
		return c, false, nil
	}
	t := s
	if len(t) > 10 && t[10] == ' ' {
		t = t[:10] + "T" + t[11:]
	}
	for _, try := range []string{t, strings.TrimSuffix(t, "Z"), t + "Z"} {
		if c, err := canonical.Time(try); err == nil {
			return c, true, nil
		}
	}
	_, err = canonical.Time(s)
	return "", false, &entry.FieldError{Field: "timestamp", Reason: err.Error()}
}

// CloudEventType returns the CloudEvents type that this log maps to an event type.
func CloudEventType(eventType string) string {
	if t := ruleset.CloudEventType(eventType); ruleset.EventType(t) == eventType {
		return t
	}
	return eventType
}

// Event converts the record to a CloudEvent with ext as additional attributes. A value that its
// attribute cannot hold goes into one of the attributes above. If the log would refuse the event,
// the error is an *entry.FieldError with the toolkit's name of the field.
func (r Record) Event(ext map[string]string) (entry.Event, error) {
	e := entry.Event{
		ID:             r.EntryID,
		Source:         r.AgentDID,
		Subject:        text(r.Resource),
		PolicyDecision: text(r.PolicyDecision),
		MatchedRule:    text(r.MatchedRule),
		TraceID:        text(r.TraceID),
		SessionID:      text(r.SessionID),
		TargetDID:      text(r.TargetDID),
		Extensions:     map[string]string{},
	}
	if r.EventType != "" {
		e.Type = CloudEventType(r.EventType)
	}
	set := func(name, value string) {
		if value != "" {
			e.Extensions[name] = value
		}
	}
	for name, value := range ext {
		set(name, value)
	}
	set(ExtSandbox, text(r.SandboxID))
	set(ExtEnvironment, text(r.Environment))
	set(ExtCompute, text(r.ComputeDriver))
	if e.Action = r.Action; !slices.Contains(ruleset.Actions, r.Action) {
		e.Action = ""
		set(ExtAction, r.Action)
	}
	if e.Outcome = r.Outcome; !slices.Contains(ruleset.Outcomes, r.Outcome) {
		e.Outcome = ""
		set(ExtOutcome, r.Outcome)
	}
	if r.Timestamp != "" {
		t, repaired, err := Time(r.Timestamp)
		if err != nil {
			return entry.Event{}, err
		}
		if e.Time = t; repaired {
			set(ExtTime, r.Timestamp)
		}
	}
	if r.Data != nil {
		e.HasData, e.Data = true, r.Data
		if canonical.CheckJSON(r.Data, ruleset.MaxDepth) == nil {
			e.Extensions["datacontenttype"] = "application/json"
		} else {
			e.Extensions["datacontenttype"] = "text/plain"
			set(ExtData, "text")
		}
	}
	if err := e.Check(); err != nil {
		return entry.Event{}, toolkitField(err)
	}
	return e, nil
}

// toolkitField gives an *entry.FieldError the toolkit's name of the field.
func toolkitField(err error) error {
	fe, ok := errors.AsType[*entry.FieldError](err)
	if !ok {
		return err
	}
	names := map[string]string{
		"id":             "entry_id",
		"source":         "agent_did",
		"type":           "event_type",
		"subject":        "resource",
		"targetdid":      "target_did",
		"policydecision": "policy_decision",
		"matchedrule":    "matched_rule",
		"traceid":        "trace_id",
		"sessionid":      "session_id",
		"time":           "timestamp",
	}
	if name, ok := names[fe.Field]; ok {
		return &entry.FieldError{Field: name, Reason: fe.Reason}
	}
	return err
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
