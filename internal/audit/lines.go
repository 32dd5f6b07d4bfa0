package audit

import (
	"iter"
	"slices"
	"sync"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// A block ends with the line that gives it that many lines or bytes.
const (
	blockLines = 64
	blockBytes = 128 << 10
)

// Blocks gathers the lines of an export into blocks. It copies the lines, so that lines may reuse
// their memory. An error of lines comes after all lines before it.
func Blocks(lines iter.Seq2[[]byte, error]) iter.Seq2[[][]byte, error] {
	return func(yield func([][]byte, error) bool) {
		var block [][]byte
		var room []byte // of the block's lines
		for line, err := range lines {
			if err != nil {
				if len(block) == 0 || yield(block, nil) {
					yield(nil, err)
				}
				return
			}
			start := len(room)
			room = append(room, line...) // where it moves, the lines before stay where they are
			block = append(block, room[start:len(room):len(room)])
			if len(block) < blockLines && len(room) < blockBytes {
				continue
			}
			if !yield(block, nil) {
				return
			}
			size := len(room)
			block, room = make([][]byte, 0, blockLines), make([]byte, 0, size+size/8)
		}
		if len(block) > 0 {
			yield(block, nil)
		}
	}
}

// Line is a line of an export, read as far as possible without the lines before it.
type Line struct {
	text  []byte
	entry entry.Entry // as far as it could be read
	path  proof.Path
	err   error     // why the line holds no entry
	data  dataCheck // of the entry's data; valid if err is nil
}

// lineBlocks holds blocks of lines that were taken, and records a line with the memory of its data.
var (
	lineBlocks   = sync.Pool{New: func() any { return new([]Line) }}
	spareRecords = sync.Pool{New: func() any { return new(entry.Payload) }}
)

// ParseLines reads lines of an export. Errors show when the audit takes the result, which it may do
// once. ParseLines is pure and may run in parallel with that of other lines.
func ParseLines(block [][]byte) []Line {
	lines := slices.Grow((*lineBlocks.Get().(*[]Line))[:0], len(block))[:len(block)]
	size := 0
	for _, text := range block {
		size += len(text)
	}
	record := spareRecords.Get().(*entry.Payload)
	defer spareRecords.Put(record)
	read := proof.ExportLine{Leaf: make([]byte, 0, size)}
	for i, text := range block {
		l := &lines[i]
		read.Payload = record
		l.text, l.err, l.data = text, read.Check(text, &l.entry), dataCheck{}
		if l.path = read.Path; l.err == nil {
			l.data = checkRecord(&l.entry, read.Payload)
		}
	}
	return lines
}
