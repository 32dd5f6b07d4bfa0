package canonical

import (
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf8"
)

// Reader reads canonical JSON in one pass. It takes exactly the form that Object writes, and gives
// up at the first byte of another form. Verifying a log is mostly this, so it is written for speed.
// What it gives up on is read again by the strict general parser, which says what is wrong.
type Reader struct {
	s   string // all values are parts of it, unless they have escapes
	i   int
	sep byte // what stands before the next member: '{' before the first, then ','
	bad bool
}

// NewReader returns a reader of the one object that s must be.
func NewReader(s string) Reader { return Reader{s: s, sep: '{'} }

// Member says whether the next member has that name, and moves to its value.
func (r *Reader) Member(name string) bool {
	end := r.i + len(name) + 4 // separator, quotes, colon
	if r.bad || end > len(r.s) || r.s[r.i] != r.sep || r.s[r.i+1] != '"' || r.s[r.i+2:end-2] != name ||
		r.s[end-2] != '"' ||
		r.s[end-1] != ':' {
		return false
	}
	r.i, r.sep = end, ','
	return true
}

// Optional reads the text of a member that may be absent; one that is there is not empty.
func (r *Reader) Optional(name string) string {
	if !r.Member(name) {
		return ""
	}
	v := r.Text()
	r.bad = r.bad || v == ""
	return v
}

// Text reads a string.
func (r *Reader) Text() string {
	inner, escaped := r.inner()
	if escaped {
		inner = string(r.appendUnescaped(make([]byte, 0, len(inner)), inner))
	}
	return r.valid(inner)
}

// Bytes reads a string into memory of its own.
func (r *Reader) Bytes() []byte {
	inner, escaped := r.inner()
	b := make([]byte, 0, len(inner))
	if escaped {
		return r.appendUnescaped(b, inner)
	}
	return append(b, inner...)
}

// inner takes a string and returns what stands between its quotes, and whether escapes are in it.
func (r *Reader) inner() (s string, escaped bool) {
	if r.bad || r.i >= len(r.s) || r.s[r.i] != '"' {
		r.bad = true
		return "", false
	}
	start := r.i + 1
	for i := start; i < len(r.s); {
		if len(r.s)-i >= 8 {
			mark := escapable(eight(r.s, i))
			if mark == 0 {
				i += 8
				continue
			}
			i += lowest(mark)
		}
		switch c := r.s[i]; {
		case c == '"':
			r.i = i + 1
			return r.s[start:i], escaped
		case c == '\\':
			escaped = true
			i += 2 // what the escape is, is looked at later; no other has a quote in it
		case c < 0x20:
			r.bad = true
			return "", false
		default:
			i++
		}
	}
	r.bad = true
	return "", false
}

func (r *Reader) valid(s string) string {
	r.bad = r.bad || !utf8.ValidString(s)
	return s
}

// appendUnescaped appends the characters that the inner part of a string stands for. They never
// take more room than what stands for them, so that eight bytes can be copied before it is known
// whether an escape is among them.
func (r *Reader) appendUnescaped(dst []byte, s string) []byte {
	n := len(dst)
	dst = slices.Grow(dst, len(s))[:n+len(s)]
	for i := 0; i < len(s); {
		if len(s)-i >= 8 {
			x := eight(s, i)
			binary.LittleEndian.PutUint64(dst[n:], x)
			mark := backslashes(x)
			if mark == 0 {
				i, n = i+8, n+8
				continue
			}
			plain := lowest(mark)
			i, n = i+plain, n+plain
		}
		c, length := s[i], 1
		if c == '\\' {
			if c, length = unescape(s[i:]); length == 0 {
				r.bad = true
				return dst[:n]
			}
		}
		dst[n] = c
		i, n = i+length, n+1
	}
	return dst[:n]
}

// unescape reads one escape of the canonical form, and its length: 0 for one that the form does not
// have.
func unescape(s string) (byte, int) {
	if len(s) < 2 {
		return 0, 0
	}
	switch s[1] {
	case '"', '\\':
		return s[1], 2
	case 'b':
		return '\b', 2
	case 't':
		return '\t', 2
	case 'n':
		return '\n', 2
	case 'f':
		return '\f', 2
	case 'r':
		return '\r', 2
	case 'u':
		if len(s) < 6 || s[2] != '0' || s[3] != '0' || s[4] != '0' && s[4] != '1' {
			return 0, 0
		}
		low := strings.IndexByte(LowerHex, s[5])
		c := (s[4]-'0')<<4 | byte(max(low, 0))
		if low < 0 || c == '\b' || c == '\t' || c == '\n' || c == '\f' || c == '\r' {
			return 0, 0
		}
		return c, 6
	}
	return 0, 0
}

// Uint reads an integer from 0 to 2^53−1.
func (r *Reader) Uint() uint64 {
	start, n := r.i, uint64(0)
	for r.i < len(r.s) && IsDigit(r.s[r.i]) && r.i-start < 17 {
		n = n*10 + uint64(r.s[r.i]-'0')
		r.i++
	}
	if r.i == start || n > MaxInteger || r.s[start] == '0' && r.i-start > 1 {
		r.bad = true
	}
	return n
}

// Hash reads the 64 hexadecimal digits of a SHA-256.
func (r *Reader) Hash() [32]byte {
	inner, _ := r.inner() // an escape is no hexadecimal digit
	h, ok := ParseHash(inner)
	r.bad = r.bad || !ok
	return h
}

// Required reads a number that must come next.
func (r *Reader) Required(name string) uint64 {
	if !r.Member(name) {
		r.bad = true
		return 0
	}
	return r.Uint()
}

// End takes the last brace, which must be the last byte.
func (r *Reader) End() bool {
	return !r.bad && r.sep == ',' && r.i == len(r.s)-1 && r.s[r.i] == '}'
}

// TextMap reads an object of strings that is not empty, whose names are valid and in order.
func (r *Reader) TextMap(valid func(name string) bool) map[string]string {
	m, last := make(map[string]string, 4), ""
	open := byte('{')
	for !r.bad && r.i < len(r.s) && r.s[r.i] != '}' {
		if r.s[r.i] != open {
			r.bad = true
			return nil
		}
		r.i++
		open = ','
		name := r.Text()
		if r.bad || name <= last || !valid(name) || r.i >= len(r.s) || r.s[r.i] != ':' {
			r.bad = true
			return nil
		}
		r.i++
		m[name], last = r.Text(), name
	}
	r.i++
	r.bad = r.bad || len(m) == 0 || r.i > len(r.s)
	return m
}
