package client

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/sealstream/sealstream/pkg/entry"
)

// Event is what an agent did. Type is required, and an Agent unless the client has one; empty fields are absent.
type Event struct {
	// ID makes the event recognisable. "": the client makes a UUIDv7, a salt, and a Time if there is none. Where an ID is given, the
	// event goes as it is, so that logging it again, even from another process, is a repeat and no second entry.
	ID string

	// Type is an event type (tool_invocation, tool_blocked, policy_evaluation, policy_violation, rogue_detection, agent_invocation,
	// trust_handshake, or a name of your own). One with a dot in it is a CloudEvents type, and stands as it is.
	Type string

	Agent    string // DID of the acting agent; "": Config.Agent
	Action   string // allow, deny, audit, quarantine, warning
	Resource string // what was acted on
	Target   string // DID of the agent acted on
	Outcome  string // success, failure, denied, error

	PolicyDecision, MatchedRule string
	Trace, Session              string
	Time                        time.Time // zero: none, but see ID

	// Data is the payload: json.RawMessage goes byte for byte, []byte as DataContentType says (application/octet-stream if
	// nothing), a string with a DataContentType that is not JSON as text; anything else is marshalled by encoding/json. nil: no data.
	Data            any
	DataContentType string

	Extensions map[string]string // other CloudEvents attributes

	asIs *entry.Event
}

// AsIs is an event that was parsed or made elsewhere. It goes as it is: no id, time or salt is added.
func AsIs(ev entry.Event) Event { return Event{asIs: &ev} }

// prepare makes the event that is sent, the same at every try, and checks it.
func (e Event) prepare(agent string, c call) (entry.Event, error) {
	if e.asIs != nil {
		return prepareAsIs(*e.asIs, c)
	}
	ev := entry.Event{
		ID: e.ID, Source: e.Agent, Type: e.Type, Subject: e.Resource, Action: e.Action, Outcome: e.Outcome,
		PolicyDecision: e.PolicyDecision, MatchedRule: e.MatchedRule, TraceID: e.Trace, SessionID: e.Session, TargetDID: e.Target,
		Extensions: maps.Clone(e.Extensions),
	}
	if ev.Source == "" {
		ev.Source = agent
	}
	if !strings.Contains(ev.Type, ".") && ev.Type != "" {
		ev.Type = entry.CloudEventType(ev.Type)
	}
	if err := e.data(&ev); err != nil {
		return ev, &RejectedError{EntryID: ev.ID, Field: "data", Reason: err.Error()}
	}
	if !e.Time.IsZero() {
		ev.Time = e.Time.UTC().Format(time.RFC3339Nano)
	}
	if ev.ID == "" {
		ev.ID = uuid.Must(uuid.NewV7()).String()
		if ev.Time == "" {
			ev.Time = time.Now().UTC().Format(time.RFC3339Nano)
		}
		if ev.HasData {
			ev.Salt = new([32]byte)
			rand.Read(ev.Salt[:])
		}
	}
	return check(ev, c)
}

// prepareAsIs lets the options fill what is empty; a changed event is a copy.
func prepareAsIs(ev entry.Event, c call) (entry.Event, error) {
	ev.Extensions = maps.Clone(ev.Extensions)
	return check(ev, c)
}

func check(ev entry.Event, c call) (entry.Event, error) {
	if ev.TraceID == "" && ev.Extensions["traceparent"] == "" {
		ev.TraceID = c.trace
	}
	if ev.SessionID == "" {
		ev.SessionID = c.session
	}
	if err := ev.Check(); err != nil {
		return ev, rejected(ev.ID, err)
	}
	return ev, nil
}

func (e Event) data(ev *entry.Event) error {
	if e.DataContentType != "" {
		if ev.Extensions == nil {
			ev.Extensions = make(map[string]string, 1)
		}
		ev.Extensions["datacontenttype"] = e.DataContentType
	}
	isJSON := entry.IsJSON(e.DataContentType)
	switch d := e.Data.(type) {
	case nil:
		return nil
	case json.RawMessage:
		if !isJSON {
			return fmt.Errorf("JSON where the content type is %.80q", e.DataContentType)
		}
		return ev.SetJSON(d)
	case []byte:
		if e.DataContentType == "" {
			if ev.Extensions == nil {
				ev.Extensions = make(map[string]string, 1)
			}
			ev.Extensions["datacontenttype"] = "application/octet-stream"
		} else if isJSON {
			return ev.SetJSON(d)
		}
		ev.Data, ev.HasData = d, true
		return nil
	case string:
		if !isJSON {
			ev.Data, ev.HasData = []byte(d), true
			return nil
		}
	}
	if !isJSON {
		return fmt.Errorf("%T where the content type is %.80q", e.Data, e.DataContentType)
	}
	raw, err := json.Marshal(e.Data)
	if err != nil {
		return err
	}
	return ev.SetJSON(raw)
}
