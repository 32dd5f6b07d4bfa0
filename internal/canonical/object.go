package canonical

import (
	"encoding/hex"
	"slices"
	"strconv"
)

// LowerHex are the hexadecimal digits that all formats of the log use.
const LowerHex = "0123456789abcdef"

// AppendString appends s as a JSON string with the escapes of RFC 8785 section 3.2.2.2. s must be
// valid UTF-8.
func AppendString[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		if len(s)-i >= 8 {
			mark := escapable(eight(s, i))
			if mark == 0 {
				i += 8
				continue
			}
			i += lowest(mark)
		}
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' {
			dst = append(dst, s[start:i]...)
			dst = appendEscape(dst, c)
			start = i + 1
		}
		i++
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\t':
		return append(dst, '\\', 't')
	case '\n':
		return append(dst, '\\', 'n')
	case '\f':
		return append(dst, '\\', 'f')
	case '\r':
		return append(dst, '\\', 'r')
	}
	return append(dst, '\\', 'u', '0', '0', LowerHex[c>>4], LowerHex[c&15])
}

// Object writes the members of a JSON object one after the other. The caller keeps their order.
type Object struct {
	Dst   []byte // the text so far; a caller that has written a member's name appends its value here
	start int
}

// BeginObject opens an object at the end of dst.
func BeginObject(dst []byte) Object {
	dst = append(dst, '{')
	return Object{Dst: dst, start: len(dst)}
}

// ContinueObject writes members at the end of dst, which begins anew at length start: no comma goes
// before a member there, and no brace is written.
func ContinueObject(dst []byte, start int) Object { return Object{Dst: dst, start: start} }

// Name writes the name of a member and its colon.
func (o *Object) Name(name string) {
	if len(o.Dst) > o.start {
		o.Dst = append(o.Dst, ',')
	}
	o.Dst = append(o.Dst, '"')
	o.Dst = append(o.Dst, name...)
	o.Dst = append(o.Dst, '"', ':')
}

// Optional writes a member, or nothing if value is empty: in leaves, such a member is absent.
func (o *Object) Optional(name, value string) {
	if value != "" {
		o.Text(name, value)
	}
}

// Text writes a member even if value is empty.
func (o *Object) Text(name, value string) {
	o.Name(name)
	o.Dst = AppendString(o.Dst, value)
}

// Uint writes a member that is an integer.
func (o *Object) Uint(name string, n uint64) {
	o.Name(name)
	o.Dst = strconv.AppendUint(o.Dst, n, 10)
}

// Hex writes a member that is a string of lower-case hexadecimal digits.
func (o *Object) Hex(name string, b []byte) {
	o.Name(name)
	o.Dst = append(o.Dst, '"')
	o.Dst = hex.AppendEncode(o.Dst, b)
	o.Dst = append(o.Dst, '"')
}

// Bool writes a member that is a boolean.
func (o *Object) Bool(name string, b bool) {
	o.Name(name)
	o.Dst = strconv.AppendBool(o.Dst, b)
}

// Texts writes a member that is an array of strings.
func (o *Object) Texts(name string, list []string) {
	o.Name(name)
	o.Dst = append(o.Dst, '[')
	for i, s := range list {
		o.Dst = AppendComma(o.Dst, i)
		o.Dst = AppendString(o.Dst, s)
	}
	o.Dst = append(o.Dst, ']')
}

// AppendComma appends a comma before each element of an array but the first, element 0.
func AppendComma(dst []byte, i int) []byte {
	if i > 0 {
		return append(dst, ',')
	}
	return dst
}

// End closes the object and returns the text.
func (o *Object) End() []byte { return append(o.Dst, '}') }

// TextMap writes a member that is an object of strings, or nothing if m is empty. Its names are
// attribute names: they are ASCII, so the order of bytes is the order of UTF-16 code units.
func (o *Object) TextMap(name string, m map[string]string) {
	if len(m) == 0 {
		return
	}
	o.Name(name)
	keys := make([]string, 0, 8)
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	in := BeginObject(o.Dst)
	for _, k := range keys {
		in.Text(k, m[k])
	}
	o.Dst = in.End()
}
