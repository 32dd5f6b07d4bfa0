package alert

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/sealstream/sealstream/pkg/entry"
)

// Kind says what made an alert.
type Kind string

const (
	KindEntry   Kind = "entry"   // an entry of one of the types that are always told
	KindMatch   Kind = "match"   // an entry that a rule matches
	KindRate    Kind = "rate"    // the entry with which a rule's count was reached
	KindSilence Kind = "silence" // an agent that used to report, and does not any more; the entry is its last one
	KindLag     Kind = "lag"     // events wait too long to be sealed
	KindFailure Kind = "failure" // the log does not verify
	KindVoid    Kind = "void"    // a message on SEALED that does not continue the log, and was skipped
)

// The alert types that no entry has: a hyphen stands in no subject token that is made of an event type (see TypeToken), so that no agent can
// make alerts that look like these.
const (
	TypeSilence = "agent-silence"
	TypeLag     = "sealer-lag"
	TypeFailure = "log-failure"
	TypeVoid    = "void-message"
)

// Told are the event types whose every entry is an alert.
var Told = []string{"policy_violation", "rogue_detection", "tool_blocked"}

// TypePrefix begins the CloudEvents type of every alert. Ingest refuses it, so that no alert can be taken for an event.
const TypePrefix = entry.OwnPrefix + "alert."

// Alert is one alert: what stands in a message on ALERTS.
type Alert struct {
	ID     string // follows from log, entry and rule, so that the same alert has the same id whoever makes it
	Source string // the log's origin
	Type   string // event type of the entry as TypeToken writes it, or one of the types above
	Kind   Kind
	Rule   string // name of the rule; the event type where there is none
	Agent  string // whom it is about: an agent, or the log's origin
	Time   string // received_at of the entry; of what has no entry, when it was seen

	Index uint64          // the entry; of what has none, the newest one before
	Hash  string          // its entry hash; "": there is no such entry
	Size  uint64          // of the checkpoint that covers it
	Entry json.RawMessage // the entry as the API shows it, without data; nil: the alert is about no single entry

	Text   string // one line for a person
	Count  int    // of a rate: entries in the window
	Window string // of a rate or silence: how long
	Key    string // of a rate: the agent or resource that is counted

	SealedSeq uint64 // of a void message: its SEALED sequence
	InputSeq  uint64 // of a lag: the EVENTS sequence that waits

	Cursor uint64 // index that the follower was about to take when it published: the message is its cursor
	Seq    uint64 // ALERTS sequence; 0: not published
}

// data is the CloudEvent's data.
type data struct {
	Kind   Kind            `json:"kind"`
	Rule   string          `json:"rule"`
	Text   string          `json:"text"`
	Agent  string          `json:"agent_did"`
	Index  uint64          `json:"index"`
	Hash   string          `json:"entry_hash,omitempty"`
	Size   uint64          `json:"checkpoint_size"`
	Count  int             `json:"count,omitempty"`
	Window string          `json:"window,omitempty"`
	Key    string          `json:"key,omitempty"`
	Sealed uint64          `json:"sealed_seq,omitempty"`
	Input  uint64          `json:"input_seq,omitempty"`
	Entry  json.RawMessage `json:"entry,omitempty"`
}

// cloudEvent is a CloudEvent in the JSON format. The attributes of the seal have the names that they have in an export.
type cloudEvent struct {
	SpecVersion string          `json:"specversion"`
	ID          string          `json:"id"`
	Source      string          `json:"source"`
	Type        string          `json:"type"`
	Subject     string          `json:"subject"`
	Time        string          `json:"time"`
	ContentType string          `json:"datacontenttype"`
	Kind        Kind            `json:"alertkind"`
	Rule        string          `json:"alertrule"`
	Index       any             `json:"sealindex"`
	Hash        string          `json:"sealhash,omitempty"`
	Size        any             `json:"sealsize"`
	Data        json.RawMessage `json:"data"`
}

// integer is a number as CloudEvents has it: 32 bits, and beyond that its decimal form.
func integer(n uint64) any {
	if n > math.MaxInt32 {
		return strconv.FormatUint(n, 10)
	}
	return n
}

// namespace of the ids.
var namespace = uuid.NewSHA1(uuid.NameSpaceURL, []byte("sealstream/alert"))

// alertID is the id of what a rule says of an index; part tells several of one rule and index apart.
func alertID(origin string, index uint64, kind Kind, rule, part string) string {
	return uuid.NewSHA1(namespace, fmt.Appendf(nil, "%s\n%d\n%s\n%s\n%s", origin, index, kind, rule, part)).String()
}

// TypeToken is the subject token of an event type: what is not a letter, a digit or an underscore becomes one, because dots, spaces and wildcards
// would speak NATS; at most 64 characters.
func TypeToken(eventType string) string {
	b := []byte(eventType)
	for i, c := range b {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			b[i] = '_'
		}
	}
	return string(b[:min(len(b), 64)])
}

// Subject is where the alert is published.
func (a *Alert) Subject(log string) string {
	return "audit." + log + ".alerts." + a.Type + "." + entry.AgentToken(a.Agent)
}

// contentType is that of a structured CloudEvent.
const contentType = "application/cloudevents+json"

// headerCursor carries Alert.Cursor; it is of no interest to receivers.
const headerCursor = "Sealstream-Cursor"

// message is the alert as it is published on ALERTS.
func (a *Alert) message(log string) (entry.Message, error) {
	body, err := a.MarshalJSON()
	if err != nil {
		return entry.Message{}, fmt.Errorf("alert %s: %w", a.ID, err)
	}
	return entry.Message{
		Subject: a.Subject(log), Data: body,
		Header: entry.Header{"content-type": {contentType}, headerCursor: {strconv.FormatUint(a.Cursor, 10)}},
	}, nil
}

// MarshalJSON writes the alert as a CloudEvent.
func (a *Alert) MarshalJSON() ([]byte, error) {
	d, err := marshal(data{a.Kind, a.Rule, a.Text, a.Agent, a.Index, a.Hash, a.Size, a.Count, a.Window, a.Key, a.SealedSeq, a.InputSeq, a.Entry})
	if err != nil {
		return nil, err
	}
	return marshal(cloudEvent{
		SpecVersion: "1.0", ID: a.ID, Source: a.Source, Type: TypePrefix + a.Type, Subject: a.Agent, Time: a.Time, ContentType: "application/json",
		Kind: a.Kind, Rule: a.Rule, Index: integer(a.Index), Hash: a.Hash, Size: integer(a.Size), Data: d,
	})
}

// marshal leaves < and > as they are: the entry keeps the bytes of its leaf.
func marshal(v any) ([]byte, error) {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// Parse reads a message of ALERTS.
func Parse(m entry.Message) (Alert, error) {
	var c cloudEvent
	var d data
	if err := json.Unmarshal(m.Data, &c); err != nil {
		return Alert{}, fmt.Errorf("ALERTS sequence %d: %w", m.Seq, err)
	}
	if err := json.Unmarshal(c.Data, &d); err != nil {
		return Alert{}, fmt.Errorf("ALERTS sequence %d: data: %w", m.Seq, err)
	}
	kind, ok := strings.CutPrefix(c.Type, TypePrefix)
	if c.SpecVersion != "1.0" || c.ID == "" || !ok {
		return Alert{}, fmt.Errorf("ALERTS sequence %d: %w", m.Seq, errNoAlert)
	}
	a := Alert{
		ID: c.ID, Source: c.Source, Type: kind, Kind: d.Kind, Rule: d.Rule, Agent: d.Agent, Time: c.Time, Index: d.Index, Hash: d.Hash, Size: d.Size,
		Entry: d.Entry, Text: d.Text, Count: d.Count, Window: d.Window, Key: d.Key, SealedSeq: d.Sealed, InputSeq: d.Input, Seq: m.Seq,
	}
	if h := m.Header.Get(headerCursor); h != "" {
		var err error
		if a.Cursor, err = strconv.ParseUint(h, 10, 63); err != nil {
			return Alert{}, fmt.Errorf("ALERTS sequence %d: header %s: %w", m.Seq, headerCursor, err)
		}
	}
	return a, nil
}

var errNoAlert = errors.New("not an alert")

// ofEntry begins the alert of a kind about an entry that a checkpoint of a size covers.
func ofEntry(origin string, kind Kind, rule string, e *entry.Entry, size uint64) (Alert, error) {
	body, err := e.MarshalJSON()
	if err != nil {
		return Alert{}, fmt.Errorf("index %d: %w", e.Index, err)
	}
	return Alert{
		ID: alertID(origin, e.Index, kind, rule, ""), Source: origin, Type: TypeToken(eventType(e)), Kind: kind, Rule: rule, Agent: e.AgentDID, Time: e.ReceivedAt,
		Index: e.Index, Hash: e.EntryHash, Size: size, Entry: body, Cursor: e.Index,
	}, nil
}

// eventType is that of the event behind an entry. An equivocation is told under the type of its event: whoever repeats the id of an old event must not
// thereby hide a new one.
func eventType(e *entry.Entry) string {
	if q, ok := e.Detail.(*entry.Equivocation); ok {
		return q.EventType
	}
	return e.EventType
}

// describe is one line about an entry.
func describe(e *entry.Entry) string {
	words := []string{eventType(e), "by", e.AgentDID}
	for _, w := range []struct{ name, value string }{{"on", e.Resource}, {"action", e.Action}, {"outcome", e.Outcome}, {"rule", e.MatchedRule}} {
		if w.value != "" {
			words = append(words, w.name, w.value)
		}
	}
	return strings.Join(words, " ")
}

func formatNanos(n int64) string { return entry.FormatReceived(time.Unix(0, n)) }
