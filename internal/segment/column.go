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
	r           *reading
	heads, data span
}

// column returns the column in a span.
func (r *reading) column(at span) column {
	heads := columnBlocks(r.Rows) * columnHead
	return column{r, at.sub(0, heads), at.sub(heads, at.size-heads)}
}

func columnBlocks(rows int) int { return (rows + columnBlock - 1) / columnBlock }

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

// openColumn checks all of a column once, and returns the least and the greatest number.
func openColumn(b []byte, rows int) (reach [2]int64, err error) {
	blocks := columnBlocks(rows)
	if len(b) < blocks*columnHead+8 {
		return reach, errColumn
	}
	heads, data := b[:blocks*columnHead], b[blocks*columnHead:]
	reach = [2]int64{math.MaxInt64, math.MinInt64}
	for i := range blocks {
		h, n := readHead(heads[i*columnHead:]), min(columnBlock, rows-i*columnBlock)
		if h.width > 64 || h.power > 9 || h.offset+(n*h.width+7)/8+8 > len(data) || h.least > h.greatest {
			return reach, errColumn
		}
		for k := range n {
			if v := h.at(data[h.offset:], k); v < h.least || v > h.greatest {
				return reach, errColumn
			}
		}
		reach = [2]int64{min(reach[0], h.least), max(reach[1], h.greatest)}
	}
	return reach, nil
}

type columnHeader struct {
	least, greatest      int64
	offset, width, power int
}

func readHead(b []byte) columnHeader {
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
	h := readHead(c.r.bytes(c.heads, row/columnBlock*columnHead, columnHead))
	bit := row % columnBlock * h.width
	at := h.offset + bit/8
	return h.value(c.r.bytes(c.data, at, min(columnMost, c.data.size-at)), bit%8)
}

// columnMost is how many bytes a number may touch.
const columnMost = 9

// at returns number i of a block whose bits start at data.
func (h *columnHeader) at(data []byte, i int) int64 {
	bit := i * h.width
	return h.value(data[bit/8:], bit%8)
}

// value returns the number that begins at a bit of the first byte.
func (h *columnHeader) value(b []byte, bit int) int64 {
	n := binary.LittleEndian.Uint64(b) >> bit
	if over := h.width + bit - 64; over > 0 {
		n |= uint64(b[8]) << (64 - bit)
	}
	if h.width < 64 {
		n &= 1<<h.width - 1
	}
	return int64(uint64(h.least) + n*units[h.power])
}

// keep implements Segment.Keep.
func (c column) keep(set *Bits, lo, hi int64, keep func(row int, value int64) bool) {
	const words = columnBlock / 64
	heads := c.r.bytes(c.heads, 0, c.heads.size)
	for i := range len(heads) / columnHead {
		w := set[i*words : (i+1)*words]
		if w[0]|w[1] == 0 {
			continue
		}
		h := readHead(heads[i*columnHead:])
		switch {
		case h.least > hi || h.greatest < lo:
			w[0], w[1] = 0, 0
			continue
		case h.least > lo && h.greatest < hi:
			continue
		}
		data := c.r.bytes(c.data, h.offset, min((columnBlock*h.width+7)/8+8, c.data.size-h.offset))
		if c.r.err != nil {
			return
		}
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
