package segment

import (
	"io"
	"math/bits"
	"sync/atomic"

	"github.com/minio/highwayhash"
)

// source gives the bytes of a segment.
type source interface {
	// read returns n bytes from an offset on. Both are within the segment. The caller must not change
	// them.
	read(at, n int) ([]byte, error)
}

type inMemory []byte

func (m inMemory) read(at, n int) ([]byte, error) { return m[at : at+n : at+n], nil }

// blockBytes is how much of a segment's file is read and checked at a time.
const blockBytes = 4 << 10

// Blocks caches blocks of segments' files that were read and checked. Each block has one place in
// it, so that it never holds more than it may. It is safe for concurrent use.
type Blocks struct {
	key    Key // of the checksums; of this process alone
	opened atomic.Uint64
	places []atomic.Pointer[block]
}

// block is a block that was read. It is never changed.
type block struct {
	file   uint64
	number int
	data   []byte
}

// NewBlocks makes a cache of about so many bytes.
func NewBlocks(bytes int, key Key) *Blocks {
	places := max(bytes/(blockBytes+64), 1)
	return &Blocks{key: key, places: make([]atomic.Pointer[block], 1<<(bits.Len(uint(places))-1))}
}

// inFile reads a segment from its file. A checksum of each block, which was made when the whole
// segment was checked, is compared with every read. So what was checked once stays as it was, or is
// refused: whoever changes or cuts the file meanwhile causes an error, and no wrong result.
type inFile struct {
	file   io.ReaderAt
	number uint64 // of the file, in blocks
	size   int
	sums   []uint64
	blocks *Blocks
}

func newInFile(data []byte, file io.ReaderAt, blocks *Blocks) *inFile {
	f := &inFile{file: file, number: blocks.opened.Add(1), size: len(data), blocks: blocks}
	for len(data) > 0 {
		n := min(len(data), blockBytes)
		f.sums = append(f.sums, highwayhash.Sum64(data[:n], blocks.key[:]))
		data = data[n:]
	}
	return f
}

func (f *inFile) read(at, n int) ([]byte, error) {
	first, last := at/blockBytes, (at+n-1)/blockBytes
	if first >= last {
		b, err := f.block(first)
		if err != nil {
			return nil, err
		}
		at %= blockBytes
		return b[at : at+n : at+n], nil
	}
	all := make([]byte, 0, n)
	for i := first; i <= last; i++ {
		b, err := f.block(i)
		if err != nil {
			return nil, err
		}
		from := max(at-i*blockBytes, 0)
		all = append(all, b[from:min(at+n-i*blockBytes, len(b))]...)
	}
	return all, nil
}

// block returns a block that has its checksum.
func (f *inFile) block(i int) ([]byte, error) {
	place := &f.blocks.places[int(hash64(f.number<<32|uint64(i))&uint64(len(f.blocks.places)-1))]
	if b := place.Load(); b != nil && b.file == f.number && b.number == i {
		return b.data, nil
	}
	data := make([]byte, min(blockBytes, f.size-i*blockBytes))
	if err := readAt(f.file, data, int64(i)*blockBytes); err != nil {
		return nil, err
	}
	if highwayhash.Sum64(data, f.blocks.key[:]) != f.sums[i] {
		return nil, damaged("block %d was changed", i)
	}
	place.Store(&block{f.number, i, data})
	return data, nil
}

// hash64 spreads numbers.
func hash64(n uint64) uint64 {
	n = (n ^ n>>31) * 0x9e3779b97f4a7c15
	return n ^ n>>29
}

// span is a range of bytes of a segment.
type span struct{ at, size int }

// sub returns a part of a span.
func (s span) sub(at, size int) span { return span{s.at + at, size} }

// reading is one operation on a segment. Its first error stays. After that it reads zeros, and the
// result of the operation does not count.
type reading struct {
	*Segment
	err error
}

// bytes returns n bytes of a span from an offset on, or nothing if they are not within it.
func (r *reading) bytes(s span, at, n int) []byte {
	if n <= 0 || at < 0 || at+n > s.size {
		if n != 0 && r.err == nil {
			r.err = damaged("%d bytes at %d of %d", n, at, s.size)
		}
		return nil
	}
	if r.err == nil {
		var b []byte
		if b, r.err = r.from.read(s.at+at, n); r.err == nil {
			return b
		}
	}
	return make([]byte, n)
}
