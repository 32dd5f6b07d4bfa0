package segment

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
)

// columnBlock is how many numbers are packed together.
const columnBlock = 128

// column is a list of numbers, packed in blocks. Each number is stored as its distance from the
// block's least one, divided by the largest power of ten that divides all distances, in as many
// bits as the largest takes.
//
//	for each block: i64 least | i64 greatest | u32 offset of its bits | u8 bits of a number | u8 power of ten | u16 0
//	the bits | eight bytes of 0, so that eight can be read at any place
type column struct {
	heads []byte
	data  []byte
}

const columnHead = 24

func encodeColumn(values []int64) []byte {
	var heads, data []byte
	for len(values) > 0 {
		block := values[:min(columnBlock, len(values))]
		values = values[len(block):]
		least, greatest := block[0], block[0]
		for _, v := range block {
			least, greatest = min(least, v), max(greatest, v)
		}
		power, unit := unitOf(block, least)
		width := bits.Len64((uint64(greatest) - uint64(least)) / unit)
		heads = binary.LittleEndian.AppendUint64(heads, uint64(least))
		heads = binary.LittleEndian.AppendUint64(heads, uint64(greatest))
		heads = binary.LittleEndian.AppendUint32(heads, uint32(len(data)))
		heads = append(heads, byte(width), byte(power), 0, 0)
		data = pack(data, block, least, unit, width)
	}
	return append(append(heads, data...), make([]byte, 8)...)
}

// unitOf returns the largest power of ten, up to 10⁹, that divides the distance of each number from
// the least.
func unitOf(block []int64, least int64) (power int, unit uint64) {
	for power, unit = 9, 1e9; power > 0; power, unit = power-1, unit/10 {
		all := true
		for _, v := range block {
			if (uint64(v)-uint64(least))%unit != 0 {
				all = false
				break
			}
		}
		if all {
			return power, unit
		}
	}
	return 0, 1
}

func pack(dst []byte, block []int64, least int64, unit uint64, width int) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, (len(block)*width+7)/8)...)
	for i, v := range block {
		n := (uint64(v) - uint64(least)) / unit
		for bit := i * width; bit < (i+1)*width; {
			at, shift := start+bit/8, bit%8
			dst[at] |= byte(n << shift)
			n >>= 8 - shift
			bit += 8 - shift
		}
	}
	return dst
}

var errColumn = errors.New("numbers")

func openColumn(b []byte, rows int) (column, error) {
	blocks := (rows + columnBlock - 1) / columnBlock
	if len(b) < blocks*columnHead+8 {
		return column{}, errColumn
	}
	c := column{b[:blocks*columnHead], b[blocks*columnHead:]}
	for i := range blocks {
		h, n := c.head(i), min(columnBlock, rows-i*columnBlock)
		if h.width > 64 || h.power > 9 || h.offset+(n*h.width+7)/8+8 > len(c.data) || h.least > h.greatest {
			return column{}, errColumn
		}
		for row := i * columnBlock; row < i*columnBlock+n; row++ {
			if v := c.at(row); v < h.least || v > h.greatest {
				return column{}, errColumn
			}
		}
	}
	return c, nil
}

type columnHeader struct {
	least, greatest      int64
	offset, width, power int
}

func (c column) head(block int) columnHeader {
	b := c.heads[block*columnHead:]
	return columnHeader{
		int64(binary.LittleEndian.Uint64(b)),
		int64(binary.LittleEndian.Uint64(b[8:])),
		int(binary.LittleEndian.Uint32(b[16:])),
		int(b[20]),
		int(b[21]),
	}
}

var units = [10]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9}

func (c column) at(row int) int64 {
	h := c.head(row / columnBlock)
	return h.at(c.data[h.offset:], row%columnBlock)
}

// at returns number i of a block whose bits start at data.
func (h *columnHeader) at(data []byte, i int) int64 {
	bit := i * h.width
	b := data[bit/8:]
	n := binary.LittleEndian.Uint64(b) >> (bit % 8)
	if over := h.width + bit%8 - 64; over > 0 {
		n |= uint64(b[8]) << (64 - bit%8)
	}
	if h.width < 64 {
		n &= 1<<h.width - 1
	}
	return int64(uint64(h.least) + n*units[h.power])
}

// keep implements Segment.Keep.
func (c column) keep(set *Bits, lo, hi int64, keep func(row int, value int64) bool) {
	const words = columnBlock / 64
	for i := range len(c.heads) / columnHead {
		w := set[i*words : (i+1)*words]
		if w[0]|w[1] == 0 {
			continue
		}
		h := c.head(i)
		switch {
		case h.least > hi || h.greatest < lo:
			w[0], w[1] = 0, 0
			continue
		case h.least > lo && h.greatest < hi:
			continue
		}
		data := c.data[h.offset:]
		for j := range w {
			for rest := w[j]; rest != 0; rest &= rest - 1 {
				k := bits.TrailingZeros64(rest)
				if v := h.at(data, j*64+k); v < lo || v > hi || (v == lo || v == hi) && !keep(i*columnBlock+j*64+k, v) {
					w[j] &^= 1 << k
				}
			}
		}
	}
}

func (c column) span() (least, greatest int64) {
	least, greatest = math.MaxInt64, math.MinInt64
	for i := range len(c.heads) / columnHead {
		h := c.head(i)
		least, greatest = min(least, h.least), max(greatest, h.greatest)
	}
	return least, greatest
}
