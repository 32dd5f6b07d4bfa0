package segment

import "encoding/binary"

// Counts yields each value of a text field that rows of within have, ascending, and how many of
// these rows have it.
func (s *Segment) Counts(field int, within *Bits, yield func(value []byte, count int)) error {
	r := &reading{Segment: s}
	r.dict(field).each(0, func(key []byte, p posting) bool {
		if n := p.countIn(within); n > 0 {
			yield(key, n)
		}
		return true
	})
	return r.err
}

// Counts yields each value of a text field that rows of within have, in the order of their first
// rows, and how many of these rows have it.
func (b *Builder) Counts(field int, within *Bits, yield func(value string, count int)) {
	v := &b.text[field]
	for number, key := range v.keys {
		n := 0
		for row := v.last[number]; row >= 0; row = v.prev[row] {
			if within.Has(int(row)) {
				n++
			}
		}
		if n > 0 {
			yield(key, n)
		}
	}
}

// countIn returns how many of the rows are in bits.
func (p posting) countIn(bits *Bits) (n int) {
	if p.roaring {
		var rows Bits
		p.bitmap().WriteDenseTo(rows[:])
		if !rows.And(bits) {
			return 0
		}
		return rows.Count()
	}
	for row, data := -1, p.data; len(data) > 0; {
		d, size := binary.Uvarint(data)
		row, data = row+1+int(d), data[size:]
		if bits.Has(row) {
			n++
		}
	}
	return n
}
