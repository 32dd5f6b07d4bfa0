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
func ParsePayload(line []byte) (Payload, error) {
	if p, ok := readPayload(string(line)); ok {
		return p, nil
	}
	var p Payload
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
		return Payload{}, fmt.Errorf("payload record: %w", err)
	}
	return p, nil
}

// readPayload reads a record of text in one pass. If it returns false, ParsePayload must read the
// record in general.
func readPayload(line string) (p Payload, ok bool) {
	r := canonical.NewReader(line)
	if !r.Member("data_raw") {
		return p, false
	}
	p.Data = r.Bytes()
	p.Index = r.Required("index")
	salt := r.Optional("salt")
	if !r.End() || !canonical.IsText(p.Data) {
		return p, false
	}
	var err error
	p.Salt, err = ParseHash(salt)
	return p, err == nil
}
