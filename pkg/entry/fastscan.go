package entry

import (
	"bytes"
	"strings"
	"sync"
	"unicode/utf8"
)

// The fast way through an event: one pass over its text that takes the usual form of an event, checks its data as strictly as the general
// parser does, and gives up at the first thing that is unusual or wrong. Ingest and sealer each parse every event, so this is what a log's speed
// comes down to. Whatever it gives up on is parsed again by the general parser, which decides, and says what is wrong.

// fastLimit bounds what the fast way looks at: members of one object, and depth. More is not wrong, but slower.
const fastLimit = 64

// fastScanner checks JSON strictly (SPEC 3.2): UTF-8, no duplicate names, no lone surrogates.
type fastScanner struct {
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

var fastScanners = sync.Pool{New: func() any { return &fastScanner{names: make([][]byte, 0, 3*fastLimit)} }}

func newFastScanner(raw []byte) *fastScanner {
	f := fastScanners.Get().(*fastScanner)
	f.s, f.i, f.names = raw, 0, f.names[:0]
	f.texts.size = min(len(raw), 512)
	return f
}

func (f *fastScanner) free() {
	f.s = nil
	f.texts = arena{}
	clear(f.names) // else they would keep the text
	fastScanners.Put(f)
}

func (f *fastScanner) space() {
	for f.i < len(f.s) {
		switch f.s[f.i] {
		case ' ', '\t', '\n', '\r':
			f.i++
		default:
			return
		}
	}
}

// byte takes one expected byte, after white space.
func (f *fastScanner) byte(c byte) bool {
	f.space()
	if f.i < len(f.s) && f.s[f.i] == c {
		f.i++
		return true
	}
	return false
}

// value checks a value with arrays and objects at most depth deep.
func (f *fastScanner) value(depth int) bool {
	f.space()
	if f.i >= len(f.s) {
		return false
	}
	switch c := f.s[f.i]; c {
	case '"':
		_, _, ok := f.text()
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

func (f *fastScanner) literal(want string) bool {
	if len(f.s)-f.i < len(want) || string(f.s[f.i:f.i+len(want)]) != want {
		return false
	}
	f.i += len(want)
	return true
}

func (f *fastScanner) array(depth int) bool {
	f.i++
	if f.byte(']') {
		return true
	}
	for {
		if !f.value(depth) {
			return false
		}
		if f.byte(',') {
			continue
		}
		return f.byte(']')
	}
}

func (f *fastScanner) object(depth int) bool {
	f.i++
	if f.byte('}') {
		return true
	}
	outer := len(f.names)
	for {
		if !f.name(outer) || !f.byte(':') || !f.value(depth) {
			return false
		}
		if f.byte(',') {
			continue
		}
		f.names = f.names[:outer]
		return f.byte('}')
	}
}

// name takes a member's name, which must be another than those since outer.
func (f *fastScanner) name(outer int) bool {
	f.space()
	name, escaped, ok := f.text()
	if !ok || escaped || len(f.names)-outer >= fastLimit || len(f.names) == cap(f.names) {
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

// text takes a string; what is returned is what stands between its quotes, and whether escapes are in it.
func (f *fastScanner) text() (inner []byte, escaped, ok bool) {
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

// escapeLength is the length of the escape that s begins with, a surrogate pair being one; 0 if it is none.
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

// unit is the value of \uXXXX at the begin of s, or −1.
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
		d := hexDigits[c]
		if d > 15 {
			return -1
		}
		n = n<<4 | int(d)
	}
	return n
}

// number takes a number by the grammar of RFC 8259.
func (f *fastScanner) number() bool {
	i, s := f.i, f.s
	if i < len(s) && s[i] == '-' {
		i++
	}
	begin := i
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	if i == begin || s[begin] == '0' && i > begin+1 {
		return false
	}
	if i < len(s) && s[i] == '.' {
		begin = i + 1
		for i = begin; i < len(s) && isDigit(s[i]); {
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
		for i < len(s) && isDigit(s[i]) {
			i++
		}
		if i == begin {
			return false
		}
	}
	f.i = i
	return true
}

// checkFast says that s is one strict JSON value, not too deep; false says nothing but that the general parser must look.
func checkFast(raw []byte, maxDepth int) bool {
	f := newFastScanner(raw)
	defer f.free()
	if !f.value(min(maxDepth, fastLimit)) {
		return false
	}
	f.space()
	return f.i == len(f.s)
}

// readFast reads a structured event whose attributes are plain strings and whose data, if any, is JSON; false says nothing but that the general
// parser must look. Data is a part of raw.
func (e *Event) readFast(raw []byte) bool {
	f := newFastScanner(raw)
	defer f.free()
	if !e.scan(f) {
		return false
	}
	f.space()
	return f.i == len(f.s)
}

// scan is readFast for an event that stands in a longer text.
func (e *Event) scan(f *fastScanner) bool {
	outer := len(f.names)
	if !f.byte('{') {
		return false
	}
	version, begin, end := false, 0, 0
	for {
		if !f.name(outer) || !f.byte(':') {
			return false
		}
		switch name := f.names[len(f.names)-1]; string(name) {
		case "data":
			f.space()
			begin = f.i
			if !f.value(MaxDepth) {
				return false
			}
			end = f.i
		case "data_base64":
			return false
		default:
			f.space()
			value, escaped, ok := f.text()
			if !ok || escaped || !e.take(name, f.texts.string(value)) {
				return false
			}
			version = version || string(name) == "specversion"
		}
		if !f.byte(',') {
			break
		}
	}
	f.names = f.names[:outer]
	if !f.byte('}') || !version {
		return false
	}
	if end > 0 {
		if !isJSON(e.Extensions["datacontenttype"]) {
			return false
		}
		e.Data, e.HasData, e.rawJSON = f.s[begin:end:end], true, true
	}
	return true
}

// take is set; the usual names are neither checked nor copied.
func (e *Event) take(name []byte, value string) bool {
	if known := usualName(name); known != "" {
		return checkValue(known, value) == nil && e.assign(known, value) == nil
	}
	return e.set(string(name), value) == nil
}

// usualName is a name that CloudEvents or SPEC 2 gives to an attribute, or "".
func usualName(name []byte) string {
	for _, usual := range usualNames[min(len(name), len(usualNames)-1)] {
		if string(name) == usual {
			return usual
		}
	}
	return ""
}

// usualNames are these names by their length.
var usualNames = func() (list [16][]string) {
	for _, name := range []string{"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "action", "outcome",
		"policydecision", "matchedrule", "traceid", "sessionid", "targetdid", "agentsignature", "agentseq", "agentprev", "datasalt", "traceparent"} {
		list[len(name)] = append(list[len(name)], name)
	}
	return list
}()
