package segment

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"sort"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Rows is an open file of rows. It is safe for concurrent use.
type Rows struct {
	file  io.ReaderAt
	side  int64 // bytes
	table []byte
	end   uint64 // offset behind the last frame
}

// OpenRows opens a file of rows of size bytes, and checks its table. An error that wraps ErrDamaged
// says that it is no complete one; others are of reading.
func OpenRows(file io.ReaderAt, size int64) (*Rows, error) {
	head, trailer := make([]byte, len(rowsMagic)), make([]byte, trailerSize)
	if size < int64(len(head)+len(trailer)) {
		return nil, damaged("%d bytes are no file of rows", size)
	}
	if err := readAt(file, head, 0); err != nil {
		return nil, err
	}
	if err := readAt(file, trailer, size-trailerSize); err != nil {
		return nil, err
	}
	side, frames := binary.LittleEndian.Uint64(trailer), binary.LittleEndian.Uint64(trailer[8:])
	room := uint64(size) - uint64(len(head)+len(trailer))
	if string(head) != rowsMagic || frames > MaxRows || side > room || frames*tableEntry > room-side {
		return nil, damaged("no file of rows")
	}
	r := &Rows{file: file, side: int64(side), table: make([]byte, frames*tableEntry)}
	r.end = uint64(size) - trailerSize - uint64(len(r.table)) - side
	if err := readAt(file, r.table, int64(r.end+side)); err != nil {
		return nil, err
	}
	if sum := tableSum(r.table, trailer[:16]); string(sum[:]) != string(trailer[16:]) {
		return nil, damaged("the checksum of its table does not match")
	}
	return r, r.check()
}

// check checks that the frames ascend, follow each other up to the side, and need no more memory
// than frames do.
func (r *Rows) check() error {
	next, at := 0, uint64(len(rowsMagic))
	for i := range r.frames() {
		first, raw, offset := r.frame(i)
		end := r.frameEnd(i)
		if first < next || first >= MaxRows || raw > maxFrame || offset != at || end <= offset || end > r.end ||
			end-offset > uint64(raw+raw/8+1024) {
			return damaged("frame %d", i)
		}
		next, at = first+1, end
	}
	if at != r.end {
		return damaged("%d bytes between frames and side", r.end-at)
	}
	return nil
}

// frameEnd returns the offset behind a frame.
func (r *Rows) frameEnd(i int) uint64 {
	if i+1 < r.frames() {
		_, _, at := r.frame(i + 1)
		return at
	}
	return r.end
}

// Frame returns the number of the frame that a row would be in, or −1, and its bytes in memory.
func (r *Rows) Frame(row int) (number, bytes int) {
	at := r.frameOf(row)
	if at < 0 {
		return -1, 0
	}
	_, raw, _ := r.frame(at)
	return at, raw
}

func (r *Rows) frameOf(row int) int {
	return sort.Search(r.frames(), func(i int) bool { first, _, _ := r.frame(i); return first > row }) - 1
}

func (r *Rows) frames() int { return len(r.table) / tableEntry }

// frame returns the first row of a frame, its bytes before compression and its offset.
func (r *Rows) frame(i int) (first, raw int, at uint64) {
	b := r.table[i*tableEntry:]
	return int(binary.LittleEndian.Uint32(b)), int(binary.LittleEndian.Uint32(b[4:])), binary.LittleEndian.Uint64(b[8:])
}

// Side reads what the caller keeps beside the rows, from an offset on.
func (r *Rows) Side(b []byte, at int) error {
	if at < 0 || int64(at)+int64(len(b)) > r.side {
		return damaged("%d bytes at %d of a side of %d", len(b), at, r.side)
	}
	return readAt(r.file, b, int64(r.end)+int64(at))
}

// readAt reads all of b. A file that ends before is damaged: it was longer when it was opened.
func readAt(file io.ReaderAt, b []byte, at int64) error {
	n, err := file.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return damaged("it was cut")
	}
	return err
}

// SideBytes returns the size of the side.
func (r *Rows) SideBytes() int { return int(r.side) }

// Cursor reads rows one after the other. It keeps the frame of the last row, so that rows that
// follow each other are decoded once. It is not safe for concurrent use.
type Cursor struct {
	rows  *Rows
	frame int // −1: none
	raw   []byte
	last  int    // the row that was asked for last
	rest  []byte // of raw, from that row on
	reuse bool
}

// Cursor returns a new cursor.
func (r *Rows) Cursor() *Cursor { return &Cursor{rows: r, frame: -1} }

// Reuse makes the cursor decode each frame into the memory of the last one. From then on a row is
// valid until the next one is read.
func (c *Cursor) Reuse() { c.reuse = true }

// Row returns the byte string of a row, or nil if the row has none. The caller must not change it.
// An error that wraps ErrDamaged says that the file was changed.
func (c *Cursor) Row(row int) ([]byte, error) {
	at := c.rows.frameOf(row)
	if at < 0 {
		return nil, nil
	}
	if at != c.frame {
		var room []byte
		if c.reuse {
			room = c.raw[:0]
		}
		c.frame = -1 // its memory is written over
		raw, err := c.rows.unpack(at, room)
		if err != nil {
			return nil, err
		}
		c.frame, c.raw, c.rest = at, raw, raw
	} else if row < c.last {
		c.rest = c.raw
	}
	for c.last = row; len(c.rest) > 0; {
		n, b, after, err := cutRow(c.rest)
		if err != nil || n == row {
			return b, err
		}
		if n > row {
			break
		}
		c.rest = after
	}
	return nil, nil
}

// cutRow reads the first row of a frame. The byte string of a row is never nil.
func cutRow(raw []byte) (row int, b, rest []byte, err error) {
	if len(raw) < rowHead {
		return 0, nil, nil, damaged("a row of %d bytes", len(raw))
	}
	row, size := int(binary.LittleEndian.Uint32(raw)), int(binary.LittleEndian.Uint32(raw[4:]))
	if raw = raw[rowHead:]; size > len(raw) {
		return 0, nil, nil, damaged("a row of %d bytes in %d", size, len(raw))
	}
	return row, raw[:size:size], raw[size:], nil
}

// Each yields the rows that have a byte string, ascending, and stops after the first error.
func (r *Rows) Each(yield func(row int, b []byte) error) error {
	for i := range r.frames() {
		raw, err := r.unpack(i, nil)
		if err != nil {
			return err
		}
		for len(raw) > 0 {
			var row int
			var b []byte
			if row, b, raw, err = cutRow(raw); err == nil {
				err = yield(row, b)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// unpack reads and decodes a frame, into room if that is large enough.
func (r *Rows) unpack(i int, room []byte) ([]byte, error) {
	_, size, at := r.frame(i)
	packed := packedFrames.Get().(*[]byte)
	defer func() {
		if cap(*packed) <= maxSpare {
			packedFrames.Put(packed)
		}
	}()
	*packed = slices.Grow((*packed)[:0], int(r.frameEnd(i)-at))[:r.frameEnd(i)-at]
	if err := readAt(r.file, *packed, int64(at)); err != nil {
		return nil, err
	}
	raw, err := decoder().DecodeAll(*packed, slices.Grow(room, size))
	if err != nil || len(raw) != size {
		return nil, damaged("frame %d: %v", i, err)
	}
	return raw, nil
}

// packedFrames are buffers for frames until they are decoded, of at most maxSpare bytes.
var packedFrames = sync.Pool{New: func() any { return new([]byte) }}

const maxSpare = 64 << 10

// decoder decodes the frames of all files, as many at a time as there are processors.
var decoder = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxFrame))
	if err != nil {
		panic(err) // the options are constant
	}
	return d
})
