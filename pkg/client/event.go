package client

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
)

// Event is what an agent did. Type is required, and so is Agent unless Config.Agent is set. Empty
// fields are absent from the event.
type Event struct {
	// ID identifies the event. If it is empty, the client makes a UUIDv7, a salt, and a Time if there
	// is none. If it is set, the client adds nothing, so that logging the same event again, even from
	// another process, is a repeat and makes no second entry.
	ID string

	// Type is an event type: tool_invocation, tool_blocked, policy_evaluation, policy_violation,
	// rogue_detection, agent_invocation, trust_handshake, or a name of your own. A type with a dot is
	// a CloudEvents type, and is sent unchanged.
	Type string

	Agent    string // DID of the acting agent; empty means Config.Agent
	Action   string // decision of the agent's policy: allow, deny, audit, quarantine, warning
	Resource string // what the agent acted on
	Target   string // DID of the other agent
	Outcome  string // success, failure, denied, error

	PolicyDecision string // result of the policy in its own words
	MatchedRule    string // rule of the policy that matched
	Trace          string // trace id
	Session        string // session id

	Time time.Time // when it happened; zero means that the event states no time, but see ID

	// Data is the payload. Nil means no data. Its form depends on the Go type:
	//   - json.RawMessage is sent byte for byte.
	//   - []byte is sent as DataContentType says. The default is application/octet-stream.
	//   - string is sent as text if DataContentType is set and is not JSON.
	//   - Anything else is marshaled by encoding/json.
	Data            any
	DataContentType string // media type of Data; empty means JSON, except for []byte

	Extensions map[string]string // other CloudEvents attributes, by name

	asIs *entry.Event
}

// AsIs returns an Event for an event that was parsed or made elsewhere. It is sent unchanged,
// without an additional id, time or salt.
func AsIs(ev entry.Event) Event { return Event{asIs: &ev} }

// prepare makes the event that is sent, the same at every try, and checks it.
func (e Event) prepare(agent string, c call) (entry.Event, error) {
	if e.asIs != nil {
		return prepareAsIs(*e.asIs, c)
	}
	ev := entry.Event{
		ID: e.ID, Source: e.Agent, Type: e.Type, Subject: e.Resource, Action: e.Action, Outcome: e.Outcome,
		PolicyDecision: e.PolicyDecision, MatchedRule: e.MatchedRule, TraceID: e.Trace, SessionID: e.Session,
		TargetDID:  e.Target,
		Extensions: maps.Clone(e.Extensions),
	}
	if ev.Source == "" {
		ev.Source = agent
	}
	if !strings.Contains(ev.Type, ".") && ev.Type != "" {
		ev.Type = ruleset.CloudEventType(ev.Type)
	}
	if err := e.data(&ev); err != nil {
		return ev, &RejectedError{ev.ID, api.Refusal{Field: "data", Reason: err.Error()}}
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
	isJSON := ruleset.IsJSON(e.DataContentType)
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
