package segment

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

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
	from     source
	sections map[string]span
	dicts    [Fields]dictSpan
	ids      span
	columns  [Columns]span
	numbers  span // position of each row's value in the dictionary of PrefixField, or −1
	ranges   [Columns][2]int64
	sieve    sieve
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

// Open opens a segment in memory. It checks every byte. No later method can fail, unless the
// segment is read from a file by then. The caller must not change data.
func Open(data []byte) (*Segment, error) {
	if len(data) < len(magic)+sha256.Size || string(data[:len(magic)]) != magic {
		return nil, damaged("unknown format")
	}
	body := data[:len(data)-sha256.Size]
	s := &Segment{Sum: sha256.Sum256(body), sections: map[string]span{}, bytes: len(data)}
	s.from = inMemory(data)
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
	at := len(body) - len(rest)
	for _, part := range s.Header.Sections {
		if part.Size < 0 || part.Size > len(body)-at {
			return nil, damaged("section %.40q is longer than the rest", part.Name)
		}
		s.sections[part.Name] = span{at, part.Size}
		at += part.Size
	}
	if at < len(body) {
		return nil, damaged("%d bytes after the sections", len(body)-at)
	}
	return s, s.open(body)
}

func (s *Segment) open(body []byte) (err error) {
	section := func(format string, args ...any) ([]byte, span) {
		at := s.sections[fmt.Sprintf(format, args...)]
		return body[at.at : at.at+at.size], at
	}
	values := make([]uint64, 0, 2*s.Rows)
	for f := range s.dicts {
		b, at := section(dictSection, f)
		blocks, err := openDict(b, s.Rows, func(key []byte) { values = append(values, s.sieved(f, key)) })
		if err != nil {
			return damaged("field %d: %v", f, err)
		}
		s.dicts[f] = dictSpan{at.sub(4, 4*blocks), at.sub(4+4*blocks, at.size-4-4*blocks)}
	}
	var b []byte
	for c := range s.columns {
		b, s.columns[c] = section(columnSection, c)
		if s.ranges[c], err = openColumn(b, s.Rows); err != nil {
			return damaged("column %d: %v", c, err)
		}
	}
	b, s.numbers = section(numberSection)
	if _, err = openColumn(b, s.Rows); err != nil {
		return damaged("places in the dictionary: %v", err)
	}
	b, s.ids = section(idSection)
	err = openIDs(b, s.Rows, func(hash uint64) { values = append(values, sieved(idField, hash)) })
	if err != nil {
		return damaged("ids: %v", err)
	}
	s.sieve = newSieve(values)
	return nil
}

// sieved is a value of a field, as its dictionary has it, for the sieve.
func (s *Segment) sieved(field int, key []byte) uint64 {
	return sieved(field, highwayhash.Sum64(key, s.key[:]))
}

// ReadFrom makes the segment read from a file that holds its bytes, and forget them. From then on
// methods may fail: with an error that wraps ErrDamaged if the file no longer holds what Open has
// checked, or with that of reading. It must be called before others use the segment.
func (s *Segment) ReadFrom(file io.ReaderAt, blocks *Blocks) {
	if data, ok := s.from.(inMemory); ok {
		s.from = newInFile(data, file, blocks)
	}
}

// Section returns a section that the caller gave to Encode, or nil.
func (s *Segment) Section(name string) ([]byte, error) {
	return s.SectionAt(name, 0, s.sections[name].size)
}

// SectionSize returns the bytes of a section, or 0 if there is none.
func (s *Segment) SectionSize(name string) int { return s.sections[name].size }

// SectionAt returns n bytes of a section from an offset on.
func (s *Segment) SectionAt(name string, at, n int) ([]byte, error) {
	r := reading{Segment: s}
	b := r.bytes(s.sections[name], at, n)
	return b, r.err
}

// HashKey returns the key of the hashes.
func (s *Segment) HashKey() Key { return s.key }

// Bytes returns the size of the segment in bytes.
func (s *Segment) Bytes() int { return s.bytes }

// Value returns the number of a row in a column.
func (s *Segment) Value(column, row int) (int64, error) {
	r := &reading{Segment: s}
	n := r.column(s.columns[column]).at(row)
	return n, r.err
}

// Range returns the least and the greatest number of a column.
func (s *Segment) Range(column int) (least, greatest int64) {
	return s.ranges[column][0], s.ranges[column][1]
}

// Keep removes from bits the rows whose number is less than lo or greater than hi. For a number
// equal to lo or hi, in a block that is not wholly between them, keep decides.
func (s *Segment) Keep(column int, bits *Bits, lo, hi int64, keep func(row int, value int64) bool) error {
	r := &reading{Segment: s}
	r.column(s.columns[column]).keep(bits, lo, hi, keep)
	return r.err
}

// WithID yields the rows whose id has a hash, ascending, until yield returns false. One row in four
// million may have another id.
func (s *Segment) WithID(hash uint64, yield func(row int) bool) error {
	r := &reading{Segment: s}
	r.idTable().rows(hash, yield)
	return r.err
}

// IDs yields the ShortID and the row of every id, ascending. Rows of one id follow each other.
func (s *Segment) IDs(yield func(hash uint64, row int)) error {
	r := &reading{Segment: s}
	r.idTable().each(yield)
	return r.err
}

// Values yields each value of a text field, ascending, and how many rows have it.
func (s *Segment) Values(field int, yield func(value []byte, count int) bool) error {
	r := &reading{Segment: s}
	r.dict(field).each(0, func(key []byte, p posting) bool { return yield(key, p.count()) })
	return r.err
}
