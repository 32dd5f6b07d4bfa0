package redact

import (
	"bytes"
	"slices"
	"strings"
)

const maxName = 64 // characters of a name that are checked

// names recognises names whose value is a secret.
type names struct {
	exact  map[string]string
	suffix []struct{ text, kind string }
	last   class // last characters of the suffixes
	not    []string
	parts  []string // a name must contain one of them as written; nil accepts any name
}

func (n *names) add(name, kind string) {
	if rest, ok := strings.CutPrefix(name, "*"); ok {
		n.suffix = append(n.suffix, struct{ text, kind string }{rest, kind})
		n.last[rest[len(rest)-1]] = true
		name = rest
	}
	if n.exact == nil {
		n.exact = map[string]string{}
	}
	if _, there := n.exact[name]; !there {
		n.exact[name] = kind
	}
}

// kind returns the kind of the secret that a name names, or "".
func (n *names) kind(name []byte) string {
	kind := n.lookUp(name)
	if kind == "" || n.parts == nil {
		return kind
	}
	low := bytes.ToLower(name)
	for _, p := range n.parts {
		if bytes.Contains(low, []byte(p)) {
			return kind
		}
	}
	return "" // May would not find it
}

func (n *names) lookUp(name []byte) string {
	if len(name) < 3 || len(name) > maxName {
		return ""
	}
	var buf [maxName]byte
	plain := buf[:0]
	for _, c := range name {
		switch {
		case c >= 'A' && c <= 'Z':
			plain = append(plain, c|0x20)
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			plain = append(plain, c)
		case c == '_' || c == '-' || c == '.' || c == ' ' || c == '$' || c == '@':
		default:
			return "" // has other characters, or a mark
		}
	}
	if kind, ok := n.exact[string(plain)]; ok {
		return kind
	}
	if len(plain) == 0 || !n.last[plain[len(plain)-1]] {
		return ""
	}
	for i := range n.suffix {
		if s := &n.suffix[i]; len(plain) > len(s.text) && string(plain[len(plain)-len(s.text):]) == s.text {
			if slices.ContainsFunc(n.not, func(not string) bool { return strings.HasSuffix(string(plain), not) }) {
				return ""
			}
			return s.kind
		}
	}
	return ""
}

// around returns the range of the whole name of which a part is from at to end.
func around(t []byte, at, end int) (from, to int) {
	for from = at; from > 0 && at-from < maxName && nameClass[t[from-1]] && !escapeEnds(t, from); from-- {
	}
	for to = end; to < len(t) && to-end < maxName && nameClass[t[to]]; to++ {
	}
	return from, to
}

var (
	valueEnd = classOf(" \t\r\n\"'<>&;\\`,)]}|")
	lineEnd  = classOf("\r\n\"'\\")
)

// assigned finds the value assigned to a name in running text: in JSON inside the text, in a query
// or a form, on a command line, in the environment, in a header, in a connection string or a
// settings file. It skips what may as well be code.
func (f *finder) assigned(from, to int, kind string) (int, int) {
	t := f.text
	if from > 0 && (t[from-1] == '"' || t[from-1] == '\'') {
		if begin, end := quoted(t, from, to); end > begin {
			return begin, end
		}
	}
	if to >= len(t) {
		return 0, 0
	}
	if t[to] == '=' && (direct(t, from, to) || f.connection()) {
		return value(t, to+1)
	}
	if t[to] == ':' &&
		(kind == "authorization" || kind == "cookie" || bytes.HasPrefix(bytes.ToLower(t[from:to]), []byte("x-")) ||
			bytes.HasPrefix(t[from:to], []byte("ce-"))) {
		return header(t, to+1)
	}
	return setting(t, from, to)
}

// quoted finds the value of "name": "value", also with the quotes escaped at any level, as in JSON
// within a JSON string. A value that is cut off extends to the end of the text.
func quoted(t []byte, from, to int) (int, int) {
	quote := t[from-1]
	i := to
	for i < len(t) && t[i] == '\\' {
		i++
	}
	if i >= len(t) || t[i] != quote {
		return 0, 0
	}
	if i = spaceClass.run(t, i+1); i >= len(t) || t[i] != ':' {
		return 0, 0
	}
	begin := spaceClass.run(t, i+1)
	i = begin
	for i < len(t) && t[i] == '\\' {
		i++
	}
	if i >= len(t) || t[i] != '"' && t[i] != '\'' {
		return 0, 0
	}
	plain := i == begin
	quote, from = t[i], i+1
	for i = from; i < len(t) && t[i] != quote; i++ {
		if t[i] == '\\' {
			if !plain {
				break
			}
			i++
		}
	}
	return worth(t, from, min(i, len(t)))
}

// worth returns the range, or 0, 0 if it only stands for a secret.
func worth(t []byte, from, to int) (int, int) {
	if from >= to || placeholder(t[from:to]) {
		return 0, 0
	}
	return from, to
}

// direct reports whether name= has the form of a shell, a URL or a form: NAME=, ?name=, --name=, or
// name= as the whole text.
func direct(t []byte, from, to int) bool {
	if from > 0 && (t[from-1] == '?' || t[from-1] == '&' || t[from-1] == '#' || t[from-1] == ';') || t[from] == '-' {
		return true
	}
	if from == 0 && !bytes.ContainsAny(t, " \t\n") {
		return true
	}
	for _, c := range t[from:to] {
		if c >= 'a' && c <= 'z' || c == '.' {
			return false
		}
	}
	return true
}

// connection reports whether a text contains connection settings in the form of libpq, ADO or ODBC.
func (f *finder) connection() bool {
	if f.known {
		return f.connects
	}
	low := bytes.ToLower(f.text)
	f.known = true
	f.connects = bytes.Contains(low, []byte("host=")) || bytes.Contains(low, []byte("server=")) ||
		bytes.Contains(low, []byte("data source=")) ||
		bytes.Contains(low, []byte("endpoint=")) ||
		bytes.Contains(low, []byte("accountname="))
	return f.connects
}

// maxLook is how many characters of a value are checked to distinguish it from code.
const maxLook = 256

func value(t []byte, i int) (int, int) {
	if i < len(t) && (t[i] == '"' || t[i] == '\'') {
		end := i + 1
		for end < len(t) && t[end] != t[i] && t[end] != '\n' {
			end++
		}
		return worth(t, i+1, end)
	}
	end := i
	for end < len(t) && !valueEnd[t[end]] {
		if end-i < maxLook && (t[end] == '(' || t[end] == '[') { // code, or a mark
			return 0, 0
		}
		end++
	}
	if end-i < 3 || t[i] == '$' || t[i] == '{' || t[i] == '%' {
		return 0, 0
	}
	return worth(t, i, end)
}

var schemes = []string{"bearer", "basic", "digest", "token", "apikey", "negotiate", "ntlm", "aws4-hmac-sha256"}

// header finds the value of a header line, if it looks like one: a scheme and credentials, one
// word, or pairs.
func header(t []byte, i int) (int, int) {
	i = spaceClass.run(t, i)
	word := i
	for word < len(t) && !lineEnd[t[word]] && t[word] != ' ' && t[word] != '[' && word-i < maxLook {
		word++
	}
	first := t[i:word]
	more := word < len(t) && t[word] == ' '
	switch {
	case more && slices.Contains(schemes, strings.ToLower(string(first))):
	case !more && len(first) >= 8 && (hasDigit(first) || bytes.IndexByte(first, '=') > 0):
	case more && bytes.IndexByte(first, '=') > 0 && first[len(first)-1] == ';':
	default:
		return 0, 0
	}
	end := word
	for end < len(t) && !lineEnd[t[end]] {
		end++
	}
	if len(bytes.TrimSpace(t[i:end])) < 8 || bytes.HasPrefix(bytes.TrimSpace(t[word:end]), []byte(open)) {
		return 0, 0
	}
	return worth(t, i, end)
}

// setting finds the value of name: value or name = value alone on a line.
func setting(t []byte, from, to int) (int, int) {
	for i := from; i > 0 && t[i-1] != '\n'; i-- {
		if !spaceClass[t[i-1]] || from-i > maxName {
			return 0, 0
		}
	}
	i := spaceClass.run(t, to)
	if i >= len(t) || t[i] != ':' && t[i] != '=' {
		return 0, 0
	}
	begin := spaceClass.run(t, i+1)
	end := begin
	for end < len(t) && !valueEnd[t[end]] && t[end] != '(' && t[end] != '[' && t[end] != '{' {
		end++
	}
	if stop := spaceClass.run(t, end); stop < len(t) && t[stop] != '\n' && t[stop] != '\r' {
		return 0, 0
	}
	v := t[begin:end]
	if len(v) < 6 || !hasDigit(v) || begin == i+1 && t[i] == ':' || bytes.IndexByte(v, '.') > 0 && len(v) < 32 {
		return 0, 0
	}
	return worth(t, begin, end)
}
