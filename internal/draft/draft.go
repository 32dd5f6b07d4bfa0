// Package draft makes entries out of events: it seals. Sealing is a pure function of the EVENTS
// message, the log secret and the place in the log. Section numbers are those of docs/SPEC.md.
package draft

import (
	"crypto/hmac"
	"crypto/sha256"
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
}

// Draft is an entry without its place in the log. It is a pure function of the EVENTS message and
// the log secret, so drafts can be made in any order and in parallel. Seal makes an Entry of it, in
// the order of the log.
type Draft struct {
	entry  entry.Entry
	salt   [32]byte
	data   []byte
	record []byte // begin of the payload's record, which holds the data
	text   leafText
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
	d := Draft{entry: ev.Entry()}
	d.entry.Publisher = src.Publisher
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
	d.text = textOf(&d.entry)
	return d
}

// from fills what every entry has of its source.
func (d *Draft) from(src Source) {
	e := &d.entry
	e.V, e.Log, e.ReceivedAt = ruleset.LeafVersion, src.Log, src.ReceivedAt
	e.InputEpoch, e.InputSeq, e.Position = src.Epoch, src.Seq, src.Position
}

func (d *Draft) commit(data []byte) {
	d.data = data
	if data == nil {
		d.data = []byte{}
	}
	h := entry.DataHash(d.salt, data)
	d.entry.DataHash = &h
	o := canonical.BeginObject(make([]byte, 0, canonical.DataSize(data)))
	o.Data(data)
	d.record = o.Dst
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
	digest := sha256.Sum256(whole)
	mac := hmac.New(sha256.New, src.Secret)
	canonical.WriteLP(mac, []byte(entry.TypeRejected))
	canonical.WriteLP(mac, []byte(d.entry.EntryID))
	canonical.WriteLP(mac, digest[:])
	d.salt = sum(mac)
	kept := whole[:min(len(whole), ruleset.MaxRejectedBytes)]
	salt := d.salt
	if src.Redact != nil {
		redactDetail(detail, src.Redact, whole)
		if kept, d.entry.Redactions = redactRejected(src.Redact, whole); d.entry.Redactions != nil {
			// the other stands beside the data, and would let anyone try what the secret was
			salt = digestSalt(src.Secret, d.entry.EntryID, digest)
		}
	}
	detail.Digest = entry.DataHash(salt, whole).String()
	d.commit(kept)
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
	if d.data == nil {
		return e, nil
	}
	return e, &entry.Payload{Index: index, Salt: d.salt, Data: d.data}
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

// AppendRecord appends the record of the draft's payload (SPEC 7), or nothing if there is no data.
func (d *Draft) AppendRecord(dst []byte, index uint64) []byte {
	if d.data == nil {
		return dst
	}
	o := canonical.ContinueObject(append(dst, d.record...), len(dst))
	o.Uint("index", index)
	o.Hex("salt", d.salt[:])
	return o.End()
}
