package canonical

import (
	"bytes"
	"strings"
	"sync"
	"unicode/utf8"
)

// ScanLimit bounds what a Scanner looks at: members of one object, and depth. More is not wrong,
// but slower.
const ScanLimit = 64

// Scanner checks JSON strictly and in one pass (SPEC 3.2): UTF-8, no duplicate names, no lone
// surrogates. It takes the usual forms and gives up at the first thing that is unusual or wrong.
// The general parser then decides, and says what is wrong.
type Scanner struct {
	s     []byte
	i     int
	names [][]byte // of the objects that are open, innermost last
	texts arena
}

// arena makes strings out of parts of a text, many in one piece of memory: an event has a dozen.
type arena struct {
	chunk strings.Builder // never grows beyond its capacity, so that what was made of it stays
	size  int             // of a new one
}

func (a *arena) string(b []byte) string {
	if a.chunk.Cap()-a.chunk.Len() < len(b) {
		a.chunk = strings.Builder{}
		a.chunk.Grow(max(a.size, len(b)))
	}
	start := a.chunk.Len()
	a.chunk.Write(b)
	return a.chunk.String()[start:]
}

var scannerPool = sync.Pool{New: func() any { return &Scanner{names: make([][]byte, 0, 3*ScanLimit)} }}

// NewScanner returns a scanner at the beginning of raw. Free gives it back.
func NewScanner(raw []byte) *Scanner {
	f := scannerPool.Get().(*Scanner)
	f.s, f.i, f.names = raw, 0, f.names[:0]
	f.texts.size = min(len(raw), 512)
	return f
}

// Free gives the scanner back. It must not be used afterwards.
func (f *Scanner) Free() {
	f.s = nil
	f.texts = arena{}
	clear(f.names) // else they would keep the text
	scannerPool.Put(f)
}

// Space takes white space.
func (f *Scanner) Space() {
	for f.i < len(f.s) {
		switch f.s[f.i] {
		case ' ', '\t', '\n', '\r':
			f.i++
		default:
			return
		}
	}
}

// Byte takes one expected byte, after white space.
func (f *Scanner) Byte(c byte) bool {
	f.Space()
	if f.i < len(f.s) && f.s[f.i] == c {
		f.i++
		return true
	}
	return false
}

// Value checks a value with arrays and objects at most depth deep.
func (f *Scanner) Value(depth int) bool {
	f.Space()
	if f.i >= len(f.s) {
		return false
	}
	switch c := f.s[f.i]; c {
	case '"':
		_, _, ok := f.Text()
		return ok
	case '{':
		return depth > 0 && f.object(depth-1)
	case '[':
		return depth > 0 && f.array(depth-1)
	case 't':
		return f.literal("true")
	case 'f':
		return f.literal("false")
	case 'n':
		return f.literal("null")
	default:
		return f.number()
	}
}

func (f *Scanner) literal(want string) bool {
	if len(f.s)-f.i < len(want) || string(f.s[f.i:f.i+len(want)]) != want {
		return false
	}
	f.i += len(want)
	return true
}

func (f *Scanner) array(depth int) bool {
	f.i++
	if f.Byte(']') {
		return true
	}
	for {
		if !f.Value(depth) {
			return false
		}
		if f.Byte(',') {
			continue
		}
		return f.Byte(']')
	}
}

func (f *Scanner) object(depth int) bool {
	f.i++
	if f.Byte('}') {
		return true
	}
	outer := len(f.names)
	for {
		if _, ok := f.Member(outer); !ok || !f.Value(depth) {
			return false
		}
		if f.Byte(',') {
			continue
		}
		return f.Close(outer)
	}
}

// Open takes the brace that begins an object. What it returns goes to Member and Close.
func (f *Scanner) Open() (outer int, ok bool) {
	outer = len(f.names)
	return outer, f.Byte('{')
}

// Member takes a member's name, which must be another than those since Open, and its colon. Between
// members, the caller takes the comma.
func (f *Scanner) Member(outer int) (name []byte, ok bool) {
	if !f.name(outer) {
		return nil, false
	}
	return f.names[len(f.names)-1], f.Byte(':')
}

// Close takes the brace that ends the object.
func (f *Scanner) Close(outer int) bool {
	f.names = f.names[:outer]
	return f.Byte('}')
}

// Offset is the number of bytes that were taken.
func (f *Scanner) Offset() int { return f.i }

// Since returns the text from an offset on that was taken. It is a part of the whole.
func (f *Scanner) Since(start int) []byte { return f.s[start:f.i:f.i] }

// Back returns to an offset outside of all objects.
func (f *Scanner) Back(start int) { f.i, f.names = start, f.names[:0] }

// AtEnd takes white space and says whether the text ends there.
func (f *Scanner) AtEnd() bool {
	f.Space()
	return f.i == len(f.s)
}

// Expect says that about n bytes of strings will be copied.
func (f *Scanner) Expect(n int) { f.texts.size = n }

// Copy makes a string of a part of the text.
func (f *Scanner) Copy(part []byte) string { return f.texts.string(part) }

// name takes a member's name, which must be another than those since outer.
func (f *Scanner) name(outer int) bool {
	f.Space()
	name, escaped, ok := f.Text()
	if !ok || escaped || len(f.names)-outer >= ScanLimit || len(f.names) == cap(f.names) {
		return false
	}
	for _, other := range f.names[outer:] {
		if bytes.Equal(other, name) {
			return false
		}
	}
	f.names = append(f.names, name)
	return true
}

// Text takes a string; what it returns is what stands between its quotes, and whether escapes are
// in it.
func (f *Scanner) Text() (inner []byte, escaped, ok bool) {
	if f.i >= len(f.s) || f.s[f.i] != '"' {
		return nil, false, false
	}
	start, ascii := f.i+1, true
	for i := start; i < len(f.s); {
		if len(f.s)-i >= 8 {
			x := eight(f.s, i)
			mark := escapable(x) | x&highBits
			if mark == 0 {
				i += 8
				continue
			}
			i += lowest(mark)
		}
		switch c := f.s[i]; {
		case c == '"':
			f.i = i + 1
			inner = f.s[start:i]
			return inner, escaped, ascii || utf8.Valid(inner)
		case c == '\\':
			escaped = true
			if i+1 < len(f.s) && shortEscape[f.s[i+1]] {
				i += 2
				continue
			}
			n := escapeLength(f.s[i:])
			if n == 0 {
				return nil, false, false
			}
			i += n
		case c < 0x20:
			return nil, false, false
		default:
			ascii = ascii && c < utf8.RuneSelf
			i++
		}
	}
	return nil, false, false
}

// shortEscape says which characters after a backslash end the escape.
var shortEscape = [256]bool{'"': true, '\\': true, '/': true, 'b': true, 'f': true, 'n': true, 'r': true, 't': true}

// escapeLength is the length of the escape that s begins with, a surrogate pair being one; 0 if it
// is none.
func escapeLength(s []byte) int {
	if len(s) < 2 {
		return 0
	}
	switch {
	case shortEscape[s[1]]:
		return 2
	case s[1] == 'u':
		switch r := unit(s); {
		case r < 0 || 0xdc00 <= r && r <= 0xdfff:
			return 0
		case 0xd800 <= r && r <= 0xdbff:
			if low := unit(s[6:]); low < 0xdc00 || low > 0xdfff {
				return 0
			}
			return 12
		}
		return 6
	}
	return 0
}

// unit is the value of \uXXXX at the beginning of s, or −1.
func unit(s []byte) int {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return -1
	}
	n := 0
	for i := 2; i < 6; i++ {
		c := s[i]
		if 'A' <= c && c <= 'F' {
			c += 'a' - 'A'
		}
		d := HexDigits[c]
		if d > 15 {
			return -1
		}
		n = n<<4 | int(d)
	}
	return n
}

// number takes a number by the grammar of RFC 8259.
func (f *Scanner) number() bool {
	i, s := f.i, f.s
	if i < len(s) && s[i] == '-' {
		i++
	}
	begin := i
	for i < len(s) && IsDigit(s[i]) {
		i++
	}
	if i == begin || s[begin] == '0' && i > begin+1 {
		return false
	}
	if i < len(s) && s[i] == '.' {
		begin = i + 1
		for i = begin; i < len(s) && IsDigit(s[i]); {
			i++
		}
		if i == begin {
			return false
		}
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		if i++; i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		begin = i
		for i < len(s) && IsDigit(s[i]) {
			i++
		}
		if i == begin {
			return false
		}
	}
	f.i = i
	return true
}

// checkFast reports whether raw is one strict JSON value of the usual form that is not too deep. If
// it returns false, the general parser must decide.
func checkFast(raw []byte, maxDepth int) bool {
	f := NewScanner(raw)
	defer f.Free()
	return f.Value(min(maxDepth, ScanLimit)) && f.AtEnd()
}
