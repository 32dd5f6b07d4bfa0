package entry

import (
	"errors"
	"fmt"
)

// Detail is what one of the log's own entries says (SPEC 5): *Config, *Rejected, *Duplicate, *Equivocation, *Gap, *Epoch or
// *Erasure, according to the entry's event type.
type Detail interface {
	appendJSON(dst []byte) []byte
	member(name string, value []byte) error // one member of its JSON
}

// The event types of the log's own entries.
const (
	TypeConfig       = OwnPrefix + "config"
	TypeRejected     = OwnPrefix + "rejected"
	TypeDuplicate    = OwnPrefix + "duplicate"
	TypeEquivocation = OwnPrefix + "equivocation"
	TypeGap          = OwnPrefix + "gap"
	TypeEpoch        = OwnPrefix + "epoch"
	TypeControl      = OwnPrefix + "control"
	TypeErasure      = OwnPrefix + "erasure"
)

// newDetail returns an empty detail for an event type, or nil if that type has none.
func newDetail(eventType string) Detail {
	switch eventType {
	case TypeConfig:
		return new(Config)
	case TypeRejected:
		return new(Rejected)
	case TypeDuplicate:
		return new(Duplicate)
	case TypeEquivocation:
		return new(Equivocation)
	case TypeGap:
		return new(Gap)
	case TypeEpoch, TypeControl:
		return new(Epoch)
	case TypeErasure:
		return new(Erasure)
	}
	return nil
}

// parseDetail reads the JSON of a detail. Whether it is canonical shows when it is written again.
func parseDetail(eventType string, raw []byte) (Detail, error) {
	d := newDetail(eventType)
	if d == nil {
		return nil, fmt.Errorf("detail in an entry of type %q", eventType)
	}
	return d, walkObject(raw, d.member)
}

var errMember = errors.New("unknown member")

// Rejected stands in place of a message or event that was refused (SPEC 5.2).
type Rejected struct {
	Reason, Field string
	Digest        string // salted, of the whole
	Size          uint64 // bytes of the whole
	Subject       string // of the EVENTS message
}

func (d *Rejected) appendJSON(dst []byte) []byte {
	o := beginObject(dst)
	o.text("digest", d.Digest)
	o.str("field", d.Field)
	o.text("reason", d.Reason)
	o.num("size", d.Size)
	o.text("subject", d.Subject)
	return o.end()
}

func (d *Rejected) member(name string, v []byte) (err error) {
	switch name {
	case "digest":
		d.Digest, err = unquote(v)
	case "field":
		d.Field, err = unquote(v)
	case "reason":
		d.Reason, err = unquote(v)
	case "size":
		d.Size, err = integer(v)
	case "subject":
		d.Subject, err = unquote(v)
	default:
		err = errMember
	}
	return err
}

// Original says that the event at Position of the message repeats entry Index.
type Original struct{ Index, Position uint64 }

// Duplicate names the repeats that a message held (SPEC 5.3).
type Duplicate struct{ Originals []Original }

func (d *Duplicate) appendJSON(dst []byte) []byte {
	o := beginObject(dst)
	o.name("originals")
	o.dst = append(o.dst, '[')
	for i, original := range d.Originals {
		if i > 0 {
			o.dst = append(o.dst, ',')
		}
		in := beginObject(o.dst)
		in.num("index", original.Index)
		in.num("position", original.Position)
		o.dst = in.end()
	}
	o.dst = append(o.dst, ']')
	return o.end()
}

func (d *Duplicate) member(name string, v []byte) error {
	if name != "originals" {
		return errMember
	}
	return walkArray(v, func(v []byte) error {
		var o Original
		err := walkObject(v, func(name string, v []byte) (err error) {
			switch name {
			case "index":
				o.Index, err = integer(v)
			case "position":
				o.Position, err = integer(v)
			default:
				err = errMember
			}
			return err
		})
		d.Originals = append(d.Originals, o)
		return err
	})
}

// Equivocation marks an event whose source and id came before with other content (SPEC 5.4).
type Equivocation struct {
	EntryID, EventType string // the event's own
	Original           uint64 // index of the newest entry before it with that source and id
}

func (d *Equivocation) appendJSON(dst []byte) []byte {
	o := beginObject(dst)
	o.text("entry_id", d.EntryID)
	o.text("event_type", d.EventType)
	o.num("original", d.Original)
	return o.end()
}

func (d *Equivocation) member(name string, v []byte) (err error) {
	switch name {
	case "entry_id":
		d.EntryID, err = unquote(v)
	case "event_type":
		d.EventType, err = unquote(v)
	case "original":
		d.Original, err = integer(v)
	default:
		err = errMember
	}
	return err
}

// Gap says that the EVENTS messages From to To do not exist any more (SPEC 5.5).
type Gap struct{ From, To uint64 }

func (d *Gap) appendJSON(dst []byte) []byte {
	o := beginObject(dst)
	o.num("from", d.From)
	o.num("to", d.To)
	return o.end()
}

func (d *Gap) member(name string, v []byte) (err error) {
	switch name {
	case "from":
		d.From, err = integer(v)
	case "to":
		d.To, err = integer(v)
	default:
		err = errMember
	}
	return err
}

// Erasure names the entries whose payloads may be missing from now on (SPEC 5.7).
type Erasure struct {
	Indexes           []uint64
	Reason, Authority string
}

func (d *Erasure) appendJSON(dst []byte) []byte {
	o := beginObject(dst)
	o.text("authority", d.Authority)
	o.name("indexes")
	o.dst = append(o.dst, '[')
	for i, n := range d.Indexes {
		if i > 0 {
			o.dst = append(o.dst, ',')
		}
		o.dst = fmt.Append(o.dst, n)
	}
	o.dst = append(o.dst, ']')
	o.text("reason", d.Reason)
	return o.end()
}

func (d *Erasure) member(name string, v []byte) (err error) {
	switch name {
	case "authority":
		d.Authority, err = unquote(v)
	case "indexes":
		err = walkArray(v, func(v []byte) error {
			n, err := integer(v)
			d.Indexes = append(d.Indexes, n)
			return err
		})
	case "reason":
		d.Reason, err = unquote(v)
	default:
		err = errMember
	}
	return err
}
