package segment

import "math/bits"

// Bits is a set of rows.
type Bits [MaxRows / 64]uint64

// Set adds a row.
func (b *Bits) Set(row int) { b[row>>6] |= 1 << (row & 63) }

// Clear removes a row.
func (b *Bits) Clear(row int) { b[row>>6] &^= 1 << (row & 63) }

// Has reports whether the set has a row.
func (b *Bits) Has(row int) bool { return b[row>>6]>>(row&63)&1 != 0 }

// Fill adds the rows from `from` to before end.
func (b *Bits) Fill(from, end int) {
	for row := from; row < end; {
		if row&63 == 0 && end-row >= 64 {
			b[row>>6] = ^uint64(0)
			row += 64
		} else {
			b.Set(row)
			row++
		}
	}
}

// And removes the rows that the other set lacks, and reports whether any are left.
func (b *Bits) And(other *Bits) bool {
	any := uint64(0)
	for i := range b {
		b[i] &= other[i]
		any |= b[i]
	}
	return any != 0
}

// AndNot removes the rows of the other set.
func (b *Bits) AndNot(other *Bits) {
	for i := range b {
		b[i] &^= other[i]
	}
}

// Or adds the rows of the other set.
func (b *Bits) Or(other *Bits) {
	for i := range b {
		b[i] |= other[i]
	}
}

// Count returns the number of rows.
func (b *Bits) Count() (n int) {
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}

// Next returns the first row of the set from `row` on, or −1.
func (b *Bits) Next(row int) int {
	if row >= MaxRows {
		return -1
	}
	for i, w := row>>6, b[row>>6]>>(row&63)<<(row&63); ; w = b[i] {
		if w != 0 {
			return i<<6 + bits.TrailingZeros64(w)
		}
		if i++; i == len(b) {
			return -1
		}
	}
}

// Previous returns the last row of the set up to `row`, or −1.
func (b *Bits) Previous(row int) int {
	if row < 0 {
		return -1
	}
	for i, w := row>>6, b[row>>6]<<(63-row&63)>>(63-row&63); ; w = b[i] {
		if w != 0 {
			return i<<6 + 63 - bits.LeadingZeros64(w)
		}
		if i--; i < 0 {
			return -1
		}
	}
}
