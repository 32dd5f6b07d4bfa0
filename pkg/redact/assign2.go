package redact

import (
	"bytes"
	"slices"
	"strings"
)

var (
	bareEnd  = classOf(" \t\r\n\"'<>&;\\`,)]}|")
	symbols  = classOf("!@#$%^*+/=~?-")
	textEnds = classOf("\r\n")
)

// assigned2 finds the value that is assigned to a name in running text: in JSON and programming
// languages, in a query, a form or a header, on a command line, in the environment, in XML, SQL, a
// connection string or a settings file, with list marks, quotes and comments around it. It skips
// what may as well be code or a sentence.
func (f *finder) assigned2(from, to int, kind string) (int, int) {
	if hasAt(f.text, from-len(open), open) { // inside a mark
		return 0, 0
	}
	begin, end := f.given(from, to, kind)
	if end > begin {
		v, name := f.text[begin:end], lower(f.text[from:to])
		if lower(v) == name || strings.HasSuffix(name, "pwd") && (v[0] == '/' || v[0] == '~' || v[0] == '.') {
			return 0, 0
		}
	}
	return begin, end
}

func (f *finder) given(from, to int, kind string) (int, int) {
	t := f.text
	if begin, end := tagged(t, from, to); end > begin {
		return begin, end
	}
	quoted := from > 0 && (t[from-1] == '"' || t[from-1] == '\'' || t[from-1] == '`')
	i, closed := closing(t, to)
	quoted = quoted && closed
	if begin, end := f.pair(from, i, quoted); end > begin {
		return begin, end
	}
	if i = spaces2(t, i); quoted {
		i = lines(t, i)
	}
	switch begin, op := i, operator(t, i); {
	case op == "":
		return f.argument(from, to, i)
	case op == ">": // XML
		if quoted && named(t, from) {
			return element(t, i+1)
		}
		return 0, 0
	default:
		spaced := begin > to
		i += len(op)
		if op == "=" && (direct(t, from, to) || f.connection2()) && !spaced {
			// perhaps the quote that closes "NAME="
			if from > 0 && i < len(t) && t[from-1] == t[i] && quoteAt(t, i).ok {
				if next := spaces2(t, i+1); next < len(t) && bytes.IndexByte([]byte("+),]"), t[next]) >= 0 {
					return 0, 0
				}
			}
			return value2(t, i)
		}
		after := spaces2(t, i)
		if quoted && after < len(t) && (textEnds[t[after]] || hasAt(t, after, `\n`)) { // JSON over lines
			after = lines(t, after)
		}
		if begin, end := f.value(after, kind, quoted); end > begin {
			return begin, end
		}
		after = block(t, after)
		if typed := typed(t, after); op == ":" && typed > 0 {
			after = typed
		}
		if q := quoteAt(t, after); q.ok || quoted && after < len(t) && (t[after] == '[' || t[after] == '{') {
			return f.literal(after, kind, quoted)
		}
		if op == ":" && !spaced && headerName(t[from:to], kind) {
			return header2(t, i)
		}
		if after < len(t) && textEnds[t[after]] && op == ":" { // YAML over lines
			if after = lines(t, after); hasAt(t, after, "- ") {
				after = spaces2(t, after+2)
			}
			return f.certain(after)
		}
		return f.setting2(from, to, after, i == after && op == ":")
	}
}

// closing returns the offset after the marks that close a name at i: quotes, and the bracket of an
// index. It reports whether there was a quote.
func closing(t []byte, i int) (int, bool) {
	begin := i
	for i < len(t) && t[i] == '\\' && i-begin < 64 {
		i++
	}
	closed := i < len(t) && (t[i] == '"' || t[i] == '\'' || t[i] == '`')
	if closed {
		i++
	} else {
		i = begin
	}
	if i < len(t) && t[i] == ']' || i < len(t) && t[i] == '}' && hasAt(t, spaces2(t, i+1), "=") {
		return i + 1, closed
	}
	if hasAt(t, i, "%5D") || hasAt(t, i, "%5d") {
		return i + 3, closed
	}
	return i, closed
}

// operators assign a value to a name; longer ones first.
var operators = []string{"::=", "||=", "=>", ":=", "==", "?=", "+=", "->", "=", ":", ">", "\uff1a", "\uff1d"}

func operator(t []byte, i int) string {
	for _, op := range operators {
		if hasAt(t, i, op) {
			return op
		}
	}
	return ""
}

func lines(t []byte, i int) int {
	for {
		switch {
		case i < len(t) && (textEnds[t[i]] || spaceAt(t, i) == 1):
			i++
		case spaceAt(t, i) > 1:
			i += spaceAt(t, i)
		case hasAt(t, i, `\n`):
			i += 2
		default:
			return i
		}
	}
}

// pair finds a value next to its name: ("name", "value"), name="x" value="y", and the same on
// several lines of YAML.
func (f *finder) pair(from, i int, quoted bool) (int, int) {
	t := f.text
	j := i
	for j < len(t) && (t[j] == ',' || t[j] == ';' || textEnds[t[j]] || spaceAt(t, j) > 0 || hasAt(t, j, `\n`)) &&
		j-i < 64 {
		if hasAt(t, j, `\n`) {
			j++
		}
		j += max(1, spaceAt(t, j))
	}
	if j == i {
		return 0, 0
	}
	if q := quoteAt(t, j); quoted && q.ok && t[i] == ',' && t[i-1] != ']' {
		end := q.end(t)
		next := spaces2(t, q.after(t, end))
		if next >= len(t) || t[next] != ':' && t[next] != '=' {
			before := from - 1
			for before > 0 && (t[before-1] == '\\' || spaceBefore(t, before) == 1) {
				before--
			}
			if before > 0 && (t[before-1] == '(' || t[before-1] == '[') && plausible(t[q.from:end]) &&
				f.set.nameKind(t[q.from:end]) == "" {
				return worth2(t, q.from, end)
			}
			return 0, 0
		}
	}
	for j < len(t) && (t[j] == '\\' || t[j] == '"' || t[j] == '\'') {
		j++
	}
	end := classes2["letter"].run(t, j)
	if end == j || !slices.Contains(pairValues2, lower(t[j:end])) || !named(t, from) {
		return 0, 0
	}
	end, _ = closing(t, end)
	if end = spaces2(t, end); end >= len(t) || t[end] != ':' && t[end] != '=' {
		return 0, 0
	}
	end = spaces2(t, end+1)
	if q := quoteAt(t, end); q.ok {
		return worth2(t, q.from, q.end(t))
	}
	stop := end
	for stop < len(t) && !bareEnd[t[stop]] {
		stop++
	}
	if stop-end < 3 || t[end] == '{' || t[end] == '[' {
		return 0, 0
	}
	return worth2(t, end, stop)
}

// named reports whether the text at i is the value of a member or attribute that names its sibling.
func named(t []byte, i int) bool {
	t, i = t[max(0, i-64):i], min(i, 64)
	for i > 0 && (t[i-1] == '"' || t[i-1] == '\'' || t[i-1] == '\\') {
		i--
	}
	for n := spaceBefore(t, i); n > 0; n = spaceBefore(t, i) {
		i -= n
	}
	if i == 0 || t[i-1] != ':' && t[i-1] != '=' {
		return false
	}
	i--
	for i > 0 && (t[i-1] == '"' || t[i-1] == '\'' || t[i-1] == '\\' || t[i-1] == ' ') {
		i--
	}
	from := classes2["letter"].back(t, i, 16)
	return slices.Contains(pairNames2, lower(t[from:i]))
}

// argument finds a value separated from its name by white space alone: --name value, PASSWORD
// 'value' in SQL, and password value in a .netrc.
func (f *finder) argument(from, to, i int) (int, int) {
	t := f.text
	if i >= len(t) || from > 0 && t[from-1] == '/' { // GET /token HTTP/1.1
		return 0, 0
	}
	if c := t[i]; c == '|' || c == ';' || c == ',' || c == '(' { // a table, a call
		return f.certain(spaces2(t, i+1))
	}
	if i == to {
		return 0, 0
	}
	q := quoteAt(t, i)
	if t[from] == '-' {
		if q.ok {
			return worth2(t, q.from, q.end(t))
		}
		begin, end := value2(t, i)
		if end > begin && t[begin] != '-' && hasDigit(t[begin:end]) {
			return begin, end
		}
		return 0, 0
	}
	if q.ok && q.quote == '\'' {
		if end := q.end(t[:min(len(t), i+maxContainer)]); plausible(t[q.from:end]) {
			return worth2(t, q.from, end)
		}
		return 0, 0
	}
	if typed := typed(t, i); typed > 0 {
		return f.literal(typed, "", false)
	}
	if low := lower(t[max(0, from-128):from]); strings.Contains(low, "login ") && lower(t[from:to]) == "password" {
		return value2(t, i)
	}
	end := i
	for end < len(t) && !bareEnd[t[end]] && spaceAt(t, end) == 0 {
		end++
	}
	if before := classes2["letter"].back(t, max(0, from-1), 8); from > 0 &&
		(lower(t[before:from-1]) == "env" || lower(t[before:from-1]) == "setx") &&
		plausible(t[i:end]) {
		// Dockerfile
		return worth2(t, i, end)
	}
	if hasAt(t, i, "is ") || hasAt(t, i, "is: ") {
		i = spaces2(t, i+3)
	}
	return f.certain(i)
}

// tagged finds the text of the XML element whose name is at from to to, perhaps with a namespace
// prefix and attributes.
func tagged(t []byte, from, to int) (int, int) {
	i := from
	if i > 0 && t[i-1] == ':' {
		i = classes2["alnum"].back(t, i-1, 32)
	}
	if i == 0 || t[i-1] != '<' {
		return 0, 0
	}
	for end := to; end < len(t) && end-to < 128 && t[end] != '<'; end++ {
		if t[end] == '>' && t[end-1] != '/' {
			return element(t, end+1)
		}
	}
	return 0, 0
}

// block returns the start of a value after a tag or an anchor of YAML, or after a block indicator.
func block(t []byte, i int) int {
	if i+1 < len(t) && (t[i] == '!' || t[i] == '&') && (isAlnum(t[i+1]) || t[i+1] == '!') {
		end := i
		for end < len(t) && end-i < 64 && (nameClass[t[end]] || t[end] == '!' || t[end] == '&') {
			end++
		}
		if next := spaces2(t, end); next > end {
			i = next
		}
	}
	end := i
	for end < len(t) && end-i < 4 &&
		(t[end] == '|' || t[end] == '>' || t[end] == '+' || t[end] == '-' || isDigit(t[end])) {
		end++
	}
	if end > i && (t[i] == '|' || t[i] == '>') && end < len(t) && textEnds[t[end]] {
		return lines(t, end)
	}
	return i
}

// typed returns the start of a string after a type and =, as in password: str = "…". It returns 0
// if there is none.
func typed(t []byte, i int) int {
	end := i
	for end < len(t) && end-i < 32 &&
		(nameClass[t[end]] || t[end] == '[' || t[end] == ']' || t[end] == '*' || t[end] == '?') {
		end++
	}
	next := spaces2(t, end)
	if end == i || next >= len(t) || t[next] != '=' {
		return 0
	}
	if next = spaces2(t, next+1); !quoteAt(t, next).ok {
		return 0
	}
	return next
}
