package redact

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// JSON redacts the strings of JSON text: values, and names of members. raw must be valid JSON
// without duplicate names. Everything else keeps its bytes: numbers, order, white space, and
// strings without a secret, with their escapes. path is the prefix of the findings' paths. If there
// are no findings, JSON returns raw itself.
func (s *Set) JSON(raw []byte, path string) ([]byte, []Finding) {
	if s.second {
		return s.json2(raw, path)
	}
	w := walker{set: s, raw: raw, path: []byte(path)}
	w.value("")
	if w.findings == nil {
		return raw, nil
	}
	out := append(w.out, raw[w.copied:]...)
	if w.keys > 0 && !distinct(out) { // a redacted name equals another name
		return strconv.AppendQuote(nil, Mark("members")), []Finding{{"members", path}}
	}
	return out, w.findings
}

type walker struct {
	set      *Set
	raw      []byte
	i        int
	out      []byte // redacted form of raw up to copied
	copied   int
	path     []byte
	keys     int // number of replaced names
	findings []Finding
}

func (w *walker) space() {
	for w.i < len(w.raw) && (w.raw[w.i] == ' ' || w.raw[w.i] == '\t' || w.raw[w.i] == '\n' || w.raw[w.i] == '\r') {
		w.i++
	}
}

// value redacts one value. kind is the kind of secret that its member's name names, or "".
func (w *walker) value(kind string) {
	w.space()
	switch w.raw[w.i] {
	case '{':
		w.object()
	case '[':
		w.array(kind)
	case '"':
		begin := w.i
		w.string()
		w.text(begin, kind)
	default:
		begin := w.i
		for w.i < len(w.raw) && strings.IndexByte(",]} \t\r\n", w.raw[w.i]) < 0 {
			w.i++
		}
		if c := w.raw[begin]; kind != "" && (c == '-' || isDigit(c)) && slices.Contains(w.set.numeric, kind) {
			w.replace(begin, w.i, []byte(Mark(kind)))
			w.found(kind)
		}
	}
}

func (w *walker) array(kind string) {
	here := len(w.path)
	w.i++
	for n := 0; ; n++ {
		if w.space(); w.raw[w.i] == ']' {
			w.i++
			return
		}
		w.path = strconv.AppendInt(append(w.path[:here], '/'), int64(n), 10)
		w.value(kind)
		w.path = w.path[:here]
		if w.space(); w.raw[w.i] == ',' {
			w.i++
		}
	}
}

func (w *walker) object() {
	here := len(w.path)
	w.i++
	for {
		if w.space(); w.raw[w.i] == '}' {
			w.i++
			return
		}
		begin := w.i
		w.string()
		name := w.name(begin, w.i)
		w.path = append(w.path[:here], '/')
		w.path = append(w.path, pointer(name)...)
		w.space()
		w.i++ // the colon
		kind := w.set.names.kind(name)
		if kind != "" {
			w.space()
			if w.raw[w.i] == '"' && string(bytes.ToLower(name)) == "pwd" && w.i+1 < len(w.raw) &&
				!secretValue(w.raw[w.i+1:], "pwd") {
				kind = ""
			}
		}
		w.value(kind)
		w.path = w.path[:here]
		if w.space(); w.raw[w.i] == ',' {
			w.i++
		}
	}
}

var escapePointer = strings.NewReplacer("~", "~0", "/", "~1")

func pointer(name []byte) []byte {
	if bytes.IndexByte(name, '~') < 0 && bytes.IndexByte(name, '/') < 0 {
		return name
	}
	return []byte(escapePointer.Replace(string(name)))
}

// string skips a string.
func (w *walker) string() {
	for w.i++; ; w.i++ {
		n := bytes.IndexByte(w.raw[w.i:], '"')
		esc := bytes.IndexByte(w.raw[w.i:w.i+n], '\\')
		if esc < 0 {
			w.i += n + 1
			return
		}
		w.i += esc + 1
	}
}

// unescaped returns the text of a quoted string.
func unescaped(quoted []byte) []byte {
	body := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(body, '\\') < 0 {
		return body
	}
	var s string
	if json.Unmarshal(quoted, &s) != nil {
		return body
	}
	return []byte(s)
}

// text redacts the string from begin to the current offset.
func (w *walker) text(begin int, kind string) {
	t := unescaped(w.raw[begin:w.i])
	if kind != "" && len(t) > 0 && !placeholder(t) {
		w.replace(begin, w.i, []byte(Mark(kind)))
		w.found(kind)
		return
	}
	out, kinds := w.set.Text(t)
	if len(kinds) > 0 {
		w.replace(begin, w.i, out)
		w.found(kinds...)
	}
}

// name redacts the name of a member, and returns the resulting name.
func (w *walker) name(begin, end int) []byte {
	t := unescaped(w.raw[begin:end])
	out, kinds := w.set.Text(t)
	if len(kinds) == 0 {
		return t
	}
	if w.keys++; w.keys > 1 {
		out = append(append(slices.Clone(out), '#'), strconv.Itoa(w.keys)...)
	}
	w.replace(begin, end, out)
	for _, k := range kinds {
		w.findings = append(w.findings, Finding{k, string(w.path) + "/" + string(pointer(out))})
	}
	return out
}

func (w *walker) found(kinds ...string) {
	for _, k := range kinds {
		w.findings = append(w.findings, Finding{k, string(w.path)})
	}
}

// replace replaces raw[begin:end] by a text as a JSON string.
func (w *walker) replace(begin, end int, text []byte) {
	w.out = append(w.out, w.raw[w.copied:begin]...)
	w.out = appendQuoted(w.out, text)
	w.copied = end
}

// appendQuoted appends a JSON string with the escapes of RFC 8785.
func appendQuoted(dst, s []byte) []byte {
	dst = append(dst, '"')
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r >= 0x20:
			dst = utf8.AppendRune(dst, r)
		default:
			if k := strings.IndexByte("\b\t\n\f\r", byte(r)); k >= 0 {
				dst = append(dst, '\\', "btnfr"[k])
			} else {
				dst = append(dst, '\\', 'u', '0', '0', "0123456789abcdef"[r>>4], "0123456789abcdef"[r&15])
			}
		}
		s = s[n:]
	}
	return append(dst, '"')
}

// distinct reports whether no object of valid JSON has a name twice.
func distinct(raw []byte) bool {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	type level struct {
		names  map[string]bool // nil for an array
		isName bool
	}
	var stack []level
	for {
		t, err := d.Token()
		if err != nil {
			return len(stack) == 0
		}
		if delim, ok := t.(json.Delim); ok && (delim == '}' || delim == ']') {
			stack = stack[:len(stack)-1]
			continue
		}
		if n := len(stack); n > 0 && stack[n-1].names != nil {
			top := &stack[n-1]
			if top.isName {
				name := t.(string)
				if top.names[name] {
					return false
				}
				top.names[name], top.isName = true, false
				continue
			}
			top.isName = true
		}
		switch t {
		case json.Delim('{'):
			stack = append(stack, level{map[string]bool{}, true})
		case json.Delim('['):
			stack = append(stack, level{})
		}
	}
}
