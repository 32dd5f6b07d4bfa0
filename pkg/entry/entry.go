package entry

import (
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/redact"
)

// Entry is a sealed event, or an entry that the log itself made. Sealing and ParseEntry make
// entries. An empty string, a nil pointer and an empty list stand for a member that the leaf does
// not have.
//
// Leaf holds the bytes that the log stores and hashes. The other fields are a view of them: whoever
// changes a field does not change the entry.
type Entry struct {
	V              uint64            // format of the leaf (SPEC 2, member v)
	Log            string            // name of the log
	Index          uint64            // place in the log, from 0
	EntryID        string            // the event's id, or OwnID for the log's own entries
	Timestamp      string            // the event's own time, else ReceivedAt: RFC 3339 in UTC
	ReceivedAt     string            // when EVENTS stored the event's message: RFC 3339 in UTC, nine digits
	EventType      string            // type of the event, or one of the Type constants
	CloudEventType string            // CloudEvents type that EventType was mapped from
	AgentDID       string            // CloudEvents source; the origin for the log's own entries
	Action         string            // what was decided: allow, deny, audit, quarantine or warning
	Resource       string            // what the agent acted on: CloudEvents subject
	TargetDID      string            // the other agent
	Outcome        string            // success, failure, denied or error
	PolicyDecision string            // result of a policy, in its own words
	MatchedRule    string            // rule of the policy that matched
	TraceID        string            // trace that the event belongs to
	SessionID      string            // session that the event belongs to
	DataHash       *Hash             // commitment to the payload; nil if the event has no data
	PreviousHash   Hash              // EntryHash of the entry before; zero at index 0
	EntryHash      Hash              // LeafHash of Leaf; not a member of the leaf
	InputEpoch     uint64            // epoch of EVENTS that the event came in
	InputSeq       uint64            // sequence of the event's message in EVENTS
	Position       uint64            // place of the event in its message, from 0
	Publisher      string            // identity that ingest authenticated
	AgentSeq       *uint64           // the agent's own number of the event
	AgentPrev      string            // the agent's own link, 64 lower-case hexadecimal digits, as claimed
	Signature      string            // the agent's own signature, which sealing does not check
	Redactions     []redact.Finding  // what was taken out of the event before it was sealed
	Extensions     map[string]string // every other attribute of the event
	Detail         Detail            // what one of the log's own entries says; nil for events

	// The fields below need Blind, which sealing rules 4 give to every leaf (docs/SPEC-rules4.md, 3).

	Blind         string // 32 hexadecimal digits that keep the leaf from being guessed by its hash
	Principal     string // on whose behalf the agent acted
	PrincipalType string // what kind of principal that is
	CausedBy      string // what led to the event: "entry:" and a hash, or the id of an event
	PolicyVersion string // version of the policy that was applied
	AgentKey      string // key id of the key that the agent says it signed with
	ActionDigest  string // salted hash of the action, 64 hexadecimal digits, as claimed
	ActionType    string // type of the action that the event asks to be approved
	Approval      string // EntryHash of the grant that the event uses, as claimed
	RecordHash    *Hash  // commitment to what the payload holds beside data; nil if that is nothing
	Altered       bool   // the sealer itself redacted the event, so its signature is not kept

	// These four are verdicts of the sealer. Only a log with verdicts has them.

	SignatureStatus string  // verdict on the event's signature
	KeyEntry        *uint64 // index of the agent's newest key entry
	MaterialKey     string  // key id by which foreign material was judged
	ApprovalStatus  string  // verdict on a request or the use of a grant

	Leaf []byte // canonical JSON (RFC 8785) that the log stores and hashes; it must not be changed
}

// IsOwn reports whether the log itself made the entry (SPEC 5).
func (e Entry) IsOwn() bool { return strings.HasPrefix(e.EventType, ruleset.OwnPrefix) }

// IsEvent reports whether the entry holds an agent's event. It is true for an equivocation, too.
func (e Entry) IsEvent() bool { return !e.IsOwn() || e.EventType == TypeEquivocation }

// Claim returns the CloudEvents source and id that an agent gave the event, also for an
// equivocation.
func (e *Entry) Claim() (source, id string) {
	if q, ok := e.Detail.(*Equivocation); ok {
		return e.AgentDID, q.EntryID
	}
	return e.AgentDID, e.EntryID
}

// Fingerprint returns the hash of all that the sender said, without what the log added. Two events
// with one fingerprint are the same event (SPEC 5.8).
func (e *Entry) Fingerprint() Hash {
	if q, ok := e.Detail.(*Equivocation); ok {
		bare := *e
		bare.EntryID, bare.EventType, bare.Detail = q.EntryID, q.EventType, nil
		e = &bare
	}
	buf := bareLeaves.Get().(*[]byte)
	defer bareLeaves.Put(buf)
	*buf = e.appendLeaf((*buf)[:0], true)
	return sha256.Sum256(*buf)
}

// bareLeaves holds the buffers of Fingerprint. Each event has one fingerprint.
var bareLeaves = sync.Pool{New: func() any { return new(make([]byte, 0, 1024)) }}

// OwnID returns the EntryID that an entry of the log's own must have: a UUID made of its place in
// EVENTS and its type (SPEC 5).
func (e *Entry) OwnID() string {
	name := fmt.Sprintf("%s/%d/%d/%d/%s", e.Log, e.InputEpoch, e.InputSeq, e.Position,
		strings.TrimPrefix(e.EventType, ruleset.OwnPrefix))
	id := sha1.Sum(append(ownNamespace[:], name...))
	id[6] = id[6]&0x0f | 0x50 // version 5
	id[8] = id[8]&0x3f | 0x80 // variant of RFC 9562
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:16])
}

// ownNamespace is the UUID namespace 6f8f8e0e-6f0c-5c0e-9d0a-7365616c7374 of the log's own entries
// (SPEC 5).
var ownNamespace = [16]byte{
	0x6f, 0x8f, 0x8e, 0x0e, 0x6f, 0x0c, 0x5c, 0x0e, 0x9d, 0x0a, 's', 'e', 'a', 'l', 's', 't',
}

// Verify reports whether the fields, Leaf and EntryHash belong together. It writes the leaf again
// from the fields, which any language can do from the parsed JSON.
func (e Entry) Verify() bool {
	leaf := e.appendLeaf(nil, false)
	return utf8.Valid(leaf) && LeafHash(leaf) == e.EntryHash && LeafHash(e.Leaf) == e.EntryHash
}

// MarshalJSON writes the entry as the HTTP API shows it: entry_hash, then the members of the leaf
// byte for byte. It fails for an entry that was never sealed.
func (e Entry) MarshalJSON() ([]byte, error) {
	if len(e.Leaf) < 2 {
		return nil, fmt.Errorf("%w: an entry that was never sealed", ErrLeaf)
	}
	o := canonical.BeginObject(make([]byte, 0, len(e.Leaf)+80))
	o.Hex("entry_hash", e.EntryHash[:])
	o.Dst = append(o.Dst, ',')
	return append(o.Dst, e.Leaf[1:]...), nil
}
