package entry

import (
	"bytes"
	"slices"
	"strconv"
)

// The canonical form of RFC 8785, written by hand for the few shapes that leaves have: names in the order of their
// UTF-16 code units, no white space, shortest escapes. Writing it directly is both the fastest way and the one that
// keeps every byte of the format in sight.

const lowerHex = "0123456789abcdef"

// appendString writes a JSON string with the escapes of RFC 8785 section 3.2.2.2. s must be valid UTF-8.
func appendString[T string | []byte](dst []byte, s T) []byte {
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
	return append(dst, '\\', 'u', '0', '0', lowerHex[c>>4], lowerHex[c&15])
}

// AppendQuoted writes a JSON string with the escapes of RFC 8785. s must be valid UTF-8.
func AppendQuoted(dst []byte, s string) []byte { return appendString(dst, s) }

// quotedSize is how long data of text is with its quotes, or a little less: rare escapes are not counted.
func quotedSize(data []byte) int {
	return len(data) + bytes.Count(data, []byte{'"'}) + bytes.Count(data, []byte{'\\'}) + bytes.Count(data, []byte{'\n'}) + 2
}

// object writes members one after the other; the caller keeps their order.
type object struct {
	dst   []byte
	start int
}

func beginObject(dst []byte) object {
	dst = append(dst, '{')
	return object{dst: dst, start: len(dst)}
}

func (o *object) name(name string) {
	if len(o.dst) > o.start {
		o.dst = append(o.dst, ',')
	}
	o.dst = append(o.dst, '"')
	o.dst = append(o.dst, name...)
	o.dst = append(o.dst, '"', ':')
}

// str writes a member, or nothing if value is empty: in leaves, empty means absent for all members written by str.
func (o *object) str(name, value string) {
	if value != "" {
		o.text(name, value)
	}
}

// text writes a member even if value is empty.
func (o *object) text(name, value string) {
	o.name(name)
	o.dst = appendString(o.dst, value)
}

func (o *object) num(name string, n uint64) {
	o.name(name)
	o.dst = strconv.AppendUint(o.dst, n, 10)
}

func (o *object) boolean(name string, b bool) {
	o.name(name)
	o.dst = strconv.AppendBool(o.dst, b)
}

func (o *object) strings(name string, list []string) {
	o.name(name)
	o.dst = append(o.dst, '[')
	for i, s := range list {
		if i > 0 {
			o.dst = append(o.dst, ',')
		}
		o.dst = appendString(o.dst, s)
	}
	o.dst = append(o.dst, ']')
}

func (o *object) end() []byte { return append(o.dst, '}') }

// stringMap writes an object of strings, its names being attribute names (ASCII, so byte order is UTF-16 order).
func (o *object) stringMap(name string, m map[string]string) {
	if len(m) == 0 {
		return
	}
	o.name(name)
	keys := make([]string, 0, 8)
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	in := beginObject(o.dst)
	for _, k := range keys {
		in.text(k, m[k])
	}
	o.dst = in.end()
}
