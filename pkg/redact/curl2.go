package redact

import (
	"bytes"
	"strings"
)

const maxCurl = 1024 // characters of a command line that are searched

// matchCurl adds the password of -u or --user, and the key in a header, of a curl command line.
func matchCurl(f *finder, at int) (int, int) {
	t := f.text
	if !begins2(t, at, false) || at+4 < len(t) && (isAlnum(t[at+4]) || t[at+4] == '_') {
		return 0, 0
	}
	limit, begin := min(len(t), at+maxCurl), max(at+4, f.curled)
	f.curled = limit // skip what an earlier curl has searched
	for i := begin; i < limit; i++ {
		if t[i] != '-' || !(textEnds[t[i-1]] || spaceBefore(t, i) > 0) {
			continue
		}
		for _, option := range []string{"-u", "--user", "--proxy-user", "-H", "--header"} {
			if !hasAt(t, i, option) {
				continue
			}
			j := i + len(option)
			if j < len(t) && t[j] == '=' {
				j++
			}
			j = spaces2(t, j)
			if strings.HasSuffix(option, "-H") || option == "--header" {
				f.curlHeader(j)
			} else {
				f.curlUser(j)
			}
			break
		}
	}
	return 0, 0
}

func (f *finder) curlUser(i int) {
	t := f.text
	from, end := i, i
	if q := quoteAt(t, i); q.ok {
		from, end = q.from, min(q.end(t), q.from+256)
		if next := q.after(t, q.end(t)); next < len(t) && t[next] == ':' { // "user":"password"
			f.curlBare(next + 1)
			return
		}
	} else {
		for end < len(t) && spaceAt(t, end) == 0 && !textEnds[t[end]] && end-i < 256 {
			end++
		}
	}
	colon := bytes.IndexByte(t[from:end], ':')
	if colon < 0 {
		return
	}
	if from+colon+1 == end && end > from+3 { // a key as the user, without a password
		f.add(from, from+colon, "password")
		return
	}
	f.curlBare(from + colon + 1)
}

// curlBare adds a password that starts at i, quoted or not.
func (f *finder) curlBare(i int) {
	t := f.text
	end := i
	if q := quoteAt(t, i); q.ok {
		i, end = q.from, q.end(t)
	} else {
		for end < len(t) && spaceAt(t, end) == 0 && !textEnds[t[end]] && t[end] != '"' && t[end] != '\'' && t[end] != '\\' {
			end++
		}
	}
	begin, end := worth2(t, i, end)
	f.add(begin, end, "password")
}

func (f *finder) curlHeader(i int) {
	t := f.text
	q := quoteAt(t, i)
	if !q.ok {
		return
	}
	end := min(q.end(t), q.from+1024)
	colon := bytes.IndexByte(t[q.from:end], ':')
	if colon < 0 {
		return
	}
	name := lower(t[q.from : q.from+colon])
	kind := ""
	switch {
	case strings.HasSuffix(name, "authorization"):
		kind = "authorization"
	case strings.HasSuffix(name, "key"), strings.HasSuffix(name, "token"):
		kind = "api-key"
	}
	from := spaces2(t, q.from+colon+1)
	if kind == "" || end-from < 8 {
		return
	}
	if word := bytes.IndexByte(t[from:end], ' '); word > 0 && word < 20 && end-from-word > 4 {
		from += word + 1
	}
	from, end = worth2(t, from, end)
	if end > from && !bytes.HasPrefix(t[from:end], []byte(open)) {
		f.add(from, end, kind)
	}
}
