package redact

import (
	"bytes"
	"encoding/base64"
	"strings"
)

// matchPEM2 matches a private key in PEM (RFC 7468), including OpenSSH's and PGP's, in any case, up
// to its end. A key that is cut off extends to the end of the text.
func matchPEM2(f *finder, at int) (int, int) {
	t := f.text
	label := at + len("-----begin")
	near := lower(t[label:min(len(t), label+128)])
	stop := strings.Index(near, "-----")
	if stop < 0 || !strings.Contains(near[:stop], "private key") {
		return 0, 0
	}
	body := label + stop + 5
	if end := indexFold(t, body, "-----end"); end >= 0 {
		if last := bytes.Index(t[end+8:min(len(t), end+136)], dashes); last >= 0 {
			return at, end + 8 + last + 5
		}
		return at, end + 8
	}
	return at, len(t)
}

// indexFold returns the offset of a lower-case text from i on, in any case, or -1.
func indexFold(t []byte, i int, text string) int {
	for ; i+len(text) <= len(t); i++ {
		n := bytes.IndexByte(t[i:], text[0])
		if n < 0 || i+n+len(text) > len(t) {
			return -1
		}
		if i += n; lower(t[i:i+len(text)]) == text {
			return i
		}
	}
	return -1
}

// matchJWT2 matches a JWS or JWE in compact form (RFC 7515, 7516): a header that is an object, and
// two or four further parts.
func matchJWT2(f *finder, at int) (int, int) {
	t := f.text
	if !begins2(t, at, false) {
		return 0, 0
	}
	end, parts := at, 0
	for {
		stop := tokenClass.run(t, end)
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
	return at, classes2["any64"].run(t, end)
}

// matchJWTPair matches a JWT whose header starts with white space or is unknown: two parts that
// start with ey, and a signature.
func matchJWTPair(f *finder, at int) (int, int) {
	t := f.text
	from := at
	for from > 0 && tokenClass[t[from-1]] {
		from--
	}
	for from < at && !(t[from] == 'e' && t[from+1] == 'y' && begins2(t, from, false)) {
		from++
	}
	end := from
	if at-from < 19 {
		return 0, 0
	}
	if end = jwtPart.run(t, at+1); end-at < 19 || end >= len(t) || t[end] != '.' {
		return 0, 0
	}
	return from, classes2["any64"].run(t, end+1)
}

var jwtPart = classOf("A-Za-z0-9_/\\-")

var afterWord = classOf(":= \t\"'`\\+")

// matchBearer2 matches the token after the word (RFC 6750).
func matchBearer2(f *finder, at int) (int, int) {
	t := f.text
	from := f.afterScheme(at, at+len("bearer"))
	if from < 0 || !hasDigit(t[from:classes2["wide"].run(t[:min(len(t), from+maxLook)], from)]) {
		return 0, 0
	}
	end := classes2["wide"].run(t, from)
	for end > from && t[end-1] == '.' { // a full stop of the sentence
		end--
	}
	if end-from < 8 || end < len(t) && (t[end] == '(' || t[end] == '[') {
		return 0, 0
	}
	return from, end
}

// afterScheme returns the start of the credentials after the name of a scheme, or -1.
func (f *finder) afterScheme(at, i int) int {
	t := f.text
	if at > 0 && (isAlnum(t[at-1]) || t[at-1] == '_') && !escapeEnds(t, at) {
		return -1
	}
	begin := i
	for i-begin < 8 {
		if n := spaceAt(t, i); n > 0 {
			i += n
		} else if hasAt(t, i, "%20") {
			i += 3
		} else if i < len(t) && afterWord[t[i]] {
			i++
		} else {
			break
		}
	}
	if i == begin {
		return -1
	}
	return i
}

// matchBasic2 matches the credentials after the word (RFC 7617): base64 of a user, a colon and a
// password.
func matchBasic2(f *finder, at int) (int, int) {
	t := f.text
	from := f.afterScheme(at, at+len("basic"))
	if from < 0 {
		return 0, 0
	}
	end := classes2["base64"].run(t[:min(len(t), from+1025)], from)
	if end-from < 4 || end-from > 1024 {
		return 0, 0
	}
	plain, err := base64.RawStdEncoding.DecodeString(string(bytes.TrimRight(t[from:end], "=")))
	if err != nil || bytes.IndexByte(plain, ':') < 0 ||
		bytes.ContainsFunc(plain, func(r rune) bool { return r < 0x20 || r == 0x7f || r == 0xfffd }) {
		return 0, 0
	}
	return from, end
}
