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

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams/subject"
)

// Kind is the cause of an alert.
type Kind string

const (
	KindEntry   Kind = "entry"   // an entry of one of AlertTypes
	KindMatch   Kind = "match"   // an entry that a rule matches
	KindRate    Kind = "rate"    // the entry that reached a rule's rate
	KindSilence Kind = "silence" // an agent stopped reporting; the entry is its last one
	KindLag     Kind = "lag"     // events wait too long to be sealed
	KindFailure Kind = "failure" // the log fails to verify
	// a condition of the log or of this process, as /readyz shows it, has become worse
	KindState Kind = "state"
	KindVoid  Kind = "void" // a message on SEALED does not continue the log, and was skipped
)

// Types of alerts without an entry. No subject token that is made of an event type has a hyphen
// (see TypeToken), so no agent can cause alerts that look like these.
const (
	TypeSilence = "agent-silence"
	TypeLag     = "sealer-lag"
	TypeFailure = "log-failure"
	TypeVoid    = "void-message"
	TypeState   = "log-condition"
)

// AlertTypes are the event types whose every entry is an alert.
var AlertTypes = []string{"policy_violation", "rogue_detection", "tool_blocked"}

// TypePrefix is the prefix of the CloudEvents type of every alert. Ingest refuses it, so that no
// event can look like an alert.
const TypePrefix = ruleset.OwnPrefix + "alert."

// Alert is one alert, the content of a message on ALERTS.
type Alert struct {
	ID     string // derived from log, entry and rule, so that the same alert always has the same id
	Source string // origin of the log
	Type   string // event type of the entry as TypeToken returns it, or one of the types above
	Kind   Kind
	Rule   string // name of the rule, or the event type if there is none
	Agent  string // the agent, or the log's origin
	Time   string // received_at of the entry; without an entry, the time at which it was noticed

	Index uint64          // index of the entry; without an entry, that of the newest one before
	Hash  string          // entry hash; empty if there is no such entry
	Size  uint64          // size of the checkpoint that covers the entry
	Entry json.RawMessage // the entry as the API shows it, without data; nil if there is none

	Text   string // one line for people
	Count  int    // for a rate: entries in the window
	Window string // for a rate or silence: its duration
	Key    string // for a rate: the agent or resource that is counted

	SealedSeq uint64 // for a void message: its SEALED sequence
	InputSeq  uint64 // for a lag: the EVENTS sequence that waits
	Condition string // for a state: name of the condition
	State     string // for a state: warning, urgent, failing or dead

	Cursor uint64 // next index of the follower when it published: the message serves as its cursor
	Seq    uint64 // ALERTS sequence; 0 if not published
}

// data is the data of the CloudEvent.
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
	Cond   string          `json:"condition,omitempty"`
	State  string          `json:"state,omitempty"`
	Entry  json.RawMessage `json:"entry,omitempty"`
}

// cloudEvent is a CloudEvent in the JSON format. The attributes of the seal have the same names as
// in an export.
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

// integer returns a number as CloudEvents has it: 32 bits, or a decimal string if it is larger.
func integer(n uint64) any {
	if n > math.MaxInt32 {
		return strconv.FormatUint(n, 10)
	}
	return n
}

// namespace is the UUID namespace of alert ids.
var namespace = uuid.NewSHA1(uuid.NameSpaceURL, []byte("sealstream/alert"))

// alertID returns the id of the alert of a rule for an index. part distinguishes several alerts of
// one rule and index.
func alertID(origin string, index uint64, kind Kind, rule, part string) string {
	return uuid.NewSHA1(namespace, fmt.Appendf(nil, "%s\n%d\n%s\n%s\n%s", origin, index, kind, rule, part)).String()
}

// TypeToken returns the subject token of an event type: at most 64 characters, in which everything
// but letters and digits is replaced by an underscore, because dots, spaces and wildcards have a
// meaning in NATS subjects.
func TypeToken(eventType string) string {
	b := []byte(eventType)
	for i, c := range b {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			b[i] = '_'
		}
	}
	return string(b[:min(len(b), 64)])
}

// Subject returns the subject on which the alert is published.
func (a *Alert) Subject(log string) string {
	return subject.Alerts(log, a.Type, subject.AgentToken(a.Agent))
}

// contentType is the media type of a structured CloudEvent.
const contentType = "application/cloudevents+json"

// headerCursor is the header with Alert.Cursor. Receivers can ignore it.
const headerCursor = "Sealstream-Cursor"

// message returns the alert as a message for ALERTS.
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
	d, err := marshal(data{
		Kind: a.Kind, Rule: a.Rule, Text: a.Text, Agent: a.Agent, Index: a.Index, Hash: a.Hash, Size: a.Size,
		Count: a.Count, Window: a.Window, Key: a.Key, Sealed: a.SealedSeq, Input: a.InputSeq, Cond: a.Condition,
		State: a.State, Entry: a.Entry,
	})
	if err != nil {
		return nil, err
	}
	return marshal(cloudEvent{
		SpecVersion: "1.0", ID: a.ID, Source: a.Source, Type: TypePrefix + a.Type, Subject: a.Agent, Time: a.Time,
		ContentType: "application/json",
		Kind:        a.Kind, Rule: a.Rule, Index: integer(a.Index), Hash: a.Hash, Size: integer(a.Size), Data: d,
	})
}

// marshal does not escape < and >, so that the entry keeps the bytes of its leaf.
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
		ID: c.ID, Source: c.Source, Type: kind, Kind: d.Kind, Rule: d.Rule, Agent: d.Agent, Time: c.Time, Index: d.Index,
		Hash: d.Hash, Size: d.Size,
		Entry: d.Entry, Text: d.Text, Count: d.Count, Window: d.Window, Key: d.Key, SealedSeq: d.Sealed, InputSeq: d.Input,
		Condition: d.Cond, State: d.State, Seq: m.Seq,
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

// newEntryAlert makes an alert about an entry. size is that of the checkpoint that covers the
// entry.
func newEntryAlert(origin string, kind Kind, rule string, e *entry.Entry, size uint64) (Alert, error) {
	body, err := e.MarshalJSON()
	if err != nil {
		return Alert{}, fmt.Errorf("index %d: %w", e.Index, err)
	}
	return Alert{
		ID: alertID(origin, e.Index, kind, rule, ""), Source: origin, Type: TypeToken(eventType(e)), Kind: kind,
		Rule: rule, Agent: e.AgentDID, Time: e.ReceivedAt,
		Index: e.Index, Hash: e.EntryHash.String(), Size: size, Entry: body, Cursor: e.Index,
	}, nil
}

// eventType returns the type of the event behind an entry. An equivocation counts as its event's
// type: repeating the id of an old event must not hide a new one.
func eventType(e *entry.Entry) string {
	if q, ok := e.Detail.(*entry.Equivocation); ok {
		return q.EventType
	}
	return e.EventType
}

// describe returns one line about an entry.
func describe(e *entry.Entry) string {
	words := []string{eventType(e), "by", e.AgentDID}
	for _, w := range []struct{ name, value string }{
		{"on", e.Resource}, {"action", e.Action}, {"outcome", e.Outcome}, {"rule", e.MatchedRule},
	} {
		if w.value != "" {
			words = append(words, w.name, w.value)
		}
	}
	return strings.Join(words, " ")
}

func formatNanos(n int64) string { return canonical.FormatReceived(time.Unix(0, n)) }
