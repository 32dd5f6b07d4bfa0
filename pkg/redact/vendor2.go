package redact

import (
	"bytes"
)

// matchWebhook2 matches the secret part of an incoming webhook of Slack: the path after services,
// workflows or triggers.
func matchWebhook2(f *finder, at int) (int, int) {
	t := f.text
	from := at + len("hooks.slack.com/")
	for _, part := range []string{"services/", "workflows/", "triggers/"} {
		if hasAt(t, from, part) {
			from += len(part)
			if end := classOfPath.run(t, from); end-from >= 20 {
				return from, end
			}
		}
	}
	return 0, 0
}

var classOfPath = classOf("A-Za-z0-9_/+-")

// matchSendGrid2 matches SG. and two parts.
func matchSendGrid2(f *finder, at int) (int, int) {
	if !begins2(f.text, at, false) {
		return 0, 0
	}
	end := classes2["dotted"].run(f.text[:min(len(f.text), at+128)], at+3)
	for end > at+3 && f.text[end-1] == '.' {
		end--
	}
	if end-at < 40 || !hasDigit(f.text[at:end]) {
		return 0, 0
	}
	return at, end
}

// matchRest matches the rest of a URL's path.
func matchRest(f *finder, at int) (int, int) {
	from := at + len(".webhook.office.com/")
	end := from
	for end < len(f.text) && (classOfPath[f.text[end]] || f.text[end] == '@') {
		end++
	}
	if end-from < 40 {
		return 0, 0
	}
	return from, end
}

// matchTelegram matches the token of a bot: its number, a colon, and 35 characters.
func matchTelegram(f *finder, at int) (int, int) {
	from := digitClass.back(f.text, at, 17)
	end := tokenClass.run(f.text, at+1)
	if n := at - from; n < 5 || n > 16 || end-at-1 < 30 {
		return 0, 0
	}
	return from, end
}

// matchAtlas matches a token of HCP Terraform: 14 characters, .atlasv1., and 60 more.
func matchAtlas(f *finder, at int) (int, int) {
	from := classes2["alnum"].back(f.text, at, 64)
	end := classes2["any64"].run(f.text, at+len(".atlasv1."))
	if at-from < 14 || end-at < 40 {
		return 0, 0
	}
	return from, end
}

// matchOnePassword matches an account's secret key: A3 and five or six groups of capitals and
// digits.
func matchOnePassword(f *finder, at int) (int, int) {
	end, groups := at+2, 0
	for end < len(f.text) && f.text[end] == '-' {
		stop := classes2["upper"].run(f.text, end+1)
		if stop-end-1 < 5 {
			break
		}
		end, groups = stop, groups+1
	}
	if groups < 5 || !begins2(f.text, at, false) {
		return 0, 0
	}
	return at, end
}

var classOfAzure = classOf("A-Za-z0-9_~.-")

// matchAzure matches a client secret of Microsoft Entra: three characters, a digit, Q~ and 31 to 34
// more.
func matchAzure(f *finder, at int) (int, int) {
	from := classOfAzure.back(f.text, at, 3)
	end := classOfAzure.run(f.text, at+3)
	for end > at && f.text[end-1] == '.' {
		end--
	}
	if at-from < 3 || end-at-3 < 31 {
		return 0, 0
	}
	return from, end
}

// matchSAS matches the signature of a shared access signature.
func matchSAS(f *finder, at int) (int, int) {
	if at > 0 && isAlnum(f.text[at-1]) && !escapeEnds(f.text, at) {
		return 0, 0
	}
	from := at + len("sig=")
	end := from
	for end < len(f.text) && (classes2["any64"][f.text[end]] || f.text[end] == '%') {
		end++
	}
	if end-from < 40 {
		return 0, 0
	}
	return from, end
}

var classOfAuthress = classOf("A-Za-z0-9._+/=-")

// matchAuthress matches the access key of a service client: four parts, of which the third starts
// with acc.
func matchAuthress(f *finder, at int) (int, int) {
	t := f.text
	from := classes2["dotted"].back(t, at, 64)
	for _, prefix := range []string{"sc_", "ext_", "scauth_", "authress_"} {
		if hasAt(t, from, prefix) {
			if end := classOfAuthress.run(t, at+4); end-at >= 44 {
				return from, end
			}
		}
	}
	return 0, 0
}

// matchMaxMind matches a license key: 6 characters, _, 29 more, _mmk.
func matchMaxMind(f *finder, at int) (int, int) {
	from := classes2["word"].back(f.text, at, 36)
	if at-from < 36 {
		return 0, 0
	}
	return from, at + 4
}

// matchMySQL matches the password in a DSN of Go's MySQL driver: user:password@tcp(host).
func matchMySQL(f *finder, at int) (int, int) {
	t := f.text
	colon := -1
	for i := at; i > 0 && at-i < 256; i-- {
		if c := t[i-1]; c == ' ' || c == '\n' || c == '"' || c == '\'' || c == '/' && i >= 2 && t[i-2] == '/' {
			break
		} else if c == ':' {
			colon = i
		}
	}
	if colon < 1 {
		return 0, 0
	}
	return worth2(t, colon, at)
}

// matchOracle matches the password in JDBC's thin URL: jdbc:oracle:thin:user/password@host.
func matchOracle(f *finder, at int) (int, int) {
	t := f.text
	i := at + len("oracle:thin:")
	slash := bytes.IndexByte(t[i:min(len(t), i+64)], '/')
	if slash <= 0 {
		return 0, 0
	}
	end := bytes.IndexByte(t[i+slash:min(len(t), i+slash+128)], '@')
	if end < 0 || bytes.ContainsAny(t[i:i+slash+end], " \n\"@") {
		return 0, 0
	}
	return worth2(t, i+slash+1, i+slash+end)
}

// matchIdentified matches the password of SQL's IDENTIFIED BY.
func matchIdentified(f *finder, at int) (int, int) {
	i := spaces2(f.text, at+len("identified by"))
	if lower(f.text[i:min(len(f.text), i+8)]) == "password" {
		i = spaces2(f.text, i+8)
	}
	q := quoteAt(f.text, i)
	if !q.ok {
		return 0, 0
	}
	return worth2(f.text, q.from, q.end(f.text))
}
