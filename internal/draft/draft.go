// Package draft makes entries out of events: it seals. Sealing is a pure function of the EVENTS
// message, the log secret and the place in the log. Section numbers are those of docs/SPEC.md.
package draft

import (
	"encoding/hex"
	"errors"
	"strconv"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/redact"
)

// Source says where an entry comes from: the log and the place in EVENTS.
type Source struct {
	Log        string      // name of the log
	Origin     string      // origin of the log, the source of its own entries
	Secret     []byte      // the log secret
	Epoch      uint64      // input epoch
	Seq        uint64      // sequence of the message in EVENTS
	Position   uint64      // place of the event in the message, from 0
	ReceivedAt string      // when the broker stored the message, nine digits
	Publisher  string      // identity that ingest authenticated, or ""
	Redact     *redact.Set // redacts rejected entries; nil redacts nothing
	Rules      uint64      // number of the sealing rules
	Altered    bool        // the event was redacted before it was refused; only for Rejected
}

// blinded reports whether the entry is under rules that blind leaves.
func (s Source) blinded() bool { return s.Rules >= ruleset.Blinding }

// Draft is an entry without its place in the log. It is a pure function of the EVENTS message and
// the log secret, so drafts can be made in any order and in parallel. Seal makes an Entry of it, in
// the order of the log.
type Draft struct {
	entry   entry.Entry
	payload entry.Payload // without its index
	record  []byte        // the payload's record up to its index; nil if there is no payload
	secret  []byte        // the log secret; nil if the leaf has no blind
	text    leafText
}

// leafText is a leaf without its place, made ahead of sealing. The index belongs at the first cut
// and the digits of previous_hash at the second.
type leafText struct {
	bytes      []byte
	cut1, cut2 int
}

func textOf(e *entry.Entry) leafText {
	var t leafText
	t.bytes, t.cut1, t.cut2 = e.AppendPlaceless(make([]byte, 0, 768))
	return t
}

func (t leafText) seal(index uint64, previous entry.Hash) []byte {
	leaf := make([]byte, 0, len(t.bytes)+20+2*len(previous))
	leaf = append(leaf, t.bytes[:t.cut1]...)
	leaf = strconv.AppendUint(leaf, index, 10)
	leaf = append(leaf, t.bytes[t.cut1:t.cut2]...)
	leaf = hex.AppendEncode(leaf, previous[:])
	return append(leaf, t.bytes[t.cut2:]...)
}

// Event returns the draft of an event's own entry. It derives the salt if the event brings none.
func Event(src Source, ev entry.Event) Draft {
	d := Draft{entry: ev.EntryBy(src.Rules)}
	d.entry.Publisher = src.Publisher
	d.from(src)
	if d.entry.Timestamp == "" {
		d.entry.Timestamp = src.ReceivedAt
	}
	if p, ok := payloadOf(src, &ev); ok {
		d.commit(p, ev.HasData)
	}
	d.text = textOf(&d.entry)
	return d
}

// payloadOf returns the payload of an event, if it has one.
func payloadOf(src Source, ev *entry.Event) (p entry.Payload, ok bool) {
	if src.blinded() {
		p.ActionSalt, p.Material = ev.Beside()
	}
	switch {
	case ev.HasData && ev.Salt != nil:
		p.Salt = *ev.Salt
	case ev.HasData:
		p.Salt = DeriveSalt(src.Secret, ev.Source, ev.ID, ev.Data)
	case p.ActionSalt == "" && p.Material == "":
		return p, false
	default:
		p.Salt = besideSalt(src.Secret, ev.Source, ev.ID, p.AppendBeside(nil))
		return p, true
	}
	p.Data = ev.Data
	return p, true
}

// from fills what every entry has of its source.
func (d *Draft) from(src Source) {
	e := &d.entry
	e.V, e.Log, e.ReceivedAt = ruleset.LeafVersion, src.Log, src.ReceivedAt
	e.InputEpoch, e.InputSeq, e.Position = src.Epoch, src.Seq, src.Position
	if src.blinded() {
		d.secret = src.Secret
		e.Blind = blindOf(d.secret, e)
	}
}

// commit gives the draft its payload. hasData tells data of no bytes from none.
func (d *Draft) commit(p entry.Payload, hasData bool) {
	if hasData {
		if p.Data == nil {
			p.Data = []byte{}
		}
		h := entry.DataHash(p.Salt, p.Data)
		d.entry.DataHash = &h
	}
	d.entry.RecordHash = p.RecordHash()
	d.payload = p
	d.record = p.BeginRecord(make([]byte, 0, canonical.DataSize(p.Data)))
}

// Own returns the draft of an entry that the log itself makes, without data (SPEC 5).
func Own(src Source, eventType string, detail entry.Detail) Draft {
	d := Draft{
		entry: entry.Entry{
			EventType: eventType,
			AgentDID:  src.Origin,
			Timestamp: src.ReceivedAt,
			Publisher: src.Publisher,
			Detail:    detail,
		},
	}
	d.from(src)
	d.entry.EntryID = d.entry.OwnID()
	return d
}

// Rejected returns the draft that stands in place of bytes that were refused with cause, on an
// EVENTS subject (SPEC 5.2).
func Rejected(src Source, cause error, whole []byte, subject string) Draft {
	detail := &entry.Rejected{
		Reason: canonical.Clip(cause.Error(), 256), Size: uint64(len(whole)), Subject: canonical.Clip(subject, 256),
	}
	if fe, ok := errors.AsType[*entry.FieldError](cause); ok {
		detail.Reason, detail.Field = canonical.Clip(fe.Reason, 256), canonical.Clip(fe.Field, 256)
	}
	d := Own(src, entry.TypeRejected, detail)
	d.reject(src, detail, whole)
	return d
}

// reject fills what a rejected entry keeps of the whole, and its digest.
func (d *Draft) reject(src Source, detail *entry.Rejected, whole []byte) {
	p := entry.Payload{
		Salt: ownSalt(src, entry.TypeRejected, d.entry.EntryID, whole),
		Data: whole[:min(len(whole), ruleset.MaxRejectedBytes)],
	}
	salt := p.Salt
	if src.Redact != nil {
		redactDetail(detail, src.Redact, whole)
		p.Data, d.entry.Redactions = redactRejected(src.Redact, whole)
		if src.blinded() {
			p.Data, d.entry.Redactions = hideGuesses(p.Data, d.entry.Redactions, whole, src.Altered)
		}
		if d.entry.Redactions != nil || src.blinded() && len(whole) > rejectedLook {
			// the other stands beside the data, and would let anyone try what the secret was
			salt = ownSalt(src, entry.TypeRejected+".digest", d.entry.EntryID, whole)
		}
	}
	detail.Digest = entry.DataHash(salt, whole).String()
	d.commit(p, true)
}

// Service returns the draft of an entry that a service wrote. text is its data, nil if it has none
// (docs/SPEC-rules4.md, 5).
func Service(src Source, eventType string, detail entry.Detail, text []byte) Draft {
	d := Own(src, eventType, detail)
	if text != nil {
		d.commit(entry.Payload{Salt: ownSalt(src, eventType, d.entry.EntryID, text), Data: text}, true)
	}
	return d
}

// RejectedMessage is Rejected of a message as a whole.
func RejectedMessage(src Source, cause error, m entry.Message) Draft {
	return Rejected(src, cause, whole(m), m.Subject)
}

// Equivocation is a copy of d for an event whose source and id stand in the window with other
// content (SPEC 5.4).
func (d Draft) Equivocation(original uint64) Draft {
	e := &d.entry
	e.Detail = &entry.Equivocation{EntryID: e.EntryID, EventType: e.EventType, Original: original}
	e.EventType = entry.TypeEquivocation
	e.EntryID = e.OwnID()
	if d.secret != nil {
		e.Blind = blindOf(d.secret, e)
	}
	d.text = leafText{}
	return d
}

// Claim returns the source and id under which the window of repeats knows the event.
func (d *Draft) Claim() (source, id string) { return d.entry.Claim() }

// Fingerprint returns the fingerprint under which the window of repeats knows the event.
func (d *Draft) Fingerprint() entry.Hash { return d.entry.Fingerprint() }

// IsEvent reports whether the draft is that of an agent's event.
func (d *Draft) IsEvent() bool { return d.entry.IsEvent() }

// Detail returns the detail of a draft of the log's own, or nil for an event.
func (d *Draft) Detail() entry.Detail { return d.entry.Detail }

// Position returns the place of the event in its EVENTS message.
func (d *Draft) Position() uint64 { return d.entry.Position }

// Seal gives the draft its place: its index, and previous, the entry hash of the entry before it.
// The payload is nil if there is no data.
func (d *Draft) Seal(index uint64, previous entry.Hash) (entry.Entry, *entry.Payload) {
	e := d.SealEntry(index, previous)
	if d.record == nil {
		return e, nil
	}
	p := d.payload
	p.Index = index
	return e, &p
}

// SealEntry is Seal for a caller that writes the payload with AppendRecord.
func (d *Draft) SealEntry(index uint64, previous entry.Hash) entry.Entry {
	e := d.entry
	e.Index, e.PreviousHash = index, previous
	text := d.text
	if text.bytes == nil {
		text = textOf(&e)
	}
	e.Leaf = text.seal(index, previous)
	e.EntryHash = entry.LeafHash(e.Leaf)
	return e
}

// Size returns the length of the leaf that the draft would have at an index, in bytes.
func (d *Draft) Size(index uint64) int { return len(d.SealEntry(index, entry.Hash{}).Leaf) }

// AppendRecord appends the record of the draft's payload (SPEC 7), or nothing if there is no data.
func (d *Draft) AppendRecord(dst []byte, index uint64) []byte {
	if d.record == nil {
		return dst
	}
	o := canonical.ContinueObject(append(dst, d.record...), len(dst))
	o.Uint("index", index)
	o.Hex("salt", d.payload.Salt[:])
	return o.End()
}
