package entry

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/redact"
)

// Errors of ParseEntry. It wraps them with what is wrong.
var (
	// ErrLeaf reports bytes that are no leaf of this format.
	ErrLeaf = errors.New("not a leaf")
	// ErrLeafVersion reports a leaf of a newer format, which a newer release may read.
	ErrLeafVersion = errors.New("leaf of an unknown format version")
)

// ParseEntry reads a leaf. It accepts only the canonical bytes of SPEC 2. The entry keeps leaf,
// which must not be changed. Errors wrap ErrLeaf or ErrLeafVersion.
func ParseEntry(leaf []byte) (e Entry, err error) {
	err = e.Parse(leaf)
	return e, err
}

// Parse is ParseEntry into e, of which nothing is kept. After an error e is the zero Entry.
func (e *Entry) Parse(leaf []byte) error { return e.parse(leaf, true) }

// Check is Parse for those who verify a leaf and do not show it: it accepts the same leaves, but
// may leave Extensions out.
func (e *Entry) Check(leaf []byte) error { return e.parse(leaf, false) }

func (e *Entry) parse(leaf []byte, keep bool) (err error) {
	if *e = (Entry{}); len(leaf) > ruleset.MaxLeafBytes {
		return fmt.Errorf("%w: %d bytes, more than %d", ErrLeaf, len(leaf), ruleset.MaxLeafBytes)
	}
	if !e.readCanonical(string(leaf), keep) {
		*e = Entry{}
		err = e.readGeneral(leaf)
	}
	if err == nil && e.V != ruleset.LeafVersion {
		err = fmt.Errorf("%w: v is %d", ErrLeafVersion, e.V)
	}
	if err == nil {
		if bad := e.check(); bad != nil {
			err = fmt.Errorf("%w: %w", ErrLeaf, bad)
		}
	}
	if err != nil {
		*e = Entry{}
		return err
	}
	e.Leaf, e.EntryHash = leaf, LeafHash(leaf)
	return nil
}

// readGeneral reads any JSON of a leaf and then accepts it only if its bytes are the canonical
// ones. Its errors say what is wrong.
func (e *Entry) readGeneral(leaf []byte) error {
	var detail []byte
	var bad error // of the first member at fault; what v says comes before it, as another format has other members
	err := canonical.WalkObject(leaf, func(name string, v []byte) error {
		if name == "detail" {
			detail = v
		} else if err := e.member(name, v); err != nil && bad == nil {
			bad = fmt.Errorf("%.80s: %w", name, err)
		}
		return nil
	})
	if err == nil && e.V > ruleset.LeafVersion {
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

// check checks what SPEC 2 asks of members beyond the canonical form.
func (e *Entry) check() error {
	for _, r := range []struct{ name, value string }{{"log", e.Log}, {"entry_id", e.EntryID},
		{"timestamp", e.Timestamp}, {"received_at", e.ReceivedAt}, {"event_type", e.EventType}, {"agent_did", e.AgentDID}} {
		if r.value == "" {
			return fmt.Errorf("%s is missing", r.name)
		}
	}
	if !ruleset.ValidLog(e.Log) {
		return fmt.Errorf("log %.40q", e.Log)
	}
	if e.AgentPrev != "" {
		if _, err := ParseHash(e.AgentPrev); err != nil {
			return err
		}
	}
	if c, err := canonical.Time(e.ReceivedAt); err != nil || c != e.ReceivedAt || len(c) != len(canonical.ReceivedLayout) {
		return fmt.Errorf("received_at %.40q", e.ReceivedAt)
	}
	if c, err := canonical.Time(e.Timestamp); err != nil || c != e.Timestamp {
		return fmt.Errorf("timestamp %.40q: %w", e.Timestamp, canonical.ErrTime)
	}
	if own := newDetail(e.EventType); (own != nil) != (e.Detail != nil) || own == nil && ruleset.IsOwnType(e.EventType) {
		return fmt.Errorf("detail does not belong to type %.80q", e.EventType)
	}
	if err := e.checkBlinded(); err != nil {
		return err
	}
	if err := e.checkDetail(); err != nil {
		return err
	}
	return e.checkValues()
}

// checkValues checks the members that have a fixed set or form of values.
func (e *Entry) checkValues() error {
	switch {
	case e.Action != "" && !slices.Contains(ruleset.Actions, e.Action):
		return fmt.Errorf("action %.40q", e.Action)
	case e.Outcome != "" && !slices.Contains(ruleset.Outcomes, e.Outcome):
		return fmt.Errorf("outcome %.40q", e.Outcome)
	case e.Publisher != "" && !ruleset.ValidPublisher(e.Publisher):
		return fmt.Errorf("publisher %.40q", e.Publisher)
	}
	return nil
}

func (e *Entry) member(name string, v []byte) (err error) {
	if p := e.integer(name); p != nil {
		*p, err = canonical.Integer(v)
		return err
	}
	if p := e.text(name); p != nil {
		if *p, err = canonical.Unquote(v); err == nil && *p == "" {
			err = errors.New("empty")
		}
		return err
	}
	switch name {
	case "previous_hash":
		e.PreviousHash, err = parseHash(v)
	case "data_hash":
		e.DataHash = new(Hash)
		*e.DataHash, err = parseHash(v)
	case "record_hash":
		e.RecordHash = new(Hash)
		*e.RecordHash, err = parseHash(v)
	case "agent_seq":
		e.AgentSeq = new(uint64)
		*e.AgentSeq, err = canonical.Integer(v)
	case "key_entry":
		e.KeyEntry = new(uint64)
		*e.KeyEntry, err = canonical.Integer(v)
	case "altered":
		if e.Altered = string(v) == "true"; !e.Altered {
			err = errors.New("is not true")
		}
	case "extensions":
		e.Extensions = make(map[string]string, 4)
		err = canonical.WalkObject(v, func(name string, v []byte) (err error) {
			if err := checkAttribute(name, ""); err != nil {
				return err
			}
			e.Extensions[name], err = canonical.Unquote(v)
			return err
		})
	case "redactions":
		err = canonical.WalkArray(v, func(v []byte) error {
			var r redact.Finding
			err := canonical.WalkObject(v, func(name string, v []byte) (err error) {
				switch name {
				case "kind":
					r.Kind, err = canonical.Unquote(v)
				case "path":
					r.Path, err = canonical.Unquote(v)
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

func parseHash(v []byte) (Hash, error) {
	s, err := canonical.Unquote(v)
	if err != nil {
		return Hash{}, err
	}
	return ParseHash(s)
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
	case "outcome":
		return &e.Outcome
	case "policy_decision":
		return &e.PolicyDecision
	case "matched_rule":
		return &e.MatchedRule
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
	return e.blindedText(name)
}

// blindedText is text for the members that need a blind.
func (e *Entry) blindedText(name string) *string {
	switch name {
	case "blind":
		return &e.Blind
	case "principal":
		return &e.Principal
	case "principal_type":
		return &e.PrincipalType
	case "caused_by":
		return &e.CausedBy
	case "policy_version":
		return &e.PolicyVersion
	case "agent_key":
		return &e.AgentKey
	case "action_digest":
		return &e.ActionDigest
	case "action_type":
		return &e.ActionType
	case "approval":
		return &e.Approval
	case "signature_status":
		return &e.SignatureStatus
	case "material_key":
		return &e.MaterialKey
	case "approval_status":
		return &e.ApprovalStatus
	}
	return nil
}
