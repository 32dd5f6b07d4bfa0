package main

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"
)

// array reads the elements of a JSON array. The line of a problem is then the number of its
// element, from 1. Elements are found by their brackets and strings alone. So an element that is
// invalid JSON, such as one with a NaN or an additional comma, is refused alone.
func (im *importer) array(b *bufio.Reader) error {
	a := &arrayReader{in: b}
	a.take() // the bracket, which is not part of the first element's line
	a.line = a.line[:0]
	for n := 1; ; n++ {
		text, end, err := a.next()
		switch {
		case err == errImportLine:
			im.refuse(n, fmt.Sprintf("the element is longer than %d bytes", maxImportLine))
		case err == errUnclosed && a.resume():
			im.refuse(n, "its brackets or quotes do not close; reading continues at the next line that begins like it")
			continue
		case err == errUnclosed || err == io.EOF:
			if err := im.send(); err != nil { // the elements before the fault are recorded
				return err
			}
			im.refuse(n, "the array ends here without its bracket, and nothing after it was read")
			return nil
		case err != nil:
			return err
		case len(text) > 0:
			if err := im.add(text, n); err != nil {
				return err
			}
		case end == ',' || n > 1:
			im.refuse(n, "an empty element")
		}
		switch end {
		case 0:
			im.problem(n, "no comma follows this element")
		case ']':
			if err := im.send(); err != nil {
				return err
			}
			if c, err := a.space(); err != io.EOF {
				if err != nil {
					return err
				}
				im.refuse(n+1, fmt.Sprintf("something follows the array: %q", c))
			}
			return nil
		}
	}
}

// errUnclosed reports that the file, or what seems to be the array, ends inside an element.
var errUnclosed = errors.New("an element does not close")

// arrayReader reads the elements of an array.
type arrayReader struct {
	in     *bufio.Reader
	again  []byte // bytes to read again before the rest of in
	line   []byte // start of the current line, up to 256 bytes
	text   []byte // the element so far
	open   []byte // the brackets that would close it
	indent string // text before the element on its line
}

// take reads a byte and keeps track of the line.
func (a *arrayReader) take() (c byte, err error) {
	if len(a.again) > 0 {
		c, a.again = a.again[0], a.again[1:]
	} else if c, err = a.in.ReadByte(); err != nil {
		return 0, err
	}
	if c == '\n' {
		a.line = a.line[:0]
	} else if len(a.line) < 256 {
		a.line = append(a.line, c)
	}
	return c, nil
}

// space reads the first byte that is not white space.
func (a *arrayReader) space() (byte, error) {
	for {
		c, err := a.take()
		if err != nil || !isBlank(c) {
			return c, err
		}
	}
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// next reads an element, and the byte that ends it: a comma, a bracket, or 0 if anything else
// follows. With errUnclosed, text is the part of the element that was read.
func (a *arrayReader) next() (text []byte, end byte, err error) {
	a.text, a.open = a.text[:0], a.open[:0]
	c, err := a.space()
	a.indent = strings.TrimSuffix(string(a.line), string(c))
	quoted, long := false, false
	for ; err == nil; c, err = a.take() {
		if !quoted && len(a.open) == 0 && (c == ',' || c == ']') {
			return a.done(c, long)
		}
		if !long && len(a.text) == maxImportLine {
			if a.later() > 0 {
				return a.text, 0, errUnclosed
			}
			long = true
		}
		if !long {
			a.text = append(a.text, c)
		}
		switch {
		case c == '"' || quoted && c == '\n': // a string cannot contain a line break
			quoted = !quoted
		case quoted && c == '\\':
			if c, err = a.take(); err == nil && !long {
				a.text = append(a.text, c)
			}
		case quoted:
		case c == '{':
			a.open = append(a.open, '}')
		case c == '[':
			a.open = append(a.open, ']')
		case c == '}' || c == ']':
			at := bytes.LastIndexByte(a.open, c)
			if at < 0 && c == ']' {
				return a.text, 0, errUnclosed
			} else if at > 0 {
				a.open = a.open[:at] // also closes the brackets inside
			} else if at == 0 {
				end, err := a.after()
				text, _, long := a.done(end, long)
				return text, end, cmp.Or(err, long)
			}
		}
	}
	if err == io.EOF && len(a.text) > 0 {
		err = errUnclosed
	}
	return a.text, 0, err
}

// after reads the byte that follows a closed element, as next returns it.
func (a *arrayReader) after() (end byte, err error) {
	c, err := a.space()
	switch {
	case err == io.EOF: // the next call of next finds it again
		return ',', nil
	case err == nil && c != ',' && c != ']':
		a.again = append([]byte{c}, a.again...)
		a.line = bytes.TrimSuffix(a.line, []byte{c})
		return 0, nil
	}
	return c, err
}

func (a *arrayReader) done(end byte, long bool) ([]byte, byte, error) {
	if long {
		return nil, end, errImportLine
	}
	return bytes.TrimSpace(a.text), end, nil
}

// later returns the offset in the element's text of the first later line that begins like the
// element itself. It returns 0 if there is none, or if the element does not begin its line.
func (a *arrayReader) later() int {
	if strings.Trim(a.indent, " \t") != "" || len(a.text) == 0 {
		return 0
	}
	return 1 + bytes.Index(a.text, append([]byte("\n"+a.indent), a.text[0]))
}

// resume continues after an element that did not close, at the line that later finds. It returns
// false if there is none.
func (a *arrayReader) resume() bool {
	i := a.later()
	if i == 0 {
		return false
	}
	a.again, a.line = append(bytes.Clone(a.text[i:]), a.again...), a.line[:0]
	return true
}
