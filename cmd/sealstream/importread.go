package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
)

// maxImportLine is the longest line that is read, in bytes. A longer line cannot be an event, whose
// data is at most 256 KiB.
const maxImportLine = 8 << 20

var errImportLine = fmt.Errorf("the line is longer than %d bytes", maxImportLine)

// byteOrderMark is what some editors and shells write before UTF-8.
const byteOrderMark = "\xef\xbb\xbf"

// read reads one event per line, or the elements of one array if the file begins with a bracket.
func (im *importer) read(r io.Reader) error {
	b, line := bufio.NewReaderSize(r, 1<<20), 1
	if mark, _ := b.Peek(len(byteOrderMark)); string(mark) == byteOrderMark {
		b.Discard(len(mark))
	}
	for {
		c, err := b.Peek(1)
		if err == io.EOF {
			return im.send()
		} else if err != nil {
			return err
		}
		if !bytes.ContainsAny(c, " \t\r\n") {
			break
		}
		if c[0] == '\n' {
			line++
		}
		b.Discard(1)
	}
	if c, _ := b.Peek(1); c[0] == '[' {
		return im.array(b)
	}
	for ; ; line++ {
		text, err := readLine(b)
		if err == errImportLine {
			im.refuse(line, err.Error())
			continue
		} else if err != nil && err != io.EOF {
			return err
		}
		if text := bytes.TrimSpace(text); len(text) > 0 {
			if err := im.add(text, line); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return im.send()
		}
	}
}

// readLine reads a line with its line feed. It skips a line that is too long and returns
// errImportLine for it.
func readLine(b *bufio.Reader) (text []byte, err error) {
	for long := false; ; {
		part, err := b.ReadSlice('\n')
		if long = long || len(text)+len(part) > maxImportLine; long {
			text = nil
		} else {
			text = append(text, part...)
		}
		switch {
		case err == bufio.ErrBufferFull:
		case long && (err == nil || err == io.EOF):
			return nil, errImportLine
		default:
			return text, err
		}
	}
}
