package entry

import (
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
)

// Detail is what an entry of the log's own says (SPEC 5). The event type decides whether it is a
// *Config, *Rejected, *Duplicate, *Equivocation, *Gap, *Epoch, *Erasure, *Access or *Read.
type Detail interface {
	appendJSON(dst []byte) []byte
	member(name string, value []byte) error // one member of its JSON
}

// The event types of the log's own entries (SPEC 5). Agents cannot use them.
const (
	TypeConfig       = ruleset.OwnPrefix + "config"
	TypeRejected     = ruleset.OwnPrefix + "rejected"
	TypeDuplicate    = ruleset.OwnPrefix + "duplicate"
	TypeEquivocation = ruleset.OwnPrefix + "equivocation"
	TypeGap          = ruleset.OwnPrefix + "gap"
	TypeEpoch        = ruleset.OwnPrefix + "epoch"
	TypeControl      = ruleset.OwnPrefix + "control"
	TypeErasure      = ruleset.OwnPrefix + "erasure"
)

// newDetail returns an empty detail for an event type, or nil if the type has none.
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
	case ruleset.TypeAccess:
		return new(Access)
	case ruleset.TypeRead:
		return new(Read)
	}
	return nil
}

// parseDetail reads the JSON of a detail. It does not check that the JSON is canonical.
func parseDetail(eventType string, raw []byte) (Detail, error) {
	d := newDetail(eventType)
	if d == nil {
		return nil, fmt.Errorf("detail in an entry of type %q", eventType)
	}
	return d, canonical.WalkObject(raw, d.member)
}

var errMember = errors.New("unknown member")

// Rejected stands in place of a message or event that was refused (SPEC 5.2).
type Rejected struct {
	Reason  string // why it was refused
	Field   string // name of the invalid attribute; empty if the message as a whole is invalid
	Digest  string // salted hash of all refused bytes, of which the payload keeps the first
	Size    uint64 // number of refused bytes
	Subject string // subject of the EVENTS message
}

func (d *Rejected) appendJSON(dst []byte) []byte {
	o := canonical.BeginObject(dst)
	o.Text("digest", d.Digest)
	o.Optional("field", d.Field)
	o.Text("reason", d.Reason)
	o.Uint("size", d.Size)
	o.Text("subject", d.Subject)
	return o.End()
}

func (d *Rejected) member(name string, v []byte) (err error) {
	switch name {
	case "digest":
		d.Digest, err = canonical.Unquote(v)
	case "field":
		d.Field, err = canonical.Unquote(v)
	case "reason":
		d.Reason, err = canonical.Unquote(v)
	case "size":
		d.Size, err = canonical.Integer(v)
	case "subject":
		d.Subject, err = canonical.Unquote(v)
	default:
		err = errMember
	}
	return err
}

// Original says that the event at Position of a message repeats the entry Index.
type Original struct {
	Index    uint64 // entry that the event repeats
	Position uint64 // place of the event in its message
}

// Duplicate lists the events of a message that repeat entries of the log (SPEC 5.3).
type Duplicate struct {
	Originals []Original // in the order of their positions
}

func (d *Duplicate) appendJSON(dst []byte) []byte {
	o := canonical.BeginObject(dst)
	o.Name("originals")
	o.Dst = append(o.Dst, '[')
	for i, original := range d.Originals {
		if i > 0 {
			o.Dst = append(o.Dst, ',')
		}
		in := canonical.BeginObject(o.Dst)
		in.Uint("index", original.Index)
		in.Uint("position", original.Position)
		o.Dst = in.End()
	}
	o.Dst = append(o.Dst, ']')
	return o.End()
}

func (d *Duplicate) member(name string, v []byte) error {
	if name != "originals" {
		return errMember
	}
	return canonical.WalkArray(v, func(v []byte) error {
		var o Original
		err := canonical.WalkObject(v, func(name string, v []byte) (err error) {
			switch name {
			case "index":
				o.Index, err = canonical.Integer(v)
			case "position":
				o.Position, err = canonical.Integer(v)
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
	EntryID   string // the event's own id; the entry has another
	EventType string // the event's own type
	Original  uint64 // index of the newest entry before with that source and id
}

func (d *Equivocation) appendJSON(dst []byte) []byte {
	o := canonical.BeginObject(dst)
	o.Text("entry_id", d.EntryID)
	o.Text("event_type", d.EventType)
	o.Uint("original", d.Original)
	return o.End()
}

func (d *Equivocation) member(name string, v []byte) (err error) {
	switch name {
	case "entry_id":
		d.EntryID, err = canonical.Unquote(v)
	case "event_type":
		d.EventType, err = canonical.Unquote(v)
	case "original":
		d.Original, err = canonical.Integer(v)
	default:
		err = errMember
	}
	return err
}

// Gap says that EVENTS messages were lost before the sealer read them (SPEC 5.5).
type Gap struct {
	From uint64 // sequence of the first lost message
	To   uint64 // sequence of the last lost message
}

func (d *Gap) appendJSON(dst []byte) []byte {
	o := canonical.BeginObject(dst)
	o.Uint("from", d.From)
	o.Uint("to", d.To)
	return o.End()
}

func (d *Gap) member(name string, v []byte) (err error) {
	switch name {
	case "from":
		d.From, err = canonical.Integer(v)
	case "to":
		d.To, err = canonical.Integer(v)
	default:
		err = errMember
	}
	return err
}

// Erasure lists entries whose payloads may be missing from this entry on (SPEC 5.7).
type Erasure struct {
	Indexes   []uint64 // ascending, 1 to 1024
	Reason    string   // why the data was erased
	Authority string   // who demanded it
}

func (d *Erasure) appendJSON(dst []byte) []byte {
	o := canonical.BeginObject(dst)
	o.Text("authority", d.Authority)
	o.Name("indexes")
	o.Dst = append(o.Dst, '[')
	for i, n := range d.Indexes {
		if i > 0 {
			o.Dst = append(o.Dst, ',')
		}
		o.Dst = fmt.Append(o.Dst, n)
	}
	o.Dst = append(o.Dst, ']')
	o.Text("reason", d.Reason)
	return o.End()
}

func (d *Erasure) member(name string, v []byte) (err error) {
	switch name {
	case "authority":
		d.Authority, err = canonical.Unquote(v)
	case "indexes":
		err = canonical.WalkArray(v, func(v []byte) error {
			n, err := canonical.Integer(v)
			d.Indexes = append(d.Indexes, n)
			return err
		})
	case "reason":
		d.Reason, err = canonical.Unquote(v)
	default:
		err = errMember
	}
	return err
}
