package redact

import (
	"bytes"
	"encoding/base64"
)

// matchers are the forms that are more than a begin and a body: each is given where its literal stands, and returns what is to be replaced; 0, 0 is
// nothing. They look to the right alone, and stop, if they fail, at a character at which all of them stop, so that a text is read a few times at most.
var matchers = map[string]func(t []byte, at int) (from, to int){
	"pem": matchPEM, "jwt": matchJWT, "bearer": matchBearer, "basic": matchBasic, "url": matchURL, "webhook": matchWebhook,
	"sendgrid": matchSendGrid, "notekey": matchNoteKey,
}

// matchShape is what a shape of the table comes to.
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

// matchPEM takes a private key in PEM (RFC 7468), OpenSSH's and PGP's too, to its end, or, if it is cut off, to the end of the text.
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

// matchJWT takes a JWS or JWE in compact form (RFC 7515, 7516): a header that is an object, and two or four parts more.
func matchJWT(t []byte, at int) (int, int) {
	if !begins(t, at) {
		return 0, 0
	}
	end, parts := at, 0
	for {
		stop := wordClass.run(t, end)
		if stop == end && parts != 1 && parts != 2 { // an encrypted key, and a detached payload, can be empty
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

// matchBearer takes the token of RFC 6750 behind the word.
func matchBearer(t []byte, at int) (int, int) {
	from := at + len("bearer ")
	end := credentialClass.run(t, from)
	for end > from && t[end-1] == '.' { // of the sentence
		end--
	}
	if !begins(t, at) || end-from < 12 || !hasDigit(t[from:end]) {
		return 0, 0
	}
	return from, end
}

func hasDigit(t []byte) bool { return bytes.ContainsAny(t, "0123456789") }

// matchBasic takes the credentials of RFC 7617 behind the word: base64 of a user, a colon and a password.
func matchBasic(t []byte, at int) (int, int) {
	from := at + len("basic ")
	end := classes["base64"].run(t, from)
	if !begins(t, at) || end-from < 4 || end-from > 1024 {
		return 0, 0
	}
	plain, err := base64.RawStdEncoding.DecodeString(string(bytes.TrimRight(t[from:end], "=")))
	if err != nil || bytes.IndexByte(plain, ':') < 0 || bytes.ContainsFunc(plain, func(r rune) bool { return r < 0x20 || r == 0x7f || r == 0xfffd }) {
		return 0, 0
	}
	return from, end
}

var authorityEnd = classOf(" \t\r\n/?#\"'<>\\`,;(){}|")

// matchURL takes the password out of the authority of a URL (RFC 3986 section 3.2.1).
func matchURL(t []byte, at int) (int, int) {
	from := at + len("://")
	colon, at2 := -1, -1
	for i := from; i < len(t) && !authorityEnd[t[i]]; i++ {
		switch {
		case t[i] == '[' && bytes.HasPrefix(t[i:], []byte(open)): // the colon of a mark begins no password
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

// mayURL says whether matchURL may find something once the escapes of JSON are undone.
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

// placeholder says whether a value only stands for a secret: it is masked already, or names a variable.
func placeholder(v []byte) bool {
	return IsMark(v) || len(bytes.Trim(v, "*")) == 0 || bytes.HasPrefix(v, []byte("${")) || bytes.HasPrefix(v, []byte("{{")) || bytes.HasPrefix(v, []byte("$("))
}

// matchWebhook takes what makes an incoming webhook of Slack secret: the path behind services, workflows or triggers.
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

// matchSendGrid takes SG. and two parts.
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

// matchNoteKey takes a signing key of c2sp.org/signed-note, such as that of a log.
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
