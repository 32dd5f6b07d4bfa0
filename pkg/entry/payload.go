package entry

import (
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/internal/canonical"
)

// Payload is the data of an entry with the salt that opens its DataHash.
type Payload struct {
	Index uint64   // index of the entry
	Salt  [32]byte // salt of the commitment
	Data  []byte   // data bytes of the event; of a rejected entry, the first refused bytes
}

// Opens reports whether the payload is what the entry's DataHash commits to.
func (p Payload) Opens(e Entry) bool {
	return p.Index == e.Index && e.DataHash != nil && DataHash(p.Salt, p.Data) == *e.DataHash
}

// AppendRecord appends the payload's record, one line without its line feed (SPEC 7).
func (p Payload) AppendRecord(dst []byte) []byte {
	o := canonical.BeginObject(dst)
	o.Data(p.Data)
	o.Uint("index", p.Index)
	o.Hex("salt", p.Salt[:])
	return o.End()
}

// AppendMembers appends the payload's data and salt as members of an object that the caller is
// writing (SPEC 9).
func (p Payload) AppendMembers(dst []byte) []byte {
	o := canonical.ContinueObject(dst, len(dst))
	o.Data(p.Data)
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
	seen := ""
	err := canonical.WalkObject(line, func(name string, v []byte) (err error) {
		seen += name + " "
		switch name {
		case "index":
			p.Index, err = canonical.Integer(v)
		case "salt":
			var s string
			if s, err = canonical.Unquote(v); err == nil {
				p.Salt, err = ParseHash(s)
			}
		case "data_raw", "data_base64":
			p.Data, err = canonical.ParseData(name, v)
		default:
			err = errMember
		}
		return err
	})
	if err == nil && seen != "data_raw index salt " && seen != "data_base64 index salt " {
		err = errors.New("not the members of a record in their order")
	}
	if err == nil && string(p.AppendRecord(nil)) != string(line) {
		err = errors.New("not canonical")
	}
	if err != nil {
		return fmt.Errorf("payload record: %w", err)
	}
	return nil
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
