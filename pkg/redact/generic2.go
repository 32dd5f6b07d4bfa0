package redact

import (
	"bytes"
	"slices"
	"strings"
)

// generic are words that make a name suspicious wherever they are in it. The value of such a name
// is a secret only if it looks random.
var generic = map[string]string{"pass": "password", "secret": "secret", "token": "token", "credential": "credential"}

// notGeneric are parts of names that contain such a word but hold no secret.
var notGeneric = []string{
	"page",
	"next",
	"count",
	"hash",
	"sha",
	"md5",
	"fingerprint",
	"digest",
	"checksum",
	"name",
	"type",
	"path",
	"file",
	"url",
	"uri",
	"cursor",
	"sync",
	"continuation",
	"etag",
	"limit",
	"length",
	"size",
	"max",
	"id",
}

func suspicious(name []byte) bool {
	low := lower(name)
	return !slices.ContainsFunc(notGeneric, func(not string) bool { return strings.Contains(low, not) })
}

// mayGeneric reports whether generic may find something after a word, in text with the escapes of
// JSON.
func mayGeneric(raw []byte, i int) bool {
	for end := min(len(raw), i+96); i < end; i++ {
		stop := classes2["dotted"].run(raw[:min(len(raw), i+160)], i)
		if v := raw[i:stop]; len(v) >= 8 && bytes.ContainsAny(v, "abcdefghijklmnopqrstuvwxyz") &&
			bytes.ContainsAny(v, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
			return true
		}
		i = max(i, stop)
	}
	return false
}

// generic finds a value of 10 to 150 characters that looks random, after a name and an operator.
func (f *finder) generic(i int, pass bool) (int, int) {
	t := f.text
	end := min(len(t), i+20)
	for i < end && issuerName[t[i]] {
		i++
	}
	for n := 0; n < 4 && i < len(t) && issuerGap[t[i]]; n++ {
		i++
	}
	op := i
	for i-op < 4 && i < len(t) && issuerOp[t[i]] {
		i++
	}
	if i == op {
		return 0, 0
	}
	comma := t[op] == ','
	for n := 0; n < 6 && i < len(t) && issuerLead[t[i]]; n++ {
		i++
	}
	end = classes2["dotted"].run(t[:min(len(t), i+151)], i)
	if comma && t[i-1] != '"' && t[i-1] != '\'' {
		return 0, 0
	}
	least := 10
	if pass && t[i-1] == '"' {
		least = 8
	}
	if v := t[i:end]; len(v) < least || len(v) > 150 || !shuffled(v, least) ||
		end < len(t) && (t[end] == '(' || t[end] == '[') {
		return 0, 0
	}
	return i, end
}

// shuffled reports whether a value mixes lower case, upper case and digits as no identifier does.
func shuffled(v []byte, least int) bool {
	small, capital, digits, groups, changes := 0, 0, 0, 0, 0
	for i, c := range v {
		if i > 0 && isLetter(c) && isLetter(v[i-1]) && (c^v[i-1])&0x20 != 0 {
			changes++
		}
		switch {
		case c >= 'a' && c <= 'z':
			small++
		case c >= 'A' && c <= 'Z':
			capital++
		case isDigit(c):
			if digits++; i == 0 || !isDigit(v[i-1]) {
				groups++
			}
		}
	}
	return least < 10 && small > 0 && capital > 0 && (groups > 0 || 5*changes >= 2*len(v)) ||
		small > 1 && capital > 1 && (groups > 1 || groups > 0 && 5*changes >= 2*len(v))
}

// kubernetes adds the values of a Kubernetes Secret in YAML: the entries of data, before or after
// the kind. at is the offset of the word Secret.
func (f *finder) kubernetes(at int) {
	t := f.text
	i := at
	for i > 0 && at-i < 16 && (t[i-1] == '"' || t[i-1] == '\'' || spaceBefore(t, i) == 1) {
		i--
	}
	if i < 5 || lower(t[i-5:i]) != "kind:" || f.secrets {
		return
	}
	f.secrets = true
	low := lower(t)
	for i := 0; ; {
		n := strings.Index(low[i:], "data:")
		if n < 0 {
			return
		}
		i += n + len("data:")
		for stop := min(len(t), i+maxGap); i < stop; i++ { // skips what may precede the first entry
			if next := f.entries(i); next > i+1 {
				i = next
				break
			}
		}
	}
}

const maxGap = 128

// entries adds the values of the lines "name: value" from i on, and returns their end.
func (f *finder) entries(i int) int {
	t := f.text
	for {
		name := i
		for name < len(t) && (textEnds[t[name]] || t[name] == '<' || spaceAt(t, name) == 1) {
			name++
		}
		colon := nameClass.run(t, name)
		if name == i || colon == name || colon >= len(t) || t[colon] != ':' {
			return i
		}
		from := colon + 1
		for from < len(t) &&
			(bytes.IndexByte([]byte("|>-+\"'"), t[from]) >= 0 || textEnds[t[from]] || spaceAt(t, from) == 1) {
			from++
		}
		end := classes2["base64"].run(t, from)
		if end < len(t) && t[end] == ':' || end-from < 4 {
			return i
		}
		f.add(from, end, "secret")
		if i = end; i < len(t) && (t[i] == '"' || t[i] == '\'') {
			i++
		}
	}
}
