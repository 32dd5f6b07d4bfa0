package entry

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/internal/canonical"
)

// Payload is the data of an entry with the salt that opens its DataHash, and what is kept beside
// the data (docs/SPEC-rules4.md, 4.3).
type Payload struct {
	Index uint64   // index of the entry
	Salt  [32]byte // salt of the commitments
	Data  []byte   // data bytes of the event; of a rejected entry, the first refused bytes

	// ActionSalt and Material are the attributes actionsalt and dssematerial, or empty. If one is
	// given, nil Data means that the event has no data.
	ActionSalt, Material string
}

// Opens reports whether the payload is what the entry commits to.
func (p Payload) Opens(e Entry) bool {
	switch {
	case p.Index != e.Index || p.HasData() != (e.DataHash != nil):
		return false
	case p.HasData() && DataHash(p.Salt, p.Data) != *e.DataHash:
		return false
	}
	beside := p.RecordHash()
	return (beside == nil) == (e.RecordHash == nil) && (beside == nil || *beside == *e.RecordHash)
}

// HasData reports whether there is data, which may have no bytes.
func (p Payload) HasData() bool { return p.Data != nil || p.ActionSalt == "" && p.Material == "" }

// RecordHash returns the commitment to what is beside the data, or nil if nothing is.
func (p Payload) RecordHash() *Hash {
	beside := p.AppendBeside(nil)
	if beside == nil {
		return nil
	}
	h := sha256.New()
	h.Write([]byte{besidePrefix})
	h.Write(p.Salt[:])
	h.Write(beside)
	s := sum(h)
	return &s
}

// AppendBeside appends the text that RecordHash commits to, or nothing if nothing is beside the
// data.
func (p Payload) AppendBeside(dst []byte) []byte {
	if p.ActionSalt == "" && p.Material == "" {
		return dst
	}
	o := canonical.BeginObject(dst)
	o.Optional(memberActionSalt, p.ActionSalt)
	o.Optional(attributeMaterial, p.Material)
	return o.End()
}

// memberActionSalt is the name of ActionSalt in a record. Material has the name of its attribute.
const memberActionSalt = "action_salt"

// BeginRecord appends the members of the payload's record before its index, without a brace at the
// end. A sealer appends index and salt when it knows the place.
func (p Payload) BeginRecord(dst []byte) []byte {
	o := canonical.BeginObject(dst)
	p.content(&o)
	return o.Dst
}

// content writes the members of a record before the index.
func (p Payload) content(o *canonical.Object) {
	o.Optional(memberActionSalt, p.ActionSalt)
	if p.HasData() {
		o.Data(p.Data)
	}
	o.Optional(attributeMaterial, p.Material)
}

// AppendRecord appends the payload's record, one line without its line feed (SPEC 7).
func (p Payload) AppendRecord(dst []byte) []byte {
	o := canonical.BeginObject(dst)
	p.content(&o)
	o.Uint("index", p.Index)
	o.Hex("salt", p.Salt[:])
	return o.End()
}

// AppendMembers appends the members of the payload's record, except its index, to an object that
// the caller is writing (SPEC 9).
func (p Payload) AppendMembers(dst []byte) []byte {
	o := canonical.ContinueObject(dst, len(dst))
	p.content(&o)
	o.Hex("salt", p.Salt[:])
	return o.Dst
}

// ParsePayload reads a record. It accepts only what AppendRecord writes.
func ParsePayload(line []byte) (p Payload, err error) {
	err = p.Parse(line)
	return p, err
}

// Parse is ParsePayload into p. It reuses the memory of p.Data. After an error p holds nothing that
// counts.
func (p *Payload) Parse(line []byte) error {
	if p.read(line) {
		return nil
	}
	*p = Payload{}
	err := canonical.WalkObject(line, func(name string, v []byte) (err error) {
		switch name {
		case "index":
			p.Index, err = canonical.Integer(v)
		case "salt":
			var s string
			if s, err = canonical.Unquote(v); err == nil {
				p.Salt, err = ParseHash(s)
			}
		default:
			err = p.Member(name, v)
		}
		return err
	})
	if err == nil && string(p.AppendRecord(nil)) != string(line) {
		err = errors.New("not canonical")
	}
	if err != nil {
		return fmt.Errorf("payload record: %w", err)
	}
	return nil
}

// Member reads the JSON value of a member of a record that is neither index nor salt.
func (p *Payload) Member(name string, value []byte) (err error) {
	text := &p.Material
	switch name {
	case "data_raw", "data_base64":
		if p.Data, err = canonical.ParseData(name, value); p.Data == nil {
			p.Data = []byte{}
		}
		return err
	case memberActionSalt:
		text = &p.ActionSalt
	case attributeMaterial:
	default:
		return errMember
	}
	if *text, err = canonical.Unquote(value); err == nil && *text == "" {
		err = errors.New("empty")
	}
	return err
}

// read reads a record of text in one pass. If it returns false, Parse must read the record in
// general.
func (p *Payload) read(line []byte) bool {
	r := canonical.NewReader(line)
	if !r.Member("data_raw") {
		return false
	}
	data, isText := r.AppendText(p.Data[:0])
	*p = Payload{Index: r.Required("index"), Data: data}
	if !isText || !r.Member("salt") {
		return false
	}
	p.Salt = r.Hash()
	return r.End()
}
