package redact

import (
	"bytes"
	"strings"
)

var urlEnd = classOf(" \t\r\n\"<>\\`")

// matchURL2 matches the password in the authority of a URL (RFC 3986 section 3.2.1). The password
// may contain characters that should have been percent-encoded: then the authority ends after the
// last @ that a host follows. In a web URL, where @ is common in paths, it only checks the part
// before the first of / ? #, unless that part cannot have a port.
func matchURL2(f *finder, at int) (int, int) {
	t := f.text
	from := at + len("://")
	quote := byte(0)
	begin := at
	for begin > 0 && at-begin < 24 &&
		(isAlnum(t[begin-1]) || t[begin-1] == '+' || t[begin-1] == '.' || t[begin-1] == '-') {
		begin--
	}
	if begin > 0 && (t[begin-1] == '\'' || t[begin-1] == '(') {
		quote = t[begin-1]
		if quote == '(' {
			quote = ')'
		}
	}
	colon, first, last, delimiter := -1, -1, -1, -1
	end := from
	for i := from; i < len(t) && !urlEnd[t[i]] && (quote == 0 || t[i] != quote) && spaceAt(t, i) == 0; i++ {
		end = i + 1
		switch c := t[i]; {
		// the colon in a mark does not start a password
		case c == '[' && bytes.HasPrefix(t[i:], []byte(open)):
			if stop := bytes.IndexByte(t[i:], ']'); stop > 0 && IsMark(t[i:i+stop+1]) {
				i += stop
				end = i + 1
			}
		case c == '[' && i == from: // an IPv6 address
			if stop := bytes.IndexByte(t[i:min(len(t), i+64)], ']'); stop > 0 {
				i += stop
			}
		case c == ':' && colon < 0 && delimiter < 0:
			colon = i
		case c == ':' && hasAt(t, i, "://"): // another URL
			i = len(t)
		case (c == '/' || c == '?' || c == '#') && delimiter < 0:
			if delimiter = i; colon < 0 {
				i = len(t) // no user
			}
		case c == '@' && host(t, i+1):
			if delimiter < 0 {
				first = i
			}
			last = i
		}
	}
	if colon < 0 || last < colon || first >= 0 && first < colon {
		return 0, 0
	}
	scheme := strings.ToLower(string(t[begin:at]))
	if first >= 0 && (web(scheme) || bytes.IndexByte(t[first:last], '?') >= 0 || ends(t, first, end)) {
		return worth2(t, colon+1, first)
	}
	if first < 0 && delimiter >= 0 && (web(scheme) && port(t[colon+1:delimiter]) || placeholder2(t[colon+1:delimiter])) {
		return 0, 0
	}
	return worth2(t, colon+1, last)
}

// ends reports whether the text after the @ at i reads as hosts, a path and so on, without another
// @.
func ends(t []byte, i, end int) bool {
	slash := bytes.IndexAny(t[i:end], "/?#")
	rest := t[i+1 : end]
	if slash > 0 {
		rest = t[i+slash : end]
		if bytes.IndexByte(t[i+1:i+slash], '@') >= 0 {
			return false
		}
	}
	return bytes.IndexByte(rest, '@') < 0
}

func web(scheme string) bool {
	switch scheme {
	case "http", "https", "ws", "wss", "git", "ssh", "git+ssh", "svn+ssh", "sftp", "file", "":
		return true
	}
	return false
}

// port reports whether a text is the port of a host, or empty.
func port(t []byte) bool {
	return len(t) <= 5 && digitClass.run(t, 0) == len(t)
}

// host reports whether the name or address of a host can start at i.
func host(t []byte, i int) bool {
	return i < len(t) &&
		(isAlnum(t[i]) || t[i] == '[' || t[i] == '$' || t[i] == '{' || t[i] == '_' || t[i] >= 0x80 || t[i] == '/' ||
			t[i] == '%')
}
