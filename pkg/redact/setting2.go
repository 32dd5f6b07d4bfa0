package redact

import (
	"bytes"
)

// plausible reports whether a string that code or a sentence assigns to the name of a secret looks
// like a secret.
func plausible(v []byte) bool {
	if len(v) < 6 || !hasDigit(v) || bytes.IndexByte(v, ' ') >= 0 || bytes.Contains(v, []byte("://")) || v[0] == '/' ||
		v[0] == '.' {
		return false
	}
	for _, not := range []string{"${", "{{", "$(", "%s", "%d", "%v", "%q", "[REDACTED"} {
		if bytes.Contains(v, []byte(not)) {
			return false
		}
	}
	return !(bytes.IndexByte(v, '.') > 0 && dotted(v))
}

// dotted reports whether a value consists of short words separated by full stops, like names in
// programs and host names.
func dotted(v []byte) bool {
	for part := range bytes.SplitSeq(v, []byte(".")) {
		if len(part) > 0 && (!isLetter(part[0]) && part[0] != '_' || len(part) >= 20) {
			return false
		}
	}
	return true
}

// certain finds a value, quoted or not, that cannot be a word.
func (f *finder) certain(i int) (int, int) {
	t := f.text[:min(len(f.text), i+maxLook)]
	end := i
	if q := quoteAt(t, i); q.ok {
		i, end = q.from, q.end(t)
	} else {
		for end < len(t) && !bareEnd[t[end]] && spaceAt(t, end) == 0 && t[end] != '(' && t[end] != '[' && t[end] != '{' {
			end++
		}
		if end < len(t) && (t[end] == '(' || t[end] == '[' || t[end] == '{') {
			return 0, 0
		}
		for end > i && (t[end-1] == '.' || t[end-1] == ':') {
			end--
		}
	}
	if v := t[i:end]; !strong(v) || !plausible(v) {
		return 0, 0
	}
	return worth2(t, i, end)
}

var listMarks = classOf(" \t-*+#/;>|$\"'`.:@\\(")

// leads reports whether only marks and keywords of a declaration precede a name on its line, so
// that what follows is a setting.
func leads(t []byte, from int) bool {
	i := from
	for i > 0 && t[i-1] != '\n' && from-i <= maxName {
		if n := spaceBefore(t, i); n > 0 {
			i -= n
			continue
		}
		if listMarks[t[i-1]] {
			i--
			continue
		}
		begin := classes2["alnum"].back(t, i, 16)
		switch lower(t[begin:i]) {
		case "export", "set", "env", "let", "const", "var", "val", "n", "r":
			i = begin
			continue
		}
		if end := digitClass.back(t, i, 16); end < i && (end == 0 || t[end-1] == '\n') { // 1. password: x
			return true
		}
		return false
	}
	return i == 0 || t[i-1] == '\n'
}

// setting2 finds an unquoted value of name: value or name = value: on a line of settings, whatever
// comment or mark ends it, or, in a sentence, a value that cannot be a word.
func (f *finder) setting2(from, to, begin int, tight bool) (int, int) {
	t := f.text
	end := begin
	for end < len(t) && !bareEnd[t[end]] && spaceAt(t, end) == 0 && t[end] != '(' && t[end] != '[' && t[end] != '{' {
		if end++; end-begin == maxLook && !hasDigit(t[begin:end]) {
			return 0, 0
		}
	}
	if end < len(t) && t[end] == '(' && quoteAt(t, end+1).ok {
		return f.certain(end + 1)
	}
	if end < len(t) && (t[end] == '(' || t[end] == '[' || t[end] == '{') {
		return 0, 0
	}
	for end > begin && (t[end-1] == '.' || t[end-1] == ':') {
		end--
	}
	v := t[begin:end]
	if len(v) < 6 || !hasDigit(v) || bytes.IndexByte(v, '.') > 0 && len(v) < 32 && dotted(v) || v[0] == '$' ||
		v[0] == '/' ||
		v[0] == '%' ||
		bytes.HasPrefix(v, []byte("0x")) ||
		bytes.HasPrefix(v, []byte("-0x")) ||
		date(v) ||
		bytes.Contains(v, []byte("://")) {
		return 0, 0
	}
	if !strong(v) {
		stop := end
		for stop < len(t) && (t[stop] == ';' || t[stop] == ',' || spaceAt(t, stop) > 0) {
			stop += max(1, spaceAt(t, stop))
		}
		if tight || !leads(t, from) ||
			stop < len(t) && !textEnds[t[stop]] && !hasAt(t, stop, "#") && !hasAt(t, stop, "//") && !hasAt(t, stop, "--") &&
				!hasAt(t, stop, "/*") && !hasAt(t, stop, `\n`) {
			return 0, 0
		}
		if stop > end && (t[end] == ',' || t[end] == ';') && identifier(v) {
			return 0, 0
		}
	}
	return worth2(t, begin, end)
}

// identifier reports whether a value could be the name of a variable.
func identifier(v []byte) bool {
	return !isDigit(v[0]) && classes2["word"].run(v, 0) == len(v)
}

// date reports whether a value starts with a date of RFC 3339.
func date(v []byte) bool {
	return len(v) >= 10 && v[4] == '-' && v[7] == '-' && digitClass.run(v, 0) == 4 && digitClass.run(v, 5) == 7 &&
		digitClass.run(v, 8) >= 10
}

// strong reports whether a value looks like no word or identifier: at least eight characters,
// letters, and digits in several places or next to symbols.
func strong(v []byte) bool {
	if len(v) < 8 || date(v) {
		return false
	}
	groups, letters, symbol := 0, false, false
	for i, c := range v {
		if isDigit(c) && (i == 0 || !isDigit(v[i-1])) {
			groups++
		}
		letters = letters || isLetter(c)
		symbol = symbol || symbols[c]
	}
	return letters && groups >= 1 && (symbol && groups >= 2 || groups >= 3)
}
