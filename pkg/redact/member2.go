package redact

import (
	"bytes"
	"slices"
	"strconv"
	"sync"
)

// names records a value that names what a sibling holds. If that sibling came before, names goes
// back to it and returns true.
func (w *walker2) names(f *frame, value []byte) bool {
	if f.named != "" {
		return false
	}
	if f.role&isKind != 0 && string(value) == "Secret" { // a Kubernetes Secret
		f.named = "secret"
	} else if f.role&namesSibling != 0 {
		f.named = w.set.nameKind(value)
	}
	b := f.back
	if f.named == "" || !b.ok || w.again+w.i-b.i > maxAgain*len(w.raw) {
		return false
	}
	w.again += w.i - b.i
	f.back.ok = false
	w.i, w.copied, w.keys, w.findings = b.i, b.copied, b.keys, w.findings[:b.findings]
	if w.out = w.out[:b.out]; b.findings == 0 {
		w.findings = nil
	}
	w.path = w.path[:f.path]
	f.name, f.inValue, f.pending = b.outOwn, true, f.named
	w.path = append(append(w.path, '/'), pointer(f.name)...)
	return true
}

// member handles a member's name, from begin to its quote, and what it says about the value.
func (w *walker2) member(f *frame, begin, colon int) {
	end := colon
	for w.raw[end-1] != '"' {
		end--
	}
	w.path = w.path[:f.path]
	name := w.name(begin, end)
	w.path = append(append(w.path, '/'), pointer(name)...)
	f.name, f.inValue = name, true
	f.pending = w.set.nameKind(name)
	f.role = roleOf(name)
	value := f.role&isNamed != 0
	switch {
	case f.pending != "":
	case value && f.named != "":
		f.pending = f.named
	case f.kind == "authorization":
		if value {
			f.pending = f.kind
		}
	case f.kind != "" && f.role&isAbout == 0:
		f.pending = f.kind
	}
	if value && f.pending == "" && !f.back.ok && f.named == "" && len(w.frames) <= maxBack {
		f.back = back{true, w.i, len(w.out), w.copied, w.keys, len(w.findings), slices.Clone(name)}
	}
}

// name redacts the name of a member, and returns the resulting name.
func (w *walker2) name(begin, end int) []byte {
	t := unescaped(w.raw[begin:end])
	out, kinds := w.set.text2(t, w.level+1)
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

// role is what the name of a member says about its value, or about a sibling's.
type role uint8

const (
	namesSibling role = 1 << iota
	isNamed
	isAbout
	isKind
)

var roles = sync.OnceValue(func() map[string]role {
	m := map[string]role{"kind": isKind}
	for r, list := range map[role][]string{namesSibling: pairNames2, isNamed: pairValues2, isAbout: about2} {
		for _, name := range list {
			m[name] |= r
		}
	}
	return m
})

func roleOf(name []byte) role {
	if len(name) > 24 {
		return 0
	}
	var buf [24]byte
	return roles()[string(appendPlainest(buf[:0], name))]
}

// item redacts a string of an array. It may be the value that the previous element names, as in
// ["X-Api-Key", "…"] and ["--password", "…"].
func (w *walker2) item(f *frame, begin int) {
	t := unescaped(w.raw[begin:w.i])
	kind, named := f.kind, w.set.nameKind(t)
	if kind == "" && f.prev != "" && named == "" && len(t) > 0 && t[0] != '-' &&
		(f.dash || hasDigit(t) || f.nested && f.n == 1 && w.last()) {
		kind = f.prev
	}
	f.dash = len(t) > 1 && t[0] == '-'
	if f.prev = named; !f.dash && f.n%2 == 1 {
		f.prev = ""
	}
	w.text2(begin, kind, nil)
}

// last reports whether the array ends here.
func (w *walker2) last() bool {
	i := w.i
	for i < len(w.raw) && bytes.IndexByte([]byte(" \t\r\n"), w.raw[i]) >= 0 {
		i++
	}
	return i < len(w.raw) && w.raw[i] == ']'
}

// text2 redacts the string from begin to the current offset. kind is the kind of secret that its
// member's name names, or "".
func (w *walker2) text2(begin int, kind string, name []byte) {
	t := unescaped(w.raw[begin:w.i])
	if len(t) == 0 {
		return
	}
	if kind == "" && name != nil {
		kind = w.set.issuerOf(name, t)
	}
	if kind != "" {
		if placeholder2(t) || kind == "password" && pathLike(t) && bytes.HasSuffix(bytes.ToLower(name), []byte("pwd")) {
			kind = ""
		} else {
			w.replace(begin, w.i, []byte(Mark(kind)))
			w.found(kind)
			return
		}
	}
	if out, kinds := w.set.text2(t, w.level+1); len(kinds) > 0 {
		w.replace(begin, w.i, out)
		w.found(kinds...)
	}
}
