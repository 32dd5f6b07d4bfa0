package redact

import (
	"bytes"
	"slices"
	"strconv"
)

const (
	maxNested = 3  // nesting of strings that contain JSON
	maxBack   = 64 // depth up to which the walker goes back to a value that precedes its name
	maxAgain  = 4  // limit of what is walked again, in lengths of the text
)

// json2 redacts valid JSON by set 2.
func (s *Set) json2(raw []byte, path string) ([]byte, []Finding) {
	w := walker2{walker: walker{set: s, raw: raw, path: []byte(path)}}
	w.walk()
	if w.findings == nil {
		return raw, nil
	}
	out := append(w.out, raw[w.copied:]...)
	if w.keys > 0 && !distinct(out) {
		return strconv.AppendQuote(nil, Mark("members")), []Finding{{"members", path}}
	}
	return out, w.findings
}

// text2 redacts a text by set 2. A text that starts like JSON is also read as JSON, whether it is
// valid or not.
func (s *Set) text2(t []byte, level int) ([]byte, []string) {
	if level > maxNested || !likeJSON(t) {
		return s.plain(t)
	}
	var kinds []string
	for range maxRounds + 1 {
		w := walker2{walker: walker{set: s, raw: t}, level: level}
		w.walk()
		more := len(w.findings)
		if more > 0 {
			t = append(w.out, t[w.copied:]...)
			for _, f := range w.findings {
				kinds = append(kinds, f.Kind)
			}
		}
		out, found := s.plain(t)
		if t, kinds = out, append(kinds, found...); more+len(found) == 0 {
			return t, kinds
		}
	}
	return []byte(Mark(kinds[0])), kinds
}

// likeJSON reports whether a text starts like an object or an array.
func likeJSON(t []byte) bool {
	if len(t) == 0 || isAlnum(t[0]) {
		return false
	}
	t = bytes.TrimLeft(bytes.TrimPrefix(t, []byte("\ufeff")), " \t\r\n")
	return len(t) > 1 && (t[0] == '{' || t[0] == '[')
}

// walker2 walks over JSON text token by token, at any depth, and tolerates invalid JSON.
type walker2 struct {
	walker
	level  int
	few    [6]frame
	frames []frame
	again  int // characters that were walked again
}

// frame is an open object or array.
type frame struct {
	array   bool
	kind    string // kind of secret that everything in it is
	path    int    // length of the path before that of its elements
	n       int    // number of elements before the current one
	inValue bool   // after a colon
	name    []byte // name of the member
	role    role   // role of its name
	pending string // kind of secret that the member's value is
	nested  bool   // it is an element of an array
	prev    string // kind of secret that the previous element names
	dash    bool   // the previous element is a command-line option
	named   string // kind of secret that a member such as "name" gives to one such as "value"
	back    back
}

// back is the state before the value of a member such as "value", kept until the member that names
// it is read.
type back struct {
	ok                             bool
	i, out, copied, keys, findings int
	outOwn                         []byte
}

func (w *walker2) top() *frame {
	if len(w.frames) == 0 {
		return nil
	}
	return &w.frames[len(w.frames)-1]
}

func (w *walker2) walk() {
	for w.i < len(w.raw) {
		switch c := w.raw[w.i]; c {
		case ' ', '\t', '\r', '\n':
			w.i++
		case '{', '[':
			w.open(c == '[')
		case '}', ']':
			w.close()
		case ',':
			w.next()
		case ':':
			if f := w.top(); f != nil && !f.array {
				f.inValue = true
			}
			w.i++
		case '"':
			w.str()
		default:
			w.atom()
		}
	}
}

// open enters an object or an array. Everything in it is a secret if its member's name says so.
func (w *walker2) open(array bool) {
	f := frame{array: array}
	if up := w.top(); up != nil {
		w.element()
		f.nested = up.array
		f.kind = up.pending
		if up.array {
			f.kind, up.prev = up.kind, ""
		}
	}
	f.path = len(w.path)
	if w.frames == nil {
		w.frames = w.few[:0]
	}
	w.frames = append(w.frames, f)
	w.i++
}

func (w *walker2) close() {
	w.i++
	if len(w.frames) > 0 {
		w.path = w.path[:w.frames[len(w.frames)-1].path]
		w.frames = w.frames[:len(w.frames)-1]
	}
}

func (w *walker2) next() {
	w.i++
	if f := w.top(); f != nil {
		w.path = w.path[:f.path]
		f.n++
		f.inValue, f.pending, f.name = false, "", nil
	}
}

// element adds an element's index to the path.
func (w *walker2) element() {
	if f := w.top(); f != nil && f.array {
		w.path = strconv.AppendInt(append(w.path[:f.path], '/'), int64(f.n), 10)
	}
}

func (w *walker2) atom() {
	begin := w.i
	for w.i++; w.i < len(w.raw) && bytes.IndexByte([]byte("{}[],:\" \t\r\n"), w.raw[w.i]) < 0; w.i++ {
	}
	if c := w.raw[begin]; c != '-' && !isDigit(c) {
		return
	}
	w.element()
	kind := ""
	if f := w.top(); f != nil {
		if kind = f.pending; f.array {
			kind, f.prev = f.kind, ""
		}
	}
	text := w.raw[begin:w.i]
	if kind == "" || !slices.Contains(w.set.numeric, kind) {
		f := finder{set: w.set, text: text}
		if len(text) < 13 || len(text) > 19 || !w.set.builtIn {
			return
		}
		if f.cards(); len(f.spans) != 1 || f.spans[0].to-f.spans[0].from != len(text) {
			return
		}
		kind = "card"
	}
	w.replace(begin, w.i, []byte(Mark(kind)))
	w.found(kind)
}

// skip skips a string, and reports whether it is closed.
func (w *walker2) skip() bool {
	for w.i++; w.i < len(w.raw); {
		rest := w.raw[w.i:]
		n := bytes.IndexByte(rest, '"')
		if n < 0 {
			break
		}
		escape := bytes.IndexByte(rest[:n], '\\')
		if escape < 0 {
			w.i += n + 1
			return true
		}
		w.i += escape + 2
	}
	w.i = len(w.raw)
	return false
}

func (w *walker2) str() {
	begin := w.i
	if !w.skip() {
		return
	}
	f := w.top()
	if f == nil {
		w.text2(begin, "", nil)
		return
	}
	if f.array {
		w.element()
		w.item(f, begin)
		return
	}
	if !f.inValue {
		i := w.i
		for i < len(w.raw) && bytes.IndexByte([]byte(" \t\r\n"), w.raw[i]) >= 0 {
			i++
		}
		if i < len(w.raw) && w.raw[i] == ':' {
			w.i = i + 1
			w.member(f, begin, i)
			return
		}
	}
	value := unescaped(w.raw[begin:w.i])
	kind := f.pending
	if kind == "" && w.names(f, value) {
		return
	}
	w.text2(begin, kind, f.name)
}
