package agt

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Canonical returns JSON in the form that the toolkit hashes, which is that of Python's
// json.dumps(value, sort_keys=True): with ", " and ": " as separators, everything but ASCII
// escaped, and numbers as Python writes them. With a NaN the result is not valid JSON.
func Canonical(raw []byte) ([]byte, error) {
	v, err := Parse(raw)
	if err != nil {
		return nil, err
	}
	return v.Append(nil), nil
}

// Append appends the canonical form.
func (v Value) Append(dst []byte) []byte {
	switch v.Kind {
	case Bool:
		return strconv.AppendBool(dst, v.True)
	case Int:
		return append(dst, v.Text...)
	case Float:
		return appendFloat(dst, v.Number)
	case String:
		return appendString(dst, v.Text)
	case Array:
		dst = append(dst, '[')
		for i, x := range v.Items {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = x.Append(dst)
		}
		return append(dst, ']')
	case Object:
		return appendObject(dst, v.Members)
	}
	return append(dst, "null"...)
}

func appendObject(dst []byte, members []Member) []byte {
	// Python sorts by code points, and so do the bytes of WTF-8.
	byName := func(a, b Member) int { return strings.Compare(a.Name, b.Name) }
	if !slices.IsSortedFunc(members, byName) {
		members = slices.Clone(members)
		slices.SortFunc(members, byName)
	}
	dst = append(dst, '{')
	for i := range members {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(appendString(dst, members[i].Name), ": "...)
		dst = members[i].Value.Append(dst)
	}
	return append(dst, '}')
}

const hexDigits = "0123456789abcdef"

func appendUnit(dst []byte, u rune) []byte {
	return append(dst, '\\', 'u', hexDigits[u>>12&15], hexDigits[u>>8&15], hexDigits[u>>4&15], hexDigits[u&15])
}

func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		from := i
		for i < len(s) && s[i] >= 0x20 && s[i] < 0x7f && s[i] != '"' && s[i] != '\\' {
			i++
		}
		if dst = append(dst, s[from:i]...); i == len(s) {
			break
		}
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			if at := strings.IndexByte(escaped, c); at >= 0 {
				dst = append(dst, '\\', escapes[at])
			} else {
				dst = appendUnit(dst, rune(c))
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			if r, n = surrogateAt(s[i:]); n == 0 { // cannot come out of Parse: bytes that a program put in
				r, n = utf8.RuneError, 1
			}
		}
		i += n
		if r >= 0x10000 {
			r -= 0x10000
			dst = appendUnit(dst, 0xd800+r>>10)
			r = 0xdc00 + r&0x3ff
		}
		dst = appendUnit(dst, r)
	}
	return append(dst, '"')
}

// surrogateAt reads a lone surrogate of WTF-8; n 0: there is none.
func surrogateAt(s string) (r rune, n int) {
	if len(s) < 3 || s[0] != 0xed || s[1]&0xe0 != 0xa0 || s[2]&0xc0 != 0x80 {
		return 0, 0
	}
	return 0xd000 | rune(s[1]&0x3f)<<6 | rune(s[2]&0x3f), 3
}

// appendFloat writes a double as Python's repr: the shortest digits that give it again, with an
// exponent below 1e-4 and from 1e16 on.
func appendFloat(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	if size := math.Abs(f); size != 0 && (size < 1e-4 || size >= 1e16) {
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	}
	from := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	if bytes.IndexByte(dst[from:], '.') < 0 {
		dst = append(dst, ".0"...)
	}
	return dst
}
