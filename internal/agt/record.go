package agt

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// Record is one entry of the toolkit in the form of its file sink. A nil string is null.
type Record struct {
	EntryID, Timestamp                    string // Timestamp as ISOTime writes it
	EventType, AgentDID, Action           string
	Resource, TargetDID                   *string
	Data                                  []byte // a JSON object, which may hold NaN; nil: an empty one
	Outcome                               string
	PolicyDecision, MatchedRule           *string
	TraceID, SessionID                    *string
	SandboxID, Environment, ComputeDriver *string // in the line, but under no hash of the toolkit's
	PreviousHash                          string  // content hash of the line before; "": this is the first of its file
}

// Optional returns nil for an empty string.
func Optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// ISOTime formats a time in UTC like Python's isoformat: with microseconds, unless they are zero.
func ISOTime(t time.Time) string {
	s := t.UTC().Format("2006-01-02T15:04:05.000000")
	return strings.TrimSuffix(s, ".000000") + "+00:00"
}

// ContentHash returns the hash of the file sink, which covers fourteen fields of the line,
// previous_hash among them.
func ContentHash(r Record) (string, error) {
	members, err := r.hashed()
	if err != nil {
		return "", err
	}
	return sum(members), nil
}

// Sign returns the file sink's signature of a content hash: the HMAC-SHA256 of its 64 hexadecimal
// digits.
func Sign(key []byte, contentHash string) string {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(contentHash))
	return hex.EncodeToString(m.Sum(nil))
}

// AppendLine appends the record as a line of the file sink, without a line feed. The line also has
// the members extra in alphabetical order, which its signature does not cover. AppendLine returns
// the content hash, which is the PreviousHash of the next line.
func (r Record) AppendLine(dst, key []byte, extra ...Member) (line []byte, contentHash string, err error) {
	members, err := r.hashed()
	if err != nil {
		return nil, "", err
	}
	contentHash = sum(members)
	members = append(
		members,
		Member{"sandbox_id", optional(r.SandboxID)},
		Member{"environment", optional(r.Environment)},
		Member{
			"compute_driver",
			optional(r.ComputeDriver),
		},
		Member{"content_hash", str(contentHash)},
		Member{"signature", str(Sign(key, contentHash))},
	)
	return appendObject(dst, append(members, extra...)), contentHash, nil
}

// EntryHash returns the hash of the toolkit's chain in memory. It covers nine fields and
// previousHash, the hash before it in that chain. It does not cover the decision, the rule and the
// trace.
func EntryHash(r Record, previousHash string) (string, error) {
	data, err := r.data()
	if err != nil {
		return "", err
	}
	return r.entryHash(previousHash, data), nil
}

func (r Record) entryHash(previousHash string, data Value) string {
	return sum([]Member{
		{"action", str(r.Action)},
		{"agent_did", str(r.AgentDID)},
		{"data", data},
		{"entry_id", str(r.EntryID)},
		{"event_type", str(r.EventType)},
		{"outcome", str(r.Outcome)},
		{"previous_hash", str(previousHash)},
		{"resource", optional(r.Resource)},
		{"timestamp", str(r.Timestamp)},
	})
}

func (r Record) hashed() ([]Member, error) {
	data, err := r.data()
	if err != nil {
		return nil, err
	}
	return []Member{ // in the order of their names, so that they need not be sorted
		{"action", str(r.Action)},
		{"agent_did", str(r.AgentDID)},
		{"data", data},
		{"entry_id", str(r.EntryID)},
		{"event_type", str(r.EventType)},
		{"matched_rule", optional(r.MatchedRule)},
		{"outcome", str(r.Outcome)},
		{"policy_decision", optional(r.PolicyDecision)},
		{"previous_hash", str(r.PreviousHash)},
		{"resource", optional(r.Resource)},
		{"session_id", optional(r.SessionID)},
		{"target_did", optional(r.TargetDID)},
		{"timestamp", str(r.Timestamp)},
		{"trace_id", optional(r.TraceID)},
	}, nil
}

func (r Record) data() (Value, error) {
	if r.Data == nil {
		return Value{Kind: Object}, nil
	}
	v, err := Parse(r.Data)
	if err != nil {
		return Value{}, fmt.Errorf("data: %w", err)
	}
	return v, nil
}

// sum returns the SHA-256 of an object's canonical form.
func sum(members []Member) string {
	h := sha256.Sum256(appendObject(make([]byte, 0, 1024), members))
	return hex.EncodeToString(h[:])
}
