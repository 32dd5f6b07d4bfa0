package redact

import (
	"bytes"
	"slices"
	"strings"
)

// weak reports whether a shape's start is too unspecific to follow a letter: "sk-" also ends
// "task-".
func weak(start string) bool {
	return len(start) < 4 || !strings.ContainsAny(start, "_-.~:/=")
}

// begins2 reports whether a secret of set 2 may start at i.
func begins2(t []byte, i int, strict bool) bool {
	if i == 0 || escapeEnds(t, i) {
		return true
	}
	c := t[i-1]
	return !isLetter(c) && !(strict && (isDigit(c) || c == '+' || c == '/'))
}

// may reports whether a shape may match at its start, in text with the escapes of JSON.
func (s *shape2) may(t []byte, at int) bool {
	switch s.match {
	case "url":
		return mayURL2(t, at)
	case "bearer", "basic":
		end := at + len(s.start)
		return begins2(t, at, false) && (end >= len(t) || !isAlnum(t[end]))
	case "":
		return !(s.strict || weak(s.start)) || begins2(t, at, s.strict)
	}
	return true
}

// mayURL2 reports whether matchURL2 may find something once the escapes of JSON are resolved.
func mayURL2(t []byte, at int) bool {
	rest := t[at+len("://"):]
	for _, c := range rest[:min(len(rest), maxLook)] {
		switch c {
		case '@':
			return true
		case ' ', '"':
			return false
		}
	}
	return len(rest) > maxLook
}

// match2 returns the range that a shape of set 2 matches at its start.
func (f *finder) match2(s *compiled2, at int) (from, to int) {
	t := f.text
	if s.match != "" {
		return matchers2[s.match](f, at)
	}
	if (s.strict || weak(s.start)) && !begins2(t, at, s.strict) {
		return 0, 0
	}
	end := s.parts.match(t, at+len(s.start), s.fold)
	if end < 0 {
		return 0, 0
	}
	for end < len(t) && wordClass[t[end]] { // further characters belong to the secret, too
		if s.strict {
			return 0, 0
		}
		end++
	}
	for t[end-1] == '.' {
		end--
	}
	return at, end
}

// matchers2 match forms of set 2 that are more than a start and a form.
var matchers2 map[string]func(f *finder, at int) (from, to int)

func init() {
	matchers2 = map[string]func(f *finder, at int) (from, to int){
		"pem":         matchPEM2,
		"jwt":         matchJWT2,
		"jwtpair":     matchJWTPair,
		"bearer":      matchBearer2,
		"basic":       matchBasic2,
		"url":         matchURL2,
		"webhook":     matchWebhook2,
		"sendgrid":    matchSendGrid2,
		"notekey":     func(f *finder, at int) (int, int) { return matchNoteKey(f.text, at) },
		"rest":        matchRest,
		"telegram":    matchTelegram,
		"atlas":       matchAtlas,
		"onepassword": matchOnePassword,
		"azure":       matchAzure,
		"sas":         matchSAS,
		"authress":    matchAuthress,
		"maxmind":     matchMaxMind,
		"curl":        matchCurl,
		"mysql":       matchMySQL,
		"oracle":      matchOracle,
		"identified":  matchIdentified,
	}
}

// back returns the start of the run of the class' characters that ends before i. It checks at most
// that many characters.
func (c *class) back(t []byte, i, most int) int {
	from := i
	for from > 0 && i-from < most && c[t[from-1]] {
		from--
	}
	return from
}

// worth2 returns the range, or 0, 0 if it only stands for a secret.
func worth2(t []byte, from, to int) (int, int) {
	if from >= to || placeholder2(t[from:to]) ||
		to-from <= 3 && !bytes.ContainsFunc(t[from:to], func(r rune) bool { return r >= 0x80 || isAlnum(byte(r)) }) {
		return 0, 0
	}
	return from, to
}

// placeholder2 reports whether a value only stands for a secret: it is masked already, or names a
// variable.
func placeholder2(v []byte) bool {
	if placeholder(v) || len(v) > 2 && len(bytes.Trim(v, "xX.*-_#")) == 0 {
		return true
	}
	n := len(v)
	if space := bytes.IndexByte(v, ' '); space > 0 && slices.Contains(schemes, lower(v[:space])) {
		rest := bytes.TrimLeft(v[space:], " ")
		return len(rest) == 0 || rest[0] == '<' || rest[0] == '{' || rest[0] == '$' || bytes.HasPrefix(rest, []byte("%s"))
	}
	switch {
	case v[0] == '<' && v[n-1] == '>',
		v[0] == '[' && v[n-1] == ']',
		n > 2 && v[0] == '%' && v[n-1] == '%',
		bytes.HasPrefix(v, []byte("<%")),
		bytes.HasPrefix(v, []byte("[REDACTED")):
		return true
	case v[0] == '$' && n > 1 && (isLetter(v[1]) || v[1] == '_'):
		for _, c := range v[1:] {
			if !(c >= 'A' && c <= 'Z') && !isDigit(c) && c != '_' {
				return false
			}
		}
		return true
	}
	return false
}
