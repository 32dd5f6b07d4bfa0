package entry

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/sealstream/sealstream/pkg/redact"
)

// Source says where an entry comes from: the log, and the place in EVENTS.
type Source struct {
	Log, Origin          string
	Secret               []byte // the log secret
	Epoch, Seq, Position uint64
	ReceivedAt           string // the broker's stored time of the message, nine digits
	Publisher            string
	Redact               *redact.Set // what rejected entries are redacted by; nil: nothing
}

// Draft is an entry on its way into the log: all of it but its place. It is a pure function of the EVENTS message and the
// log secret, so drafts can be made in any order, and in parallel; only Seal, in the order of the log, makes an Entry.
type Draft struct {
	entry  Entry
	salt   [32]byte
	data   []byte
	record []byte // begin of the payload's record, which holds the data
	text   leafText
}

// leafText is a leaf but for its place, made ahead of sealing: index goes in at the first cut, previous_hash at the second.
type leafText struct {
	bytes      []byte
	cut1, cut2 int
}

func (e *Entry) leafText() leafText {
	o := beginObject(make([]byte, 0, 768))
	e.beforeIndex(&o, false)
	o.name("index")
	t := leafText{cut1: len(o.dst)}
	e.beforePrevious(&o, false)
	o.name("previous_hash")
	o.dst = append(o.dst, '"')
	t.cut2 = len(o.dst)
	o.dst = append(o.dst, '"')
	e.afterPrevious(&o, false)
	t.bytes = o.end()
	return t
}

func (t leafText) seal(index uint64, previous string) []byte {
	leaf := make([]byte, 0, len(t.bytes)+20+len(previous))
	leaf = append(leaf, t.bytes[:t.cut1]...)
	leaf = strconv.AppendUint(leaf, index, 10)
	leaf = append(leaf, t.bytes[t.cut1:t.cut2]...)
	leaf = append(leaf, previous...)
	return append(leaf, t.bytes[t.cut2:]...)
}

// EventDraft is the draft of an event's own entry. It derives the salt if the event brings none.
func EventDraft(src Source, ev Event) Draft {
	d := Draft{entry: Entry{
		EntryID: ev.ID, Timestamp: ev.Time, EventType: ev.EventType, CloudEventType: ev.Type, AgentDID: ev.Source,
		Action: ev.Action, Resource: ev.Subject, TargetDID: ev.TargetDID, Outcome: ev.Outcome,
		PolicyDecision: ev.PolicyDecision, MatchedRule: ev.MatchedRule, TraceID: ev.TraceID, SessionID: ev.SessionID,
		AgentSeq: ev.AgentSeq, AgentPrev: ev.AgentPrev, Signature: ev.Signature, Extensions: ev.Extensions,
		Publisher: src.Publisher, Redactions: ev.Redactions,
	}}
	d.from(src)
	if d.entry.Timestamp == "" {
		d.entry.Timestamp = src.ReceivedAt
	}
	if ev.HasData {
		if ev.Salt != nil {
			d.salt = *ev.Salt
		} else {
			d.salt = DeriveSalt(src.Secret, ev.Source, ev.ID, ev.Data)
		}
		d.commit(ev.Data)
	}
	d.text = d.entry.leafText()
	return d
}

// from fills what every entry has of its source.
func (d *Draft) from(src Source) {
	e := &d.entry
	e.V, e.Log, e.ReceivedAt = Version, src.Log, src.ReceivedAt
	e.InputEpoch, e.InputSeq, e.Position = src.Epoch, src.Seq, src.Position
}

func (d *Draft) commit(data []byte) {
	d.data = data
	if data == nil {
		d.data = []byte{}
	}
	d.entry.DataHash = FormatHash(DataHash(d.salt, data))
	o := beginObject(make([]byte, 0, quotedSize(data)+16))
	o.appendPayloadData(data)
	d.record = o.dst
}

// OwnDraft is the draft of an entry that the log itself makes, without data (SPEC 5).
func OwnDraft(src Source, eventType string, detail Detail) Draft {
	d := Draft{entry: Entry{EventType: eventType, AgentDID: src.Origin, Timestamp: src.ReceivedAt, Publisher: src.Publisher, Detail: detail}}
	d.from(src)
	d.entry.EntryID = ownID(&d.entry)
	return d
}

// RejectedDraft stands in place of bytes that were refused with cause, on an EVENTS subject (SPEC 5.2).
func RejectedDraft(src Source, cause error, whole []byte, subject string) Draft {
	detail := &Rejected{Reason: clip(cause.Error(), 256), Size: uint64(len(whole)), Subject: clip(subject, 256)}
	if fe, ok := errors.AsType[*FieldError](cause); ok {
		detail.Reason, detail.Field = clip(fe.Reason, 256), clip(fe.Field, 256)
	}
	d := OwnDraft(src, TypeRejected, detail)
	digest := sha256.Sum256(whole)
	mac := hmac.New(sha256.New, src.Secret)
	writeLP(mac, []byte(TypeRejected))
	writeLP(mac, []byte(d.entry.EntryID))
	writeLP(mac, digest[:])
	d.salt = sum(mac)
	kept := whole[:min(len(whole), MaxRejectedBytes)]
	salt := d.salt
	if src.Redact != nil {
		detail.redact(src.Redact, whole)
		if kept, d.entry.Redactions = redactRejected(src.Redact, whole); d.entry.Redactions != nil {
			salt = digestSalt(src.Secret, d.entry.EntryID, digest) // the other stands beside the data, and would let anyone try what the secret was
		}
	}
	detail.Digest = FormatHash(DataHash(salt, whole))
	d.commit(kept)
	return d
}

// RejectedMessage is RejectedDraft of a message as a whole.
func RejectedMessage(src Source, cause error, m Message) Draft {
	return RejectedDraft(src, cause, m.whole(), m.Subject)
}

// Equivocation is a copy of d for an event whose source and id stand in the window with other content (SPEC 5.4).
func (d Draft) Equivocation(original uint64) Draft {
	e := &d.entry
	e.Detail = &Equivocation{EntryID: e.EntryID, EventType: e.EventType, Original: original}
	e.EventType = TypeEquivocation
	e.EntryID = ownID(e)
	d.text = leafText{}
	return d
}

// Claim is the (source, id) under which the event of the draft stands in the window.
func (d *Draft) Claim() (source, id string) { return d.entry.Claim() }

// Fingerprint is the draft's fingerprint in the window.
func (d *Draft) Fingerprint() Hash { return Fingerprint(&d.entry) }

// IsEvent says whether an agent's event stands behind the draft.
func (d *Draft) IsEvent() bool { return d.entry.IsEvent() }

// Detail is the detail of a draft of the log's own.
func (d *Draft) Detail() Detail { return d.entry.Detail }

// InputSeq and Position say where in EVENTS the draft comes from.
func (d *Draft) Position() uint64 { return d.entry.Position }

// Seal gives the draft its place: index, and previous, the entry hash before it in text. The payload is nil if there is no data.
func (d *Draft) Seal(index uint64, previous string) (Entry, *Payload) {
	e := d.SealEntry(index, previous)
	if d.data == nil {
		return e, nil
	}
	return e, &Payload{Index: index, Salt: d.salt, Data: d.data}
}

// SealEntry is Seal for those who write the payload by AppendRecord.
func (d *Draft) SealEntry(index uint64, previous string) Entry {
	e := d.entry
	e.Index, e.PreviousHash = index, previous
	text := d.text
	if text.bytes == nil {
		text = e.leafText()
	}
	e.Leaf = text.seal(index, previous)
	e.EntryHash = FormatHash(LeafHash(e.Leaf))
	return e
}

// AppendRecord writes the record of the draft's payload (SPEC 7), whose data was written when the draft was made, or nothing if there is no data.
func (d *Draft) AppendRecord(dst []byte, index uint64) []byte {
	if d.data == nil {
		return dst
	}
	o := object{dst: append(dst, d.record...), start: len(dst)}
	o.num("index", index)
	o.text("salt", FormatHash(d.salt))
	return o.end()
}

// Claim is the (source, id) that an agent gave the event of this entry; for an equivocation, too.
func (e *Entry) Claim() (source, id string) {
	if q, ok := e.Detail.(*Equivocation); ok {
		return e.AgentDID, q.EntryID
	}
	return e.AgentDID, e.EntryID
}

// Fingerprint is what makes two events the same (SPEC 5.8): all that the caller said, and nothing that the log added.
func Fingerprint(e *Entry) Hash {
	bare := *e
	if q, ok := e.Detail.(*Equivocation); ok {
		bare.EntryID, bare.EventType = q.EntryID, q.EventType
	}
	var buf [1024]byte
	return sha256.Sum256(bare.appendLeaf(buf[:0], true))
}

// ownNamespace is the UUID namespace of the log's own entries (SPEC 5).
var ownNamespace = uuid.MustParse("6f8f8e0e-6f0c-5c0e-9d0a-7365616c7374")

func ownID(e *Entry) string {
	name := fmt.Appendf(nil, "%s/%d/%d/%d/%s", e.Log, e.InputEpoch, e.InputSeq, e.Position, strings.TrimPrefix(e.EventType, OwnPrefix))
	return uuid.NewSHA1(ownNamespace, name).String()
}

// OwnID is the entry_id that one of the log's own entries must have (SPEC 5).
func (e Entry) OwnID() string { return ownID(&e) }

// widest is the length of the leaf of SPEC 3.5, the longest that the event can come to.
func (e *Event) widest() int {
	rough := 2048 + 2*(2*len(e.ID)+2*len(e.Type)+len(e.Source)+len(e.Subject)+len(e.Time)+len(e.PolicyDecision)+len(e.MatchedRule)+
		len(e.TraceID)+len(e.SessionID)+len(e.TargetDID)+len(e.Signature))
	for name, value := range e.Extensions {
		rough += len(name) + 2*len(value) + 8
	}
	for _, r := range e.Redactions {
		rough += len(r.Kind) + 2*len(r.Path) + 24
	}
	if rough <= MaxLeafBytes { // an escape at most doubles a byte, as control characters are refused
		return rough
	}
	const wide = 1000000000000000 // 16 digits
	d := EventDraft(Source{
		Log: strings.Repeat("x", 32), Epoch: wide, Seq: wide, Position: wide,
		ReceivedAt: receivedLayout, Publisher: strings.Repeat("x", MaxPublisherBytes),
	}, *e)
	d = d.Equivocation(wide)
	sealed, _ := d.Seal(wide, ZeroHash)
	return len(sealed.Leaf)
}
