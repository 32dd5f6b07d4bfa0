package entry

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Payload is the data of one entry, and the salt that opens its data_hash.
type Payload struct {
	Index uint64
	Salt  [32]byte
	Data  []byte
}

// Opens says whether the payload is what the entry's data_hash commits to.
func (p Payload) Opens(e Entry) bool {
	return p.Index == e.Index && FormatHash(DataHash(p.Salt, p.Data)) == e.DataHash
}

// IsText says whether data goes into a record as a string (SPEC 7): UTF-8 without C0 controls but tab, LF and CR.
func IsText(data []byte) bool {
	for i := 0; i < len(data); {
		if len(data)-i >= 8 {
			mark := controls(eight(data, i))
			if mark == 0 {
				i += 8
				continue
			}
			i += lowest(mark)
		}
		if c := data[i]; c < 0x20 && c != '\t' && c != '\n' && c != '\r' {
			return false
		}
		i++
	}
	return utf8.Valid(data)
}

// AppendRecord writes the payload's record, one line without its line feed (SPEC 7).
func (p Payload) AppendRecord(dst []byte) []byte {
	o := beginObject(dst)
	o.appendPayloadData(p.Data)
	o.num("index", p.Index)
	o.text("salt", FormatHash(p.Salt))
	return o.end()
}

// AppendMembers writes the payload's data and salt as members of an object that is being written (SPEC 9).
func (p Payload) AppendMembers(dst []byte) []byte {
	o := object{dst: dst, start: len(dst)}
	o.appendPayloadData(p.Data)
	o.text("salt", FormatHash(p.Salt))
	return o.dst
}

func (o *object) appendPayloadData(data []byte) {
	if IsText(data) {
		o.name("data_raw")
		o.dst = appendString(o.dst, data)
		return
	}
	o.name("data_base64")
	o.dst = append(o.dst, '"')
	o.dst = base64.StdEncoding.AppendEncode(o.dst, data)
	o.dst = append(o.dst, '"')
}

// ParsePayload reads a record; it takes nothing but what AppendRecord writes.
func ParsePayload(line []byte) (Payload, error) {
	if p, ok := readPayload(string(line)); ok {
		return p, nil
	}
	var p Payload
	seen := ""
	err := walkObject(line, func(name string, v []byte) (err error) {
		seen += name + " "
		switch name {
		case "index":
			p.Index, err = integer(v)
		case "salt":
			var s string
			if s, err = unquote(v); err == nil {
				p.Salt, err = ParseHash(s)
			}
		case "data_raw", "data_base64":
			p.Data, err = ParsePayloadData(name, v)
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

// readPayload reads a record of text in one pass; false says nothing but that ParsePayload must look.
func readPayload(line string) (p Payload, ok bool) {
	r := newCanonReader(line)
	if !r.member("data_raw") {
		return p, false
	}
	p.Data = r.bytes()
	p.Index = r.required("index")
	salt := r.optional("salt")
	if !r.end() || !IsText(p.Data) {
		return p, false
	}
	var err error
	p.Salt, err = ParseHash(salt)
	return p, err == nil
}

// ParsePayloadData reads the value of a member data_raw or data_base64, and refuses the one where the other belongs.
func ParsePayloadData(name string, value []byte) ([]byte, error) {
	s, err := unquote(value)
	if err != nil {
		return nil, err
	}
	data := []byte(s)
	if name == "data_base64" {
		if strings.ContainsAny(s, "\r\n") {
			return nil, errors.New("line break in base64")
		}
		if data, err = base64.StdEncoding.Strict().DecodeString(s); err != nil {
			return nil, err
		}
	}
	if IsText(data) != (name == "data_raw") {
		return nil, fmt.Errorf("%s where the other form belongs", name)
	}
	return data, nil
}
