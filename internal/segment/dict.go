package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sort"
)

// dictBlock is how many values a block holds. The first value of a block is stored in full, the
// others without the prefix that they share with the value before.
const dictBlock = 16

// dict holds the values of a field, ascending, each with its rows.
//
//	u32 number of blocks | u32 offset of each block | blocks of: uvarint shared, uvarint rest, its bytes, rows (posting)
type dict struct {
	r *reading
	dictSpan
}

// dictSpan is where a dictionary is.
type dictSpan struct{ offsets, data span }

func (r *reading) dict(field int) dict { return dict{r, r.dicts[field]} }

// encodeDict encodes n values. at returns the i-th of them in order.
func encodeDict(n int, at func(i int) (key string, rows []uint16)) []byte {
	var offsets, data []byte
	last := ""
	for i := range n {
		key, rows := at(i)
		shared := 0
		if i%dictBlock == 0 {
			offsets = binary.LittleEndian.AppendUint32(offsets, uint32(len(data)))
		} else {
			for shared < len(last) && shared < len(key) && last[shared] == key[shared] {
				shared++
			}
		}
		data = binary.AppendUvarint(data, uint64(shared))
		data = binary.AppendUvarint(data, uint64(len(key)-shared))
		data = append(data, key[shared:]...)
		data = appendPosting(data, rows)
		last = key
	}
	head := binary.LittleEndian.AppendUint32(nil, uint32(len(offsets)/4))
	return append(append(head, offsets...), data...)
}

var errDict = errors.New("values")

// openDict checks all of a dictionary once, yields its values, and returns the number of blocks.
func openDict(b []byte, rows int, yield func(key []byte)) (blocks int, err error) {
	if len(b) < 4 {
		return 0, errDict
	}
	n := uint64(binary.LittleEndian.Uint32(b))
	if n > uint64(len(b)-4)/4 {
		return 0, errDict
	}
	blocks = int(n)
	offsets, data := b[4:4+4*blocks], b[4+4*blocks:]
	if blocks == 0 && len(data) > 0 {
		return 0, errDict
	}
	var last []byte
	at := 0
	for i := 0; at < len(data); i++ {
		block := i / dictBlock
		if i%dictBlock == 0 && (block >= blocks || int(binary.LittleEndian.Uint32(offsets[4*block:])) != at) {
			return 0, fmt.Errorf("%w: block %d", errDict, block)
		}
		key, p, rest, ok := readValue(last, data[at:], i%dictBlock == 0)
		if !ok || i > 0 && bytes.Compare(last, key) >= 0 {
			return 0, fmt.Errorf("%w: number %d", errDict, i)
		}
		if err := p.check(rows); err != nil {
			return 0, err
		}
		yield(key)
		last, at = key, len(data)-len(rest)
		if at == len(data) && block+1 != blocks {
			return 0, errDict
		}
	}
	return blocks, nil
}

func (d dict) blocks() int { return d.offsets.size / 4 }

func (d dict) offset(block int) int {
	return int(binary.LittleEndian.Uint32(d.r.bytes(d.offsets, 4*block, 4)))
}

// raw returns a block.
func (d dict) raw(block int) []byte {
	at, end := d.offset(block), d.data.size
	if block+1 < d.blocks() {
		end = d.offset(block + 1)
	}
	return d.r.bytes(d.data, at, end-at)
}

// readValue reads the value after last, whose memory it reuses.
func readValue(last, b []byte, first bool) (key []byte, p posting, rest []byte, ok bool) {
	shared, n := binary.Uvarint(b)
	if n <= 0 || shared > uint64(len(last)) || first && (shared != 0 || n != 1) {
		return nil, p, nil, false
	}
	b = b[n:]
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return nil, p, nil, false
	}
	if first { // not copied
		key = b[n : n+int(size) : n+int(size)]
	} else {
		key = append(last[:shared:shared], b[n:n+int(size)]...)
	}
	p, rest, ok = readPosting(b[n+int(size):])
	return key, p, rest, ok
}

// first returns the first value of a block.
func (d dict) first(block int) []byte {
	const most = 64           // bytes that most values take
	at := d.offset(block) + 1 // the first value shares no prefix
	b := d.r.bytes(d.data, at, min(most, d.data.size-at))
	size, n := binary.Uvarint(b)
	if end := n + int(size); end > len(b) {
		b = d.r.bytes(d.data, at, end)
	}
	return b[min(n, len(b)):min(n+int(size), len(b))]
}

// block returns the block that would hold a key.
func (d dict) block(key string) int {
	i := sort.Search(d.blocks(), func(i int) bool { return string(d.first(i)) > key })
	return max(i-1, 0)
}

// find returns the rows of a value.
func (d dict) find(key string) (found posting, there bool) {
	d.each(d.block(key), func(k []byte, p posting) bool {
		if string(k) == key {
			found, there = p, true
		}
		return string(k) < key
	})
	return found, there
}

// rangeOf returns the positions of the values that start with a text: from lo to before hi.
func (d dict) rangeOf(text string) (lo, hi int) {
	lo = d.place(func(k []byte) bool { return string(k) >= text })
	hi = d.place(func(k []byte) bool { return string(k) >= text && !bytes.HasPrefix(k, []byte(text)) })
	return lo, hi
}

// place returns the position of the first value for which holds is true. holds must be true for all
// later values, too.
func (d dict) place(holds func(k []byte) bool) int {
	block := max(sort.Search(d.blocks(), func(i int) bool { return holds(d.first(i)) })-1, 0)
	at := block * dictBlock
	d.each(block, func(k []byte, _ posting) bool {
		if holds(k) {
			return false
		}
		at++
		return true
	})
	return at
}

// each yields the values from a block on. A key is valid until the next one is yielded.
func (d dict) each(block int, yield func(key []byte, p posting) bool) {
	buf := make([]byte, 0, 64)
	for ; block < d.blocks(); block++ {
		rest := d.raw(block)
		if d.r.err != nil {
			return
		}
		for len(rest) > 0 {
			shared, n := binary.Uvarint(rest)
			size, m := binary.Uvarint(rest[n:])
			from := n + m
			buf = append(buf[:shared], rest[from:from+int(size)]...)
			var p posting
			p, rest, _ = readPosting(rest[from+int(size):])
			if !yield(buf, p) {
				return
			}
		}
	}
}
