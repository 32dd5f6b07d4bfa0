package entry

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Redaction names what was taken out of an event before it was sealed.
type Redaction struct{ Kind, Path string }

// Entry is a sealed event, or one of the log's own. Only a Draft's Seal and ParseEntry make one; strings are absent if
// empty. Leaf is what the log stores and hashes, and the truth: the other fields are a view of it.
type Entry struct {
	V                                     uint64
	Log                                   string
	Index                                 uint64
	EntryID, Timestamp, ReceivedAt        string
	EventType, CloudEventType             string
	AgentDID, Action, Resource, TargetDID string
	Outcome, PolicyDecision, MatchedRule  string
	TraceID, SessionID                    string
	DataHash, PreviousHash, EntryHash     string // 64 lower-case hexadecimal digits
	InputEpoch, InputSeq, Position        uint64
	Publisher                             string
	AgentSeq                              *uint64
	AgentPrev, Signature                  string
	Redactions                            []Redaction
	Extensions                            map[string]string
	Detail                                Detail // nil but in the log's own entries

	Leaf []byte
}

// IsOwn says whether the log itself made the entry (SPEC 5).
func (e Entry) IsOwn() bool { return strings.HasPrefix(e.EventType, OwnPrefix) }

// IsEvent says whether an agent's event stands behind the entry; so it is for an equivocation, too.
func (e Entry) IsEvent() bool { return !e.IsOwn() || e.EventType == TypeEquivocation }

// appendLeaf writes the canonical leaf. bare leaves out what the log added, for Fingerprint (SPEC 5.8). The members are in three runs, which
// index and previous_hash part: all else of a leaf is known before its place is.
func (e *Entry) appendLeaf(dst []byte, bare bool) []byte {
	o := beginObject(dst)
	e.beforeIndex(&o, bare)
	if !bare {
		o.num("index", e.Index)
	}
	e.beforePrevious(&o, bare)
	if !bare {
		o.str("previous_hash", e.PreviousHash)
	}
	e.afterPrevious(&o, bare)
	return o.end()
}

func (e *Entry) beforeIndex(o *object, bare bool) {
	o.str("action", e.Action)
	o.str("agent_did", e.AgentDID)
	o.str("agent_prev", e.AgentPrev)
	if e.AgentSeq != nil {
		o.num("agent_seq", *e.AgentSeq)
	}
	o.str("cloudevent_type", e.CloudEventType)
	o.str("data_hash", e.DataHash)
	if e.Detail != nil && !bare {
		o.name("detail")
		o.dst = e.Detail.appendJSON(o.dst)
	}
	o.str("entry_id", e.EntryID)
	o.str("event_type", e.EventType)
	o.stringMap("extensions", e.Extensions)
}

func (e *Entry) beforePrevious(o *object, bare bool) {
	if !bare {
		o.num("input_epoch", e.InputEpoch)
		o.num("input_seq", e.InputSeq)
		o.str("log", e.Log)
	}
	o.str("matched_rule", e.MatchedRule)
	o.str("outcome", e.Outcome)
	o.str("policy_decision", e.PolicyDecision)
	if !bare {
		o.num("position", e.Position)
	}
}

func (e *Entry) afterPrevious(o *object, bare bool) {
	if !bare {
		o.str("publisher", e.Publisher)
		o.str("received_at", e.ReceivedAt)
		o.redactions(e.Redactions)
	}
	o.str("resource", e.Resource)
	o.str("session_id", e.SessionID)
	o.str("signature", e.Signature)
	o.str("target_did", e.TargetDID)
	if !bare || e.Timestamp != e.ReceivedAt {
		o.str("timestamp", e.Timestamp)
	}
	o.str("trace_id", e.TraceID)
	if !bare {
		o.num("v", e.V)
	}
}

func (o *object) redactions(list []Redaction) {
	if len(list) == 0 {
		return
	}
	o.name("redactions")
	o.dst = append(o.dst, '[')
	for i, r := range list {
		if i > 0 {
			o.dst = append(o.dst, ',')
		}
		in := beginObject(o.dst)
		in.text("kind", r.Kind)
		in.text("path", r.Path)
		o.dst = in.end()
	}
	o.dst = append(o.dst, ']')
}

// Errors of ParseEntry. They are wrapped with what is wrong.
var (
	// ErrLeaf: the bytes are no leaf of this format. Whoever wrote them did not seal.
	ErrLeaf = errors.New("not a leaf")
	// ErrLeafVersion: a leaf of a format that this package does not know; a newer release may.
	ErrLeafVersion = errors.New("leaf of an unknown format version")
)

// ParseEntry reads a leaf. It takes nothing but canonical bytes (SPEC 2), and keeps leaf, which must not change.
func ParseEntry(leaf []byte) (Entry, error) {
	if len(leaf) > MaxLeafBytes {
		return Entry{}, fmt.Errorf("%w: %d bytes, more than %d", ErrLeaf, len(leaf), MaxLeafBytes)
	}
	e := Entry{}
	if !e.readCanonical(string(leaf)) {
		e = Entry{}
		if err := e.readGeneral(leaf); err != nil {
			return Entry{}, err
		}
	}
	if e.V != Version {
		return Entry{}, fmt.Errorf("%w: v is %d", ErrLeafVersion, e.V)
	}
	if err := e.check(); err != nil {
		return Entry{}, fmt.Errorf("%w: %w", ErrLeaf, err)
	}
	e.Leaf, e.EntryHash = leaf, FormatHash(LeafHash(leaf))
	return e, nil
}

// readGeneral reads any JSON of a leaf, and then takes it only if its bytes are the canonical ones. It says what is wrong.
func (e *Entry) readGeneral(leaf []byte) error {
	var detail []byte
	var bad error // of the first member at fault; what v says comes before it, as another format has other members
	err := walkObject(leaf, func(name string, v []byte) error {
		if name == "detail" {
			detail = v
		} else if err := e.member(name, v); err != nil && bad == nil {
			bad = fmt.Errorf("%.80s: %w", name, err)
		}
		return nil
	})
	if err == nil && e.V > Version {
		return fmt.Errorf("%w: v is %d", ErrLeafVersion, e.V)
	}
	if err == nil {
		err = bad
	}
	if err == nil && detail != nil {
		e.Detail, err = parseDetail(e.EventType, detail)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrLeaf, err)
	}
	if again := e.appendLeaf(make([]byte, 0, len(leaf)), false); !bytes.Equal(again, leaf) {
		return fmt.Errorf("%w: the bytes are not canonical", ErrLeaf)
	}
	return nil
}

// check holds what SPEC 2 says of members that the canonical form does not already hold.
func (e *Entry) check() error {
	for _, r := range []struct{ name, value string }{{"log", e.Log}, {"previous_hash", e.PreviousHash}, {"entry_id", e.EntryID},
		{"timestamp", e.Timestamp}, {"received_at", e.ReceivedAt}, {"event_type", e.EventType}, {"agent_did", e.AgentDID}} {
		if r.value == "" {
			return fmt.Errorf("%s is missing", r.name)
		}
	}
	if !ValidLog(e.Log) {
		return fmt.Errorf("log %.40q", e.Log)
	}
	for _, h := range []string{e.PreviousHash, e.DataHash, e.AgentPrev} {
		if h == "" {
			continue
		}
		if _, err := ParseHash(h); err != nil {
			return err
		}
	}
	if c, err := CanonicalTime(e.ReceivedAt); err != nil || c != e.ReceivedAt || len(c) != len(receivedLayout) {
		return fmt.Errorf("received_at %.40q", e.ReceivedAt)
	}
	if c, err := CanonicalTime(e.Timestamp); err != nil || c != e.Timestamp {
		return fmt.Errorf("timestamp %.40q: %w", e.Timestamp, errTime)
	}
	if own := newDetail(e.EventType); (own != nil) != (e.Detail != nil) || own == nil && e.IsOwn() {
		return fmt.Errorf("detail does not belong to type %.80q", e.EventType)
	}
	return nil
}

// ValidLog says whether a name can be a log's.
func ValidLog(name string) bool {
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && !isDigit(c) && c != '-' {
			return false
		}
	}
	return name != "" && len(name) <= 32
}

func (e *Entry) member(name string, v []byte) (err error) {
	if p := e.integer(name); p != nil {
		*p, err = integer(v)
		return err
	}
	if p := e.text(name); p != nil {
		if *p, err = unquote(v); err == nil && *p == "" {
			err = errors.New("empty")
		}
		return err
	}
	switch name {
	case "agent_seq":
		var n uint64
		n, err = integer(v)
		e.AgentSeq = &n
	case "extensions":
		e.Extensions = make(map[string]string, 4)
		err = walkObject(v, func(name string, v []byte) (err error) {
			if err := checkAttribute(name, ""); err != nil {
				return err
			}
			e.Extensions[name], err = unquote(v)
			return err
		})
	case "redactions":
		err = walkArray(v, func(v []byte) error {
			var r Redaction
			err := walkObject(v, func(name string, v []byte) (err error) {
				switch name {
				case "kind":
					r.Kind, err = unquote(v)
				case "path":
					r.Path, err = unquote(v)
				default:
					err = errMember
				}
				return err
			})
			e.Redactions = append(e.Redactions, r)
			return err
		})
	default:
		err = errMember
	}
	return err
}

func (e *Entry) integer(name string) *uint64 {
	switch name {
	case "v":
		return &e.V
	case "index":
		return &e.Index
	case "input_epoch":
		return &e.InputEpoch
	case "input_seq":
		return &e.InputSeq
	case "position":
		return &e.Position
	}
	return nil
}

func (e *Entry) text(name string) *string {
	switch name {
	case "log":
		return &e.Log
	case "entry_id":
		return &e.EntryID
	case "timestamp":
		return &e.Timestamp
	case "received_at":
		return &e.ReceivedAt
	case "event_type":
		return &e.EventType
	case "cloudevent_type":
		return &e.CloudEventType
	case "agent_did":
		return &e.AgentDID
	case "action":
		return &e.Action
	case "resource":
		return &e.Resource
	case "target_did":
		return &e.TargetDID
	case "data_hash":
		return &e.DataHash
	case "outcome":
		return &e.Outcome
	case "policy_decision":
		return &e.PolicyDecision
	case "matched_rule":
		return &e.MatchedRule
	case "previous_hash":
		return &e.PreviousHash
	case "trace_id":
		return &e.TraceID
	case "session_id":
		return &e.SessionID
	case "publisher":
		return &e.Publisher
	case "agent_prev":
		return &e.AgentPrev
	case "signature":
		return &e.Signature
	}
	return nil
}

// ComputeHash recomputes the entry hash from the fields, as any language can from parsed JSON.
func ComputeHash(e Entry) (string, error) {
	leaf := e.appendLeaf(nil, false)
	if !utf8.Valid(leaf) {
		return "", fmt.Errorf("%w: bad UTF-8", ErrLeaf)
	}
	return FormatHash(LeafHash(leaf)), nil
}

// VerifyHash says whether the entry's fields, its leaf and its entry hash are one.
func VerifyHash(e Entry) bool {
	computed, err := ComputeHash(e)
	return err == nil && computed == e.EntryHash && FormatHash(LeafHash(e.Leaf)) == e.EntryHash
}

// MarshalJSON writes the entry's fields as the API shows them: entry_hash, then the members of the leaf, byte for byte.
func (e Entry) MarshalJSON() ([]byte, error) {
	if len(e.Leaf) < 2 {
		return nil, fmt.Errorf("%w: an entry that was never sealed", ErrLeaf)
	}
	o := beginObject(make([]byte, 0, len(e.Leaf)+80))
	o.text("entry_hash", e.EntryHash)
	o.dst = append(o.dst, ',')
	return append(o.dst, e.Leaf[1:]...), nil
}
