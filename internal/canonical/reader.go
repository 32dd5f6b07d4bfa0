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
type Reader[T string | []byte] struct {
	s   T // of a string, all values are parts, unless they have escapes
	i   int
	sep byte // what stands before the next member: '{' before the first, then ','
	bad bool
}

// NewReader returns a reader of the one object that s must be.
func NewReader[T string | []byte](s T) Reader[T] { return Reader[T]{s: s, sep: '{'} }

// Member says whether the next member has that name, and moves to its value.
func (r *Reader[T]) Member(name string) bool {
	end := r.i + len(name) + 4 // separator, quotes, colon
	if r.bad || end > len(r.s) || r.s[r.i] != r.sep || r.s[r.i+1] != '"' ||
		string(r.s[r.i+2:end-2]) != name ||
		r.s[end-2] != '"' ||
		r.s[end-1] != ':' {
		return false
	}
	r.i, r.sep = end, ','
	return true
}

// Optional reads the text of a member that may be absent; one that is there is not empty.
func (r *Reader[T]) Optional(name string) string {
	if !r.Member(name) {
		return ""
	}
	v := r.Text()
	r.bad = r.bad || v == ""
	return v
}

// Name moves to the value of the next member, whatever it is, and returns its name. There is no
// next one after the last, nor after something that is not of the form.
func (r *Reader[T]) Name() (name T, ok bool) {
	begin := r.i + 2 // separator, quote
	if r.bad || begin >= len(r.s) || r.s[r.i] != r.sep || r.s[r.i+1] != '"' {
		return name, false
	}
	end := begin
	for end < len(r.s) && r.s[end] != '"' {
		end++
	}
	if end+1 >= len(r.s) || r.s[end+1] != ':' {
		r.bad = true
		return name, false
	}
	r.i, r.sep = end+2, ','
	return r.s[begin:end], true
}

// Skip takes a value without looking at it.
func (r *Reader[T]) Skip() {
	for depth := 0; !r.bad && r.i < len(r.s); {
		switch c := r.s[r.i]; {
		case c == '"':
			r.inner()
		case depth == 0 && (c == ',' || c == '}'):
			return
		case c == '{' || c == '[':
			depth, r.i = depth+1, r.i+1
		case c == '}' || c == ']':
			depth, r.i = depth-1, r.i+1
		default:
			r.i++
		}
	}
}

// OK reports whether all that was read so far is of the form.
func (r *Reader[T]) OK() bool { return !r.bad }

// Text reads a string.
func (r *Reader[T]) Text() string {
	begin := r.i
	inner, escaped, ascii := r.inner()
	if escaped {
		r.i = begin
		b, _ := r.AppendText(nil)
		r.bad = r.bad || !ascii && !utf8.Valid(b)
		return string(b)
	}
	text := string(inner)
	r.bad = r.bad || !ascii && !utf8.ValidString(text)
	return text
}

// AppendText reads a string and appends its characters to dst, in one pass. It also reports whether
// they are text as IsText has it. They need not be UTF-8 if they are not.
func (r *Reader[T]) AppendText(dst []byte) (_ []byte, isText bool) {
	if r.bad || r.i >= len(r.s) || r.s[r.i] != '"' {
		r.bad = true
		return dst, false
	}
	s, i, start := r.s, r.i+1, len(dst)
	// Characters never take more room than what stands for them. So eight bytes can be copied before
	// it is known whether an escape is among them.
	dst = slices.Grow(dst, len(s)-i)[:start+len(s)-i]
	n, seen, plain := start, uint64(0), true
	for i < len(s) {
		if len(s)-i >= 8 {
			x := eight(s, i)
			binary.LittleEndian.PutUint64(dst[n:], x)
			mark := escapable(x)
			seen |= x
			if mark == 0 {
				i, n = i+8, n+8
				continue
			}
			i, n = i+lowest(mark), n+lowest(mark)
		}
		for near := true; near && i < len(s); { // where an escape is, others are near
			c, length := s[i], 1
			switch {
			case c == '"':
				r.i, dst = i+1, dst[:n]
				return dst, plain && (seen&highBits == 0 || utf8.Valid(dst[start:]))
			case c == '\\' && i+1 < len(s) && shortEscapes[s[i+1]] != 0:
				c, length = shortEscapes[s[i+1]], 2
				plain = plain && c != '\b' && c != '\f'
			case c == '\\':
				c, length = longEscape(s[i:])
				plain = false
			case c < 0x20:
				length = 0
			}
			if length == 0 {
				r.bad = true
				return dst[:start], false
			}
			dst[n] = c
			i, n, seen = i+length, n+1, seen|uint64(c)
			near = length > 1 || i < len(s) && s[i] == '\\'
		}
	}
	r.bad = true
	return dst[:start], false
}

// inner takes a string and returns what stands between its quotes, and whether escapes are in it.
// If ascii is false, other characters may be in it.
func (r *Reader[T]) inner() (s T, escaped, ascii bool) {
	if r.bad || r.i >= len(r.s) || r.s[r.i] != '"' {
		r.bad = true
		return s, false, false
	}
	start, seen := r.i+1, uint64(0)
	for i := start; i < len(r.s); {
		if len(r.s)-i >= 8 {
			x := eight(r.s, i)
			mark := escapable(x)
			seen |= x // also of what follows the string: then its UTF-8 is checked for nothing
			if mark == 0 {
				i += 8
				continue
			}
			i += lowest(mark)
		}
		switch c := r.s[i]; {
		case c == '"':
			r.i = i + 1
			return r.s[start:i], escaped, seen&highBits == 0
		case c == '\\':
			escaped = true
			i += 2 // what the escape is, is looked at later; no other has a quote in it
		case c < 0x20:
			r.bad = true
			return s, false, false
		default:
			seen |= uint64(c)
			i++
		}
	}
	r.bad = true
	return s, false, false
}

// shortEscapes holds what the short escapes of the canonical form stand for.
var shortEscapes = [256]byte{
	'"': '"', '\\': '\\', 'b': '\b', 't': '\t', 'n': '\n', 'f': '\f', 'r': '\r',
}

// longEscape reads an escape of six bytes, which the canonical form has for the other controls. The
// length is 0 if it is none.
func longEscape[T string | []byte](s T) (c byte, length int) {
	if len(s) < 6 || s[1] != 'u' || s[2] != '0' || s[3] != '0' || s[4] != '0' && s[4] != '1' {
		return 0, 0
	}
	low := strings.IndexByte(LowerHex, s[5])
	c = (s[4]-'0')<<4 | byte(max(low, 0))
	if low < 0 || c == '\b' || c == '\t' || c == '\n' || c == '\f' || c == '\r' {
		return 0, 0
	}
	return c, 6
}

// Uint reads an integer from 0 to 2^53−1.
func (r *Reader[T]) Uint() uint64 {
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
func (r *Reader[T]) Hash() [32]byte {
	inner, _, _ := r.inner() // an escape is no hexadecimal digit
	h, ok := ParseHash(inner)
	r.bad = r.bad || !ok
	return h
}

// Required reads a number that must come next.
func (r *Reader[T]) Required(name string) uint64 {
	if !r.Member(name) {
		r.bad = true
		return 0
	}
	return r.Uint()
}

// End takes the last brace, which must be the last byte.
func (r *Reader[T]) End() bool {
	return !r.bad && r.sep == ',' && r.i == len(r.s)-1 && r.s[r.i] == '}'
}

// TextMap reads an object of strings that is not empty, whose names are valid and in order. If keep
// is false, it only checks the object.
func (r *Reader[T]) TextMap(valid func(name string) bool, keep bool) (m map[string]string) {
	if keep {
		m = make(map[string]string, 4)
	}
	open, last := byte('{'), ""
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
		if last = name; keep {
			m[name] = r.Text()
		} else {
			r.Text()
		}
	}
	r.i++
	r.bad = r.bad || last == "" || r.i > len(r.s)
	return m
}
