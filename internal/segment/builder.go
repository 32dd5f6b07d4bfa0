package segment

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Builder collects up to MaxRows rows. Its reading methods are safe for concurrent use, but not
// together with Add.
type Builder struct {
	n       int
	text    [TextFields]values[string]
	hashed  [HashedFields]values[uint64]
	ids     values[uint64]
	numbers []int32 // by row: the number of its value of PrefixField, or −1
	column  [Columns][]int64
}

// NewBuilder makes an empty Builder.
func NewBuilder() *Builder {
	b := &Builder{ids: newValues[uint64]()}
	for f := range b.text {
		b.text[f] = newValues[string]()
	}
	for f := range b.hashed {
		b.hashed[f] = newValues[uint64]()
	}
	return b
}

// values holds the values of a field by number, and the rows of each value as a chain that starts
// at the last row.
type values[K cmp.Ordered] struct {
	number map[K]uint32
	keys   []K
	last   []int32 // by value
	count  []int32 // by value
	prev   []int32 // by row: the previous row with the same value, or −1
	newest uint32  // of the last row that has a value: the next one often has the same
}

func newValues[K cmp.Ordered]() values[K] { return values[K]{number: map[K]uint32{}} }

// add adds a row and returns the number of its value, or −1 if the row has none. clone copies a
// value that is kept.
func (v *values[K]) add(key K, row int, clone func(K) K) int32 {
	if key == *new(K) {
		v.prev = append(v.prev, -1)
		return -1
	}
	n, there := v.newest, len(v.keys) > 0 && v.keys[v.newest] == key
	if !there {
		n, there = v.number[key]
	}
	if !there {
		n, key = uint32(len(v.keys)), clone(key)
		v.newest = n
		v.number[key] = n
		v.keys = append(v.keys, key)
		v.last = append(v.last, int32(row))
		v.count = append(v.count, 1)
		v.prev = append(v.prev, -1)
		return int32(n)
	}
	v.newest = n
	v.prev = append(v.prev, v.last[n])
	v.last[n] = int32(row)
	v.count[n]++
	return int32(n)
}

// rows returns the rows of a value, ascending, in buf.
func (v *values[K]) rows(number uint32, buf []uint16) []uint16 {
	n := int(v.count[number])
	buf = slices.Grow(buf[:0], n)[:n]
	for row := v.last[number]; row >= 0; row = v.prev[row] {
		n--
		buf[n] = uint16(row)
	}
	return buf
}

// Rows returns the number of rows.
func (b *Builder) Rows() int { return b.n }

// Add adds a row.
func (b *Builder) Add(r *Row) {
	for f := range b.text {
		// a value may be part of a large buffer, which must not be kept alive
		n := b.text[f].add(r.Text[f], b.n, strings.Clone)
		if f == PrefixField {
			b.numbers = append(b.numbers, n)
		}
	}
	for f := range b.hashed {
		b.hashed[f].add(short(r.Hashed[f]), b.n, same)
	}
	b.ids.add(r.ID, b.n, same)
	for c := range b.column {
		b.column[c] = append(b.column[c], r.Values[c])
	}
	b.n++
}

func same(h uint64) uint64 { return h }

// Value returns the number of a row in a column.
func (b *Builder) Value(column, row int) int64 { return b.column[column][row] }

// Distinct returns the number of values of a text field.
func (b *Builder) Distinct(field int) int { return len(b.text[field].keys) }

// Column returns all numbers of a column.
func (b *Builder) Column(column int) []int64 { return b.column[column] }

// Values yields each value of a text field, in the order of their first rows, and how many rows
// have it.
func (b *Builder) Values(field int, yield func(value string, count int) bool) {
	v := &b.text[field]
	for n, key := range v.keys {
		if !yield(key, int(v.count[n])) {
			return
		}
	}
}

// WithID yields the rows whose id has a hash, ascending. It returns false if yield did.
func (b *Builder) WithID(hash uint64, yield func(row int) bool) bool {
	n, there := b.ids.number[hash]
	if !there {
		return true
	}
	for _, row := range b.ids.rows(n, nil) {
		if !yield(int(row)) {
			return false
		}
	}
	return true
}

// Encode encodes the segment. owner is the caller's description of it. sections are the caller's
// own sections, by name.
func (b *Builder) Encode(key Key, owner json.RawMessage, sections map[string][]byte) ([]byte, error) {
	h := Header{Rows: b.n, Key: hex.EncodeToString(key[:]), Owner: owner}
	var body []byte
	add := func(name string, data []byte) {
		h.Sections = append(h.Sections, section{name, len(data)})
		body = append(body, data...)
	}
	for f := range b.text {
		v := &b.text[f]
		list := v.sorted(func(key string) string { return key })
		add(fmt.Sprintf(dictSection, f), v.encode(list))
		if f == PrefixField {
			add(numberSection, encodeColumn(v.places(list)))
		}
	}
	for f := range b.hashed {
		v := &b.hashed[f]
		add(fmt.Sprintf(dictSection, TextFields+f), v.encode(v.sorted(hashKey)))
	}
	for c := range b.column {
		add(fmt.Sprintf(columnSection, c), encodeColumn(b.column[c]))
	}
	ids := make([]uint64, b.n)
	for n, hash := range b.ids.keys {
		for row := b.ids.last[n]; row >= 0; row = b.ids.prev[row] {
			ids[row] = hash
		}
	}
	add(idSection, encodeIDs(ids))
	for _, name := range slices.Sorted(mapKeys(sections)) {
		add(name, sections[name])
	}
	head, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("segment: %w", err)
	}
	data := make([]byte, 0, len(magic)+len(head)+1+len(body)+sha256.Size)
	data = append(append(append(append(data, magic...), head...), '\n'), body...)
	sum := sha256.Sum256(data)
	return append(data, sum[:]...), nil
}

func mapKeys(m map[string][]byte) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// short returns the 48 bits of a value's hash that are kept. If all values of a segment differ, one
// segment in 100,000 has two values with the same 48 bits.
func short(hash uint64) uint64 { return hash &^ 0xffff }

// hashKey returns a hash as a dictionary holds it.
func hashKey(hash uint64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], hash)
	return string(b[:6])
}

// value is a value as a dictionary holds it, and its number.
type value struct {
	key    string
	number uint32
}

// sorted returns the values in dictionary order.
func (v *values[K]) sorted(text func(K) string) []value {
	list := make([]value, len(v.keys))
	for n, k := range v.keys {
		list[n] = value{text(k), uint32(n)}
	}
	slices.SortFunc(list, func(a, b value) int { return strings.Compare(a.key, b.key) })
	return list
}

func (v *values[K]) encode(list []value) []byte {
	var buf []uint16
	return encodeDict(len(list), func(i int) (string, []uint16) {
		buf = v.rows(list[i].number, buf)
		return list[i].key, buf
	})
}

// places returns the position of each row's value in the dictionary, or −1.
func (v *values[K]) places(list []value) []int64 {
	places := make([]int64, len(v.prev))
	for row := range places {
		places[row] = -1
	}
	for i, value := range list {
		for row := v.last[value.number]; row >= 0; row = v.prev[row] {
			places[row] = int64(i)
		}
	}
	return places
}
