// Package segment keeps what is asked of a range of entries: for each value of each field the rows that have it, columns of
// numbers, and a table of ids. A Builder takes rows and can be asked while it grows; when it is full, it is written as one immutable string of bytes, which is
// the file and what is kept in memory alike. What rows are, and whether they are true, is the caller's matter: this package reads no log.
//
//	Builder ─Encode─▶ bytes ─Open (checksum, form)─▶ Segment ─Match─▶ Bits
//
// A segment is a line of text that says what it is, a line of JSON (Header), sections one after the other, and the SHA-256 of all that. Equal rows make equal
// bytes. About 30 bytes a row, where one row in eight brings a new trace.
//
// No compatibility is promised for this package yet.
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

// MaxRows is the most rows of a segment.
const MaxRows = 1 << 16

// The form of a row: fields of text; fields of which only a keyed hash is kept; and columns of numbers.
const (
	TextFields   = 7
	HashedFields = 2
	Fields       = TextFields + HashedFields
	Columns      = 3
	PrefixField  = 4 // the one that is searched by prefix
)

// Row is one row. A field that is empty, or 0, has no value.
type Row struct {
	Text   [TextFields]string
	Hashed [HashedFields]uint64 // Key.Hash of the values
	ID     uint64               // Key.Hash
	Values [Columns]int64
}

// Key is the key of the hashes. It is drawn by whoever builds an index, so that those who write the values cannot make them collide.
type Key [highwayhash.Size]byte

// Hash is the hash of a value; 0 of none alone.
func (k *Key) Hash(value string) uint64 {
	if value == "" {
		return 0
	}
	return max(highwayhash.Sum64([]byte(value), k[:]), 1)
}

// ErrDamaged is wrapped by every error of Open: the bytes are no whole segment of this release.
var ErrDamaged = errors.New("damaged segment")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrDamaged}, args...)...)
}

// Segment is an immutable range of rows. It may be used by many goroutines.
type Segment struct {
	Header
	Sum [sha256.Size]byte // over all of it

	key      Key
	dicts    [Fields]dict
	ids      idTable
	columns  [Columns]column
	numbers  column // the place of each row's value in the dictionary of PrefixField, or −1
	sections map[string][]byte
	bytes    int
}

// Header says what a segment is.
type Header struct {
	Rows  int             `json:"rows"`
	Key   string          `json:"key"`   // hex
	Owner json.RawMessage `json:"owner"` // what the caller wants to know of it

	Sections []section `json:"sections"` // in their order, without gaps
}

type section struct {
	Name string `json:"name"`
	Size int    `json:"size"`
}

const magic = "sealstream index segment 1\n"

// names of the sections that this package makes. Those of the caller have other ones.
const (
	dictSection   = "field-%d"
	columnSection = "column-%d"
	idSection     = "ids"
	numberSection = "numbers"
)

// Open reads a segment. It looks at every byte, so that nothing that is asked of it later can fail. The bytes must not change.
func Open(data []byte) (*Segment, error) {
	if len(data) < len(magic)+sha256.Size || string(data[:len(magic)]) != magic {
		return nil, damaged("it does not begin as one")
	}
	body := data[:len(data)-sha256.Size]
	s := &Segment{Sum: sha256.Sum256(body), sections: map[string][]byte{}, bytes: len(data)}
	if s.Sum != [sha256.Size]byte(data[len(body):]) {
		return nil, damaged("another checksum")
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
	if n, err := hex.Decode(s.key[:], []byte(s.Header.Key[:min(len(s.Header.Key), 2*len(s.key))])); err != nil || n != len(s.key) {
		return nil, damaged("key")
	}
	for _, part := range s.Header.Sections {
		if part.Size < 0 || part.Size > len(rest) {
			return nil, damaged("section %.40q is longer than the rest", part.Name)
		}
		s.sections[part.Name], rest = rest[:part.Size:part.Size], rest[part.Size:]
	}
	if len(rest) > 0 {
		return nil, damaged("%d bytes behind the sections", len(rest))
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

// Section is a section that the caller gave to Encode, or nil.
func (s *Segment) Section(name string) []byte { return s.sections[name] }

// HashKey is the key of its hashes.
func (s *Segment) HashKey() Key { return s.key }

// Bytes is its size.
func (s *Segment) Bytes() int { return s.bytes }

// Value is a number of a row.
func (s *Segment) Value(column, row int) int64 { return s.columns[column].at(row) }

// Range is the least and the greatest number of a column.
func (s *Segment) Range(column int) (least, most int64) { return s.columns[column].span() }

// Keep takes the rows out of bits whose number lies outside lo to hi. Of one within, but in a block that is not within as a whole, keep decides.
func (s *Segment) Keep(column int, bits *Bits, lo, hi int64, keep func(row int, value int64) bool) {
	s.columns[column].keep(bits, lo, hi, keep)
}

// WithID yields the rows whose id has a hash, ascending. One in four million may be of another id.
func (s *Segment) WithID(hash uint64, yield func(row int) bool) bool { return s.ids.rows(hash, yield) }

// IDs yields the ShortID and the row of every id; those of one id one after the other, ascending.
func (s *Segment) IDs(yield func(hash uint64, row int)) { s.ids.each(yield) }

// Values yields each value of a field of text, ascending, and how many rows have it.
func (s *Segment) Values(field int, yield func(value []byte, count int) bool) {
	s.dicts[field].each(0, func(key []byte, p posting) bool { return yield(key, p.count()) })
}
