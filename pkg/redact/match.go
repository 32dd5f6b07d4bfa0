package redact

import (
	"bytes"
	"encoding/base64"
)

// matchers match forms that are more than a prefix and a body. Each gets the offset of its literal
// and returns the range to replace, or 0, 0. A matcher looks only to the right, and a failing one
// stops at a character at which all of them stop, so a text is read only a few times.
var matchers = map[string]func(t []byte, at int) (from, to int){
	"pem": matchPEM, "jwt": matchJWT, "bearer": matchBearer, "basic": matchBasic, "url": matchURL, "webhook": matchWebhook,
	"sendgrid": matchSendGrid, "notekey": matchNoteKey,
}

// matches returns the range that a shape of the table matches.
func (s *shape) matches(t []byte, at int) (from, to int) {
	if s.match != "" {
		return matchers[s.match](t, at)
	}
	if !begins(t, at) {
		return 0, 0
	}
	body := at + len(s.start)
	end := classes[s.body].run(t, body)
	if n := end - body; n < s.least || s.most > 0 && n > s.most || end < len(t) && wordClass[t[end]] {
		return 0, 0
	}
	return at, end
}

var (
	privateKey = []byte("PRIVATE KEY")
	dashes     = []byte("-----")
	pemEnd     = []byte("-----END ")
)

// matchPEM matches a private key in PEM (RFC 7468), including OpenSSH's and PGP's, up to its end. A
// key that is cut off extends to the end of the text.
func matchPEM(t []byte, at int) (int, int) {
	label := at + len("-----BEGIN ")
	near := t[label:min(len(t), label+64)]
	stop := bytes.Index(near, dashes)
	if stop < 0 || !bytes.Contains(near[:stop], privateKey) {
		return 0, 0
	}
	end := bytes.Index(t[label:], pemEnd)
	if end < 0 {
		return at, len(t)
	}
	end += label + len(pemEnd)
	if last := bytes.Index(t[end:min(len(t), end+64)], dashes); last >= 0 {
		return at, end + last + len(dashes)
	}
	return at, end
}

// matchJWT matches a JWS or JWE in compact form (RFC 7515, 7516): a header that is an object, and
// two or four further parts.
func matchJWT(t []byte, at int) (int, int) {
	if !begins(t, at) {
		return 0, 0
	}
	end, parts := at, 0
	for {
		stop := wordClass.run(t, end)
		// an encrypted key and a detached payload can be empty
		if stop == end && parts != 1 && parts != 2 {
			break
		}
		if end = stop; parts == 0 && end-at < 12 {
			return 0, 0
		}
		if parts++; parts == 5 || end >= len(t) || t[end] != '.' {
			break
		}
		end++
	}
	if parts < 3 {
		return 0, 0
	}
	return at, end
}

var credentialClass = classOf("A-Za-z0-9._~+/=-")

// matchBearer matches the token after the word (RFC 6750).
func matchBearer(t []byte, at int) (int, int) {
	from := at + len("bearer ")
	end := credentialClass.run(t, from)
	for end > from && t[end-1] == '.' { // a full stop of the sentence
		end--
	}
	if !begins(t, at) || end-from < 12 || !hasDigit(t[from:end]) {
		return 0, 0
	}
	return from, end
}

func hasDigit(t []byte) bool { return bytes.ContainsAny(t, "0123456789") }

// matchBasic matches the credentials after the word (RFC 7617): base64 of a user, a colon and a
// password.
func matchBasic(t []byte, at int) (int, int) {
	from := at + len("basic ")
	end := classes["base64"].run(t, from)
	if !begins(t, at) || end-from < 4 || end-from > 1024 {
		return 0, 0
	}
	plain, err := base64.RawStdEncoding.DecodeString(string(bytes.TrimRight(t[from:end], "=")))
	if err != nil || bytes.IndexByte(plain, ':') < 0 ||
		bytes.ContainsFunc(plain, func(r rune) bool { return r < 0x20 || r == 0x7f || r == 0xfffd }) {
		return 0, 0
	}
	return from, end
}

var authorityEnd = classOf(" \t\r\n/?#\"'<>\\`,;(){}|")

// matchURL matches the password in the authority of a URL (RFC 3986 section 3.2.1).
func matchURL(t []byte, at int) (int, int) {
	from := at + len("://")
	colon, at2 := -1, -1
	for i := from; i < len(t) && !authorityEnd[t[i]]; i++ {
		switch {
		// the colon in a mark does not start a password
		case t[i] == '[' && bytes.HasPrefix(t[i:], []byte(open)):
			if end := bytes.IndexByte(t[i:], ']'); end > 0 && IsMark(t[i:i+end+1]) {
				i += end
			}
		case t[i] == ':' && colon < 0:
			colon = i
		case t[i] == '@':
			at2 = i
		}
	}
	if colon < 0 || at2 <= colon+1 || placeholder(t[colon+1:at2]) {
		return 0, 0
	}
	return colon + 1, at2
}

// mayURL reports whether matchURL may find something once the escapes of JSON are resolved.
func mayURL(t []byte, at int) bool {
	for _, c := range t[at+len("://"):] {
		switch c {
		case '@':
			return true
		case '/', ' ', '"':
			return false
		}
	}
	return false
}

// placeholder reports whether a value only stands for a secret: it is masked already, or names a
// variable.
func placeholder(v []byte) bool {
	return IsMark(v) || len(bytes.Trim(v, "*")) == 0 || bytes.HasPrefix(v, []byte("${")) ||
		bytes.HasPrefix(v, []byte("{{")) ||
		bytes.HasPrefix(v, []byte("$("))
}

// matchWebhook matches the secret part of an incoming webhook of Slack: the path after services,
// workflows or triggers.
func matchWebhook(t []byte, at int) (int, int) {
	from := at + len("hooks.slack.com/")
	for _, part := range []string{"services/", "workflows/", "triggers/"} {
		if bytes.HasPrefix(t[from:], []byte(part)) {
			from += len(part)
			end := from
			for end < len(t) && (wordClass[t[end]] || t[end] == '/') {
				end++
			}
			if end-from >= 20 {
				return from, end
			}
		}
	}
	return 0, 0
}

// matchSendGrid matches SG. and two parts.
func matchSendGrid(t []byte, at int) (int, int) {
	first := wordClass.run(t, at+3)
	if !begins(t, at) || first-at-3 < 16 || first >= len(t) || t[first] != '.' {
		return 0, 0
	}
	end := wordClass.run(t, first+1)
	if end-first-1 < 16 {
		return 0, 0
	}
	return at, end
}

var noteKeyEnd = classOf(" \t\r\n\"'\\<>")

// matchNoteKey matches a signing key of c2sp.org/signed-note, such as that of a log.
func matchNoteKey(t []byte, at int) (int, int) {
	end := at
	for end < len(t) && !noteKeyEnd[t[end]] && t[end] != '[' {
		end++
	}
	if end-at < 60 {
		return 0, 0
	}
	return at, end
}
