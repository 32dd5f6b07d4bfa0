package redact

import (
	"bytes"
	"slices"
	"strings"
)

// value finds a number under a quoted name, as in JSON.
func (f *finder) value(i int, kind string, quoted bool) (int, int) {
	t := f.text
	if !quoted || i >= len(t) || !isDigit(t[i]) && t[i] != '-' || !slices.Contains(f.set.numeric, kind) {
		return 0, 0
	}
	end := i + 1
	for end < len(t) &&
		(isDigit(t[end]) || t[end] == '.' || t[end] == 'e' || t[end] == 'E' || t[end] == '+' || t[end] == '-') {
		end++
	}
	if end < len(t) && isAlnum(t[end]) {
		return 0, 0
	}
	return i, end
}

// literal finds a string. For a list or an object it adds all its strings and returns an empty
// range at its end.
func (f *finder) literal(i int, kind string, quoted bool) (int, int) {
	t := f.text
	if t[i] == '[' || t[i] == '{' {
		end := f.container(i, kind)
		return end, end
	}
	q := quoteAt(t, i)
	if !quoted {
		t = t[:min(len(t), i+maxContainer)]
	}
	end := q.end(t)
	if !quoted {
		if n := bytes.IndexAny(t[q.from:end], "\r\n"); n >= 0 && !q.triple {
			return 0, 0
		}
		if !plausible(t[q.from:end]) {
			return 0, 0
		}
	}
	if kind == "password" && pathLike(t[q.from:end]) {
		return 0, 0
	}
	return worth2(t, q.from, end)
}

// pathLike reports whether a value is a path of a directory, as under pwd.
func pathLike(v []byte) bool {
	return len(v) > 1 &&
		(v[0] == '/' && bytes.IndexByte(v[1:], '/') >= 0 || v[0] == '~' && v[1] == '/' ||
			len(v) > 2 && v[1] == ':' && v[2] == '\\')
}

const maxContainer = 4096

// container adds the strings of a list or an object that starts at i, and the numbers if the kind
// is numeric. It returns the offset after it.
func (f *finder) container(i int, kind string) int {
	t := f.text
	numeric := slices.Contains(f.set.numeric, kind)
	name := ""
	depth, limit := 0, min(len(t), i+maxContainer)
	for i < limit {
		if q := quoteAt(t, i); q.ok {
			end := q.end(t)
			i = q.after(t, end)
			if next := spaces2(t, i); next < len(t) && t[next] == ':' {
				name = plainest(t[q.from:end])
				continue
			}
			if begin, end := worth2(t, q.from, end); !slices.Contains(about2, name) {
				f.add(begin, end, kind)
			}
			name = ""
			continue
		}
		switch c := t[i]; {
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			if depth--; depth == 0 {
				return i + 1
			}
		case numeric && isDigit(c) && !isAlnum(t[i-1]):
			if end := classes2["alnum"].run(t, i); digitClass.run(t, i) == end && !slices.Contains(about2, name) {
				f.add(i, end, kind)
				i = end
				continue
			}
		}
		i++
	}
	return i
}

// plainest returns the letters and digits of a name, in lower case.
func plainest(name []byte) string { return string(appendPlainest(nil, name)) }

func appendPlainest(b, name []byte) []byte {
	for _, c := range name {
		if c >= 'A' && c <= 'Z' {
			b = append(b, c|0x20)
		} else if c >= 'a' && c <= 'z' || isDigit(c) {
			b = append(b, c)
		}
	}
	return b
}

// connection2 reports whether a text contains connection settings in the form of libpq, ADO, ODBC
// or JDBC.
func (f *finder) connection2() bool {
	if !f.known {
		f.known = true
		low := lower(f.text)
		for _, part := range []string{
			"host=", "server=", "data source=", "endpoint=", "accountname=", "hostaddr=", "dsn=", "driver=", "user id=", "uid=",
			"dbname=", "initial catalog=", "jdbc:",
		} {
			f.connects = f.connects || strings.Contains(low, part)
		}
	}
	return f.connects
}

// value2 finds a value at a place where only a value can be.
func value2(t []byte, i int) (int, int) {
	if i < len(t) && t[i] == '{' { // ODBC
		if end := bytes.IndexByte(t[i:], '}'); end > 1 && end < maxLook && t[i+1] != '{' {
			return worth2(t, i+1, i+end)
		}
	}
	if q := quoteAt(t, i); q.ok {
		end := q.end(t)
		if n := bytes.IndexByte(t[q.from:end], '\n'); n >= 0 && !q.triple {
			end = q.from + n
		}
		return worth2(t, q.from, end)
	}
	end := i
	for end < len(t) && !bareEnd[t[end]] && spaceAt(t, end) == 0 {
		if end-i < maxLook && (t[end] == '(' || t[end] == '[') { // code, or a mark
			return 0, 0
		}
		end++
	}
	if end-i < 3 || t[i] == '{' || t[i] == '%' && end-i < 4 || hasAt(t, i, "%#v") {
		return 0, 0
	}
	return worth2(t, i, end)
}

func headerName(name []byte, kind string) bool {
	return kind == "authorization" || kind == "cookie" || strings.HasPrefix(lower(name), "x-") ||
		bytes.HasPrefix(name, []byte("ce-"))
}

// header2 finds the value of a header line, if it looks like one: a scheme and credentials, one
// word, or pairs.
func header2(t []byte, i int) (int, int) {
	i = spaces2(t, i)
	word := i
	for word < len(t) && !lineEnd[t[word]] && spaceAt(t, word) == 0 && t[word] != '[' && word-i < maxLook {
		word++
	}
	first := t[i:word]
	more := spaceAt(t, word) > 0
	switch {
	case more && slices.Contains(schemes, lower(first)):
	case len(first) >= 8 && hasDigit(first) && (!more || !dotted(first)),
		!more && len(first) >= 8 && bytes.IndexByte(first, '=') > 0:
		if more && bytes.IndexByte(first, '=') < 0 {
			return worth2(t, i, word)
		}
	case more && bytes.IndexByte(first, '=') > 0 && first[len(first)-1] == ';':
	default:
		return 0, 0
	}
	end := word
	if hasAt(t, spaces2(t, word), open) {
		return 0, 0
	}
	for end < len(t) && !lineEnd[t[end]] {
		end++
	}
	if len(bytes.Trim(t[i:end], " \t")) < 8 {
		return 0, 0
	}
	return worth2(t, i, end)
}

// element finds the text of an XML element.
func element(t []byte, i int) (int, int) {
	end := i
	for end < len(t) && t[end] != '<' && t[end] != '\n' && end-i < 1024 {
		end++
	}
	if end >= len(t) || t[end] != '<' || hasAt(t, i, "<!") {
		return 0, 0
	}
	return worth2(t, i, end)
}
