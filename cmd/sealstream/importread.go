package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/sealstream/sealstream/pkg/agt"
)

// maxImportLine is the longest line that is read. What is longer cannot be an event: its data may have 256 KiB.
const maxImportLine = 8 << 20

var errImportLine = fmt.Errorf("the line is longer than %d bytes", maxImportLine)

// byteOrderMark is what some editors and shells put before UTF-8.
const byteOrderMark = "\xef\xbb\xbf"

// read takes one event a line, or, if the file begins with a bracket, the elements of one array.
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

// readLine reads a line with its line feed; of one that is too long all is passed over, and it is errImportLine.
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

// array reads the elements of a JSON array; a problem's line is then the number of its element, from 1.
func (im *importer) array(r io.Reader) error {
	if _, python := im.format.(*agtFormat); python {
		b, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if v, err := agt.Parse(b); err == nil { // Python writes NaN, at which the decoder below would break off
			for i, x := range v.Items {
				if err := im.add([]byte(x.Raw()), i+1); err != nil {
					return err
				}
			}
			return im.send()
		}
		r = bytes.NewReader(b)
	}
	d := json.NewDecoder(r)
	n := 1
	_, err := d.Token()
	for ; err == nil && d.More(); n++ {
		var event json.RawMessage
		if err = d.Decode(&event); err != nil {
			break
		}
		if err := im.add(event, n); err != nil {
			return err
		}
	}
	if err == nil {
		_, err = d.Token() // the closing bracket
	}
	if err == nil {
		if _, err = d.Token(); err == io.EOF {
			return im.send()
		}
		err = errors.New("something follows the array")
	}
	if err := im.send(); err != nil { // what was good before is in
		return err
	}
	im.refuse(n, fmt.Sprintf("the array breaks off here, and nothing behind it was read: %v", err))
	return nil
}
