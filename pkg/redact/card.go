package redact

// card finds a payment card number around an offset: 13 to 19 digits in one run or in groups as on
// a card, in the range of an issuer (ISO/IEC 7812) and with a valid Luhn check digit.
func card(t []byte, at int) (from, to int) {
	const most = 24                    // characters of a number with its separators
	for n := 0; !isDigit(t[at]); n++ { // one of any four characters of a number is a digit
		if at++; n == 4 || at >= len(t) {
			return 0, 0
		}
	}
	for from = at; from > 0 && inNumber(t, from-1) && !escapeEnds(t, from); from-- {
		if at-from > most {
			return 0, 0
		}
	}
	for to = at; to < len(t) && inNumber(t, to); to++ {
		if to-from > most {
			return 0, 0
		}
	}
	if from > 0 && outside(t[from-1]) && !escapeEnds(t, from) || to < len(t) && outside(t[to]) && !endsSentence(t, to) {
		return 0, 0
	}
	var digits [20]byte
	n, group, groups, sep := 0, 0, uint64(0), byte(0)
	for _, c := range t[from:to] {
		if !isDigit(c) {
			if sep != 0 && c != sep {
				return 0, 0
			}
			sep, groups, group = c, groups<<4|uint64(group), 0
			continue
		}
		if n == len(digits) || group == 15 && sep != 0 {
			return 0, 0
		}
		digits[n], n, group = c-'0', n+1, group+1
	}
	if sep != 0 {
		switch groups<<4 | uint64(group) {
		case 0x4444, 0x465, 0x464, 0x44443:
		default:
			return 0, 0
		}
	}
	if !issued(digits[:n]) || !luhn(digits[:n]) {
		return 0, 0
	}
	return from, to
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// inNumber reports whether the character at i is a digit, or a single space or hyphen between two
// digits.
func inNumber(t []byte, i int) bool {
	return isDigit(t[i]) || (t[i] == ' ' || t[i] == '-') && i > 0 && i+1 < len(t) && isDigit(t[i-1]) && isDigit(t[i+1])
}

// outside reports whether a number next to this character is part of something else.
func outside(c byte) bool {
	return wordClass[c] || c == '.' || c == '+' || c == '/' || c == '%' || c == '@'
}

// endsSentence reports whether the character at i is a full stop that no word follows.
func endsSentence(t []byte, i int) bool {
	return t[i] == '.' && (i+1 == len(t) || !wordClass[t[i+1]])
}

// issued reports whether a number has the prefix and the length of a card of Visa, Mastercard,
// American Express, Diners Club, Discover, JCB or UnionPay.
func issued(d []byte) bool {
	n := len(d)
	if n < 13 || n > 19 {
		return false
	}
	four := int(d[0])*1000 + int(d[1])*100 + int(d[2])*10 + int(d[3])
	switch two := four / 100; {
	case d[0] == 4:
		return n == 13 || n == 16 || n == 19
	case two >= 51 && two <= 55 || four >= 2221 && four <= 2720:
		return n == 16
	case two == 34 || two == 37:
		return n == 15
	case two == 36 || two == 38 || four/10 >= 300 && four/10 <= 305:
		return n == 14 || n == 16
	case four == 6011 || two == 65 || four/10 >= 644 && four/10 <= 649 || two == 62 || four >= 3528 && four <= 3589:
		return n >= 16
	}
	return false
}

func luhn(d []byte) bool {
	sum := 0
	for i := range d {
		v := int(d[len(d)-1-i])
		if i&1 == 1 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return sum%10 == 0
}
