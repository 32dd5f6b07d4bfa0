// Package segment indexes a range of entries: for each value of each field the rows that have it,
// columns of numbers, and a table of ids. A Builder collects rows and can be searched while it
// grows. When it is full, it is encoded as one immutable byte string, which is both the file and
// the form in memory. This package reads no log. What a row is, and whether it is correct, is up to
// the caller.
//
//	Builder ─Encode─▶ bytes ─Open (checksum, form)─▶ Segment ─Match─▶ Bits
//
// A segment is a line of text that identifies the format, a line of JSON (Header), the sections one
// after the other, and the SHA-256 of all that. Equal rows make equal bytes. It takes about 30
// bytes a row, if one row in eight starts a new trace.
package segment

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/minio/highwayhash"
)

// MaxRows is the maximum number of rows of a segment.
const MaxRows = 1 << 16

// Members of a row: text fields; fields of which only a keyed hash is kept; and columns of numbers.
const (
	TextFields   = 7
	HashedFields = 2
	Fields       = TextFields + HashedFields
	Columns      = 3
	PrefixField  = 4 // the text field that can be searched by prefix
)

// Row is one row. An empty field, or 0, means that it has no value.
type Row struct {
	Text   [TextFields]string
	Hashed [HashedFields]uint64 // Key.Hash of each value
	ID     uint64               // Key.Hash of the id
	Values [Columns]int64
}

// Key is the key of the hashes. It is random, so that those who write the values cannot make them
// collide.
type Key [highwayhash.Size]byte

// Hash returns the hash of a value. It is 0 only for the empty value.
func (k *Key) Hash(value string) uint64 {
	if value == "" {
		return 0
	}
	return max(highwayhash.Sum64([]byte(value), k[:]), 1)
}

// ErrDamaged is wrapped by every error of Open: the bytes are no complete segment of this format.
var ErrDamaged = errors.New("damaged segment")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrDamaged}, args...)...)
}

// Segment is an immutable range of rows. It is safe for concurrent use.
type Segment struct {
	Header
	Sum [sha256.Size]byte // checksum over the whole segment

	key      Key
	dicts    [Fields]dict
	ids      idTable
	columns  [Columns]column
	numbers  column // position of each row's value in the dictionary of PrefixField, or −1
	sections map[string][]byte
	bytes    int
}

// Header describes a segment.
type Header struct {
	Rows  int             `json:"rows"`
	Key   string          `json:"key"`   // hex
	Owner json.RawMessage `json:"owner"` // the caller's description

	Sections []section `json:"sections"` // in order and without gaps
}

type section struct {
	Name string `json:"name"`
	Size int    `json:"size"`
}

const magic = "sealstream index segment 1\n"

// Names of the sections of this package. The caller's sections have other names.
const (
	dictSection   = "field-%d"
	columnSection = "column-%d"
	idSection     = "ids"
	numberSection = "numbers"
)

// Open opens a segment. It checks every byte, so that no later method can fail. The caller must not
// change data.
func Open(data []byte) (*Segment, error) {
	if len(data) < len(magic)+sha256.Size || string(data[:len(magic)]) != magic {
		return nil, damaged("unknown format")
	}
	body := data[:len(data)-sha256.Size]
	s := &Segment{Sum: sha256.Sum256(body), sections: map[string][]byte{}, bytes: len(data)}
	if s.Sum != [sha256.Size]byte(data[len(body):]) {
		return nil, damaged("checksum does not match")
	}
	line, rest, found := bytes.Cut(body[len(magic):], []byte("\n"))
	if !found {
		return nil, damaged("no header")
	}
	if err := json.Unmarshal(line, &s.Header); err != nil {
		return nil, damaged("header: %v", err)
	}
	if s.Rows < 1 || s.Rows > MaxRows {
		return nil, damaged("%d rows", s.Rows)
	}
	if n, err := hex.Decode(s.key[:], []byte(s.Header.Key[:min(len(s.Header.Key), 2*len(s.key))])); err != nil ||
		n != len(s.key) {
		return nil, damaged("key")
	}
	for _, part := range s.Header.Sections {
		if part.Size < 0 || part.Size > len(rest) {
			return nil, damaged("section %.40q is longer than the rest", part.Name)
		}
		s.sections[part.Name], rest = rest[:part.Size:part.Size], rest[part.Size:]
	}
	if len(rest) > 0 {
		return nil, damaged("%d bytes after the sections", len(rest))
	}
	return s, s.open()
}

func (s *Segment) open() (err error) {
	for f := range s.dicts {
		if s.dicts[f], err = openDict(s.sections[fmt.Sprintf(dictSection, f)], s.Rows); err != nil {
			return damaged("field %d: %v", f, err)
		}
	}
	for c := range s.columns {
		if s.columns[c], err = openColumn(s.sections[fmt.Sprintf(columnSection, c)], s.Rows); err != nil {
			return damaged("column %d: %v", c, err)
		}
	}
	if s.numbers, err = openColumn(s.sections[numberSection], s.Rows); err != nil {
		return damaged("places in the dictionary: %v", err)
	}
	if s.ids, err = openIDs(s.sections[idSection], s.Rows); err != nil {
		return damaged("ids: %v", err)
	}
	return nil
}

// Section returns a section that the caller gave to Encode, or nil.
func (s *Segment) Section(name string) []byte { return s.sections[name] }

// HashKey returns the key of the hashes.
func (s *Segment) HashKey() Key { return s.key }

// Bytes returns the size of the segment in bytes.
func (s *Segment) Bytes() int { return s.bytes }

// Value returns the number of a row in a column.
func (s *Segment) Value(column, row int) int64 { return s.columns[column].at(row) }

// Range returns the least and the greatest number of a column.
func (s *Segment) Range(column int) (least, greatest int64) { return s.columns[column].span() }

// Keep removes from bits the rows whose number is less than lo or greater than hi. For a number
// equal to lo or hi, in a block that is not wholly between them, keep decides.
func (s *Segment) Keep(column int, bits *Bits, lo, hi int64, keep func(row int, value int64) bool) {
	s.columns[column].keep(bits, lo, hi, keep)
}

// WithID yields the rows whose id has a hash, ascending. One row in four million may have another
// id.
func (s *Segment) WithID(hash uint64, yield func(row int) bool) bool { return s.ids.rows(hash, yield) }

// IDs yields the ShortID and the row of every id, ascending. Rows of one id follow each other.
func (s *Segment) IDs(yield func(hash uint64, row int)) { s.ids.each(yield) }

// Values yields each value of a text field, ascending, and how many rows have it.
func (s *Segment) Values(field int, yield func(value []byte, count int) bool) {
	s.dicts[field].each(0, func(key []byte, p posting) bool { return yield(key, p.count()) })
}
