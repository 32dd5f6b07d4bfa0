package agt

import (
	"errors"
	"slices"
	"strings"

	"github.com/sealstream/sealstream/pkg/entry"
)

// Attributes that an entry gets which came from the toolkit. Names of fields in them are the toolkit's, parted by spaces.
const (
	ExtFormat       = "agtformat"       // FormatTrail or FormatExport
	ExtContentHash  = "agtcontenthash"  // of a trail's line
	ExtPreviousHash = "agtprevioushash" // of a trail's line
	ExtSignature    = "agtsignature"    // of a trail's line
	ExtHMAC         = "agthmac"         // verified, or unchecked where there was no key
	ExtUnsigned     = "agtunsigned"     // fields that no hash or signature of the toolkit's covers
	ExtTime         = "agttime"         // the time as it was written, where that is no RFC 3339
	ExtAction       = "agtaction"       // an action that this log does not know; action is absent
	ExtOutcome      = "agtoutcome"      // an outcome that this log does not know; outcome is absent
	ExtData         = "agtdata"         // text: the data is no JSON that this log takes, a NaN for one, and stands as text
	ExtLifted       = "agtlifted"       // fields that stood among the data
	ExtAmbiguous    = "agtambiguous"    // of these, those that the agent's own data may have overwritten
	ExtRecovered    = "agtrecovered"    // of these, those that it had overwritten, and whose true value the hash proves
	ExtLost         = "agtlost"         // of these, those that it had overwritten, and whose true value is lost
	ExtSandbox      = "agtsandboxid"
	ExtEnvironment  = "agtenvironment"
	ExtCompute      = "agtcomputedriver"
)

// Values of ExtFormat.
const (
	FormatTrail  = "trail"
	FormatExport = "cloudevents"
	FormatAPI    = "api"
)

// Time brings a time as Python writes it to RFC 3339. repaired says that it was none: the toolkit's export has a Z behind its offset, others have
// a space for the T, or no offset at all, which is taken for UTC.
func Time(s string) (canonical string, repaired bool, err error) {
	if c, err := entry.CanonicalTime(s); err == nil {
		return c, false, nil
	}
	t := s
	if len(t) > 10 && t[10] == ' ' {
		t = t[:10] + "T" + t[11:]
	}
	for _, try := range []string{t, strings.TrimSuffix(t, "Z"), t + "Z"} {
		if c, err := entry.CanonicalTime(try); err == nil {
			return c, true, nil
		}
	}
	_, err = entry.CanonicalTime(s)
	return "", false, &entry.FieldError{Field: "timestamp", Reason: err.Error()}
}

// CloudEventType is the CloudEvents type from which this log makes that very event type again.
func CloudEventType(eventType string) string {
	if t := entry.CloudEventType(eventType); entry.EventType(t) == eventType {
		return t
	}
	return eventType
}

// Event is the CloudEvent that says of the record what this log can say, with ext as further attributes; what does not fit into an attribute of its own
// goes into those above. It errs with an *entry.FieldError where the log would refuse it.
func (r Record) Event(ext map[string]string) (entry.Event, error) {
	e := entry.Event{ID: r.EntryID, Source: r.AgentDID, Subject: text(r.Resource), PolicyDecision: text(r.PolicyDecision), MatchedRule: text(r.MatchedRule),
		TraceID: text(r.TraceID), SessionID: text(r.SessionID), TargetDID: text(r.TargetDID), Extensions: map[string]string{}}
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
	if e.Action = r.Action; !slices.Contains(entry.Actions, r.Action) {
		e.Action = ""
		set(ExtAction, r.Action)
	}
	if e.Outcome = r.Outcome; !slices.Contains(entry.Outcomes, r.Outcome) {
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
		if entry.CheckJSON(r.Data, entry.MaxDepth) == nil {
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

// toolkitField gives a refusal the name that the field has in the toolkit.
func toolkitField(err error) error {
	fe, ok := errors.AsType[*entry.FieldError](err)
	if !ok {
		return err
	}
	names := map[string]string{"id": "entry_id", "source": "agent_did", "type": "event_type", "subject": "resource", "targetdid": "target_did",
		"policydecision": "policy_decision", "matchedrule": "matched_rule", "traceid": "trace_id", "sessionid": "session_id", "time": "timestamp"}
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
