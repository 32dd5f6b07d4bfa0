package segment

import (
	"encoding/binary"
	"errors"

	"github.com/RoaringBitmap/roaring/v2"
)

// manyRows is the number of rows from which a value's rows are a roaring bitmap. Fewer rows are
// stored as distances, most of which take one byte.
const manyRows = 256

// posting is the rows of one value in a segment.
type posting struct {
	data    []byte
	roaring bool
}

// appendPosting appends ascending rows after their length and kind.
func appendPosting(dst []byte, rows []uint16) []byte {
	var data []byte
	kind := uint64(0)
	if len(rows) >= manyRows {
		b := roaring.New()
		wide := make([]uint32, len(rows))
		for i, r := range rows {
			wide[i] = uint32(r)
		}
		b.AddMany(wide)
		b.RunOptimize()
		data, _ = b.ToBytes() // cannot fail in memory
		kind = 1
	} else {
		last := -1
		for _, r := range rows {
			data = binary.AppendUvarint(data, uint64(int(r)-last-1))
			last = int(r)
		}
	}
	dst = binary.AppendUvarint(dst, uint64(len(data))<<1|kind)
	return append(dst, data...)
}

var errPosting = errors.New("rows of a value")

// readPosting reads what appendPosting has written, and returns the rest.
func readPosting(b []byte) (p posting, rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size>>1 > uint64(len(b)-n) {
		return p, nil, false
	}
	end := n + int(size>>1)
	return posting{b[n:end:end], size&1 == 1}, b[end:], true
}

// check checks that there is at least one row, that rows ascend, and that they are below a limit.
func (p posting) check(greatest int) error {
	if p.roaring {
		b := roaring.New()
		if err := b.UnmarshalBinary(p.data); err != nil || b.Validate() != nil || b.IsEmpty() ||
			b.Maximum() >= uint32(greatest) {
			return errPosting
		}
		return nil
	}
	last := -1
	for data := p.data; len(data) > 0; {
		d, n := binary.Uvarint(data)
		if n <= 0 || d >= uint64(greatest-last-1) {
			return errPosting
		}
		last, data = last+1+int(d), data[n:]
	}
	if last < 0 {
		return errPosting
	}
	return nil
}

// bitmap reads a roaring bitmap that check has accepted.
func (p posting) bitmap() *roaring.Bitmap {
	b := roaring.New()
	if err := b.UnmarshalBinary(p.data); err != nil {
		panic("segment: bitmap that was checked: " + err.Error())
	}
	return b
}

func (p posting) count() (n int) {
	if p.roaring {
		return int(p.bitmap().GetCardinality())
	}
	for _, c := range p.data {
		n += int(^c >> 7) // counts the last byte of each number
	}
	return n
}

// weight returns the estimated cost of addTo.
func (p posting) weight() int { return len(p.data) }

// addTo adds the rows to bits.
func (p posting) addTo(bits *Bits) {
	if p.roaring {
		var dense Bits // WriteDenseTo overwrites its target
		p.bitmap().WriteDenseTo(dense[:])
		for i := range bits {
			bits[i] |= dense[i]
		}
		return
	}
	for row, data := -1, p.data; len(data) > 0; {
		if c := data[0]; c < 0x80 {
			row, data = row+1+int(c), data[1:]
		} else {
			d, n := binary.Uvarint(data)
			row, data = row+1+int(d), data[n:]
		}
		bits.Set(row)
	}
}
