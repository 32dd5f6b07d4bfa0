package redact

import "bytes"

// cards finds payment card numbers anywhere among digits: a run of 13 to 19 digits, or groups as on
// a card, in the range of an issuer (ISO/IEC 7812) and with a valid Luhn check digit, whatever
// numbers surround them. It also finds access tokens of Facebook apps: the app's number, | and a
// secret.
func (f *finder) cards() {
	for i := 0; i < len(f.text); i++ {
		if isDigit(f.text[i]) {
			i = f.cluster(i)
		}
	}
}

// near looks for cards among the digits around an offset, and returns the end of these digits.
func (f *finder) near(at int) int {
	t := f.text
	for n := 0; !isDigit(t[at]); n++ { // one of any four characters of a number is a digit
		if at++; n == 4 || at >= len(t) {
			return at
		}
	}
	for {
		for at > 0 && isDigit(t[at-1]) {
			at--
		}
		n := separatorBefore(t, at)
		if n == 0 || at == n || !isDigit(t[at-n-1]) {
			return f.cluster(at)
		}
		at -= n
	}
}

// cluster looks for cards among the digits from begin on, and in all following digits separated
// from them by single separators. It returns the end of these digits.
func (f *finder) cluster(begin int) int {
	t := f.text
	i, digits, count := begin, 0, 0
	for {
		from := i
		for i < len(t) && isDigit(t[i]) {
			i++
		}
		digits, count = digits+i-from, count+1
		n := separator(t, i)
		if n == 0 || i+n >= len(t) || !isDigit(t[i+n]) {
			break
		}
		i += n
	}
	if digits < 13 {
		return i
	}
	groups := make([][2]int, 0, count)
	for from := begin; from < i; {
		end := digitClass.run(t, from)
		groups = append(groups, [2]int{from, end})
		from = end + separator(t, end)
	}
	if begin > 0 && t[begin-1] == '%' && groups[0][1]-begin > 2 { // skips a URL escape such as %20
		groups[0][0] += 2
	}
	f.group(groups)
	return i
}

// separatorBefore returns the length of the separator that ends before i.
func separatorBefore(t []byte, i int) int {
	if i > 0 && t[i-1] < 0x80 {
		return separator(t, i-1)
	}
	for n := 1; n <= 3 && n <= i; n++ {
		if separator(t, i-n) == n {
			return n
		}
	}
	return 0
}

// separator returns the length of the separator at i that can divide groups of a card number: a
// space of any kind, a hyphen or a full stop. It returns 0 if there is none.
func separator(t []byte, i int) int {
	if i >= len(t) {
		return 0
	}
	switch c := t[i]; {
	case c == '-' || c == '.':
		return 1
	case c < 0xc2:
		return spaceAt(t, i)
	}
	if hasAt(t, i, "\u2010") || hasAt(t, i, "\u2011") || hasAt(t, i, "\u2013") {
		return 3
	}
	return spaceAt(t, i)
}

var cardGroups = [][]int{{4, 4, 4, 4, 3}, {4, 4, 4, 4}, {4, 6, 5}, {4, 6, 4}}

// group looks for cards in groups of digits, each followed by one separator.
func (f *finder) group(groups [][2]int) {
	t := f.text
	for k := 0; k < len(groups); k++ {
		from, to := groups[k][0], groups[k][1]
		if n := to - from; n == 15 || n == 16 {
			f.facebook(from, to)
		}
		if n := to - from; n >= 13 && n <= 19 {
			if n != 17 && n != 18 && number(t[from:to], false) && f.whole(from, to) {
				f.add(from, to, "card")
			}
			continue
		}
		for _, want := range cardGroups {
			if end := f.grouped(groups[k:], want); end > 0 {
				f.add(from, end, "card")
				k += len(want) - 1
				break
			}
		}
	}
}

// grouped returns the end of a card number in groups of these lengths with equal separators, or 0.
func (f *finder) grouped(groups [][2]int, want []int) int {
	if len(groups) < len(want) {
		return 0
	}
	t := f.text
	var digits []byte
	for i, n := range want {
		g := groups[i]
		if g[1]-g[0] != n || i > 1 && string(t[groups[i-1][1]:g[0]]) != string(t[groups[0][1]:groups[1][0]]) {
			return 0
		}
		digits = append(digits, t[g[0]:g[1]]...)
	}
	from, to := groups[0][0], groups[len(want)-1][1]
	if !number(digits, true) || from > 0 && (isAlnum(t[from-1]) || t[from-1] == '_') && !escapeEnds(t, from) ||
		to < len(t) && (isAlnum(t[to]) || t[to] == '_') {
		return 0
	}
	return to
}

// number reports whether digits are a card number. Among lengths over 16, which ids have as well,
// it accepts UnionPay's, and Visa's in groups.
func number(text []byte, grouped bool) bool {
	var digits [19]byte
	d := digits[:len(text)]
	for i, c := range text {
		d[i] = c - '0'
	}
	return issued(d) && (len(d) <= 16 || d[0] == 6 && d[1] == 2 || len(d) == 19 && d[0] == 4 && grouped) && luhn(d)
}

// whole reports whether a run of digits is no part of a word, an id or a fraction.
func (f *finder) whole(from, to int) bool {
	t := f.text
	if from > 0 && !escapeEnds(t, from) {
		switch c := t[from-1]; {
		case c == 'B' && from > 1 && t[from-2] == '%': // track 1
		case isAlnum(c):
			if from < 3 || t[from-3] != '%' { // %20
				return false
			}
		case c == '_' || c == '@' || c == '/' || c == '-' && from > 1 && (isAlnum(t[from-2]) || t[from-2] == '-'),
			c == '.' && from > 1 && isAlnum(t[from-2]):
			return false
		}
	}
	if to < len(t) {
		switch c := t[to]; {
		case isAlnum(c) || c == '_' || c == '@',
			c == '-' && to+1 < len(t) && isAlnum(t[to+1]) && !short(t, to+1),
			c == '.' && to+1 < len(t) && (isAlnum(t[to+1]) || t[to+1] == '_'):
			return false
		case c == '/':
			return to+1 < len(t) && isDigit(t[to+1]) && short(t, to+1)
		}
	}
	return true
}

// short reports whether a number of at most four digits, such as part of a date, is at i, and no
// word.
func short(t []byte, i int) bool {
	end := digitClass.run(t, i)
	return end > i && end-i <= 4 && (end >= len(t) || !isLetter(t[end]) && t[end] != '_')
}

// facebook adds the access token of an app: its number, | or its escape, and at least 27
// characters.
func (f *finder) facebook(from, to int) {
	begin := to
	if hasAt(f.text, to, "|") || hasAt(f.text, to, "%") {
		begin++
	}
	end := tokenClass.run(f.text, begin)
	if begin > to && end-begin >= 27 {
		f.add(from, end, "facebook-token")
	}
}

// wide reports whether a text has a space or hyphen of several bytes next to a digit, which can
// hide a number from the filter.
func wide(t []byte) bool {
	for _, first := range []byte{0xc2, 0xe2, 0xe3} {
		for rest := t; ; {
			i := bytes.IndexByte(rest, first)
			if i < 0 {
				break
			}
			if n := separator(rest, i); n > 0 && i+n < len(rest) && isDigit(rest[i+n]) {
				return true
			}
			rest = rest[i+1:]
		}
	}
	return false
}
