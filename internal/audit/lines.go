package audit

import (
	"iter"
	"strings"

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
func Blocks(lines iter.Seq2[[]byte, error]) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		var block []string
		room := new(strings.Builder) // of the block's lines
		for line, err := range lines {
			if err != nil {
				if len(block) == 0 || yield(block, nil) {
					yield(nil, err)
				}
				return
			}
			start := room.Len()
			room.Write(line)
			block = append(block, room.String()[start:])
			if len(block) < blockLines && room.Len() < blockBytes {
				continue
			}
			if !yield(block, nil) {
				return
			}
			size := room.Len()
			block, room = make([]string, 0, blockLines), new(strings.Builder)
			room.Grow(size + size/8)
		}
		if len(block) > 0 {
			yield(block, nil)
		}
	}
}

// Line is a line of an export, read as far as possible without the lines before it.
type Line struct {
	text  string
	entry *entry.Entry // as far as it could be read
	path  proof.Path
	err   error     // why the line holds no entry
	data  dataCheck // of the entry's data; valid if err is nil
}

// ParseLines reads lines of an export. Errors show when the audit takes the result. ParseLines is
// pure and may run in parallel with that of other lines.
func ParseLines(block []string) []Line {
	lines, entries := make([]Line, len(block)), make([]entry.Entry, len(block))
	for i, text := range block {
		l := &lines[i]
		l.text, l.entry = text, &entries[i]
		var read proof.ExportLine
		if read, entries[i], l.err = proof.ParseExportLine(text); l.err != nil {
			continue
		}
		l.path = read.Path
		var records []entry.Payload
		if read.Payload != nil {
			records = []entry.Payload{*read.Payload}
		}
		l.data = checkRecords(entries[i:i+1], records)
	}
	return lines
}
