package canonical

import (
	"strings"
	"unicode/utf8"
)

// IsDigit says whether c is a decimal digit.
func IsDigit(c byte) bool { return '0' <= c && c <= '9' }

// BadRune returns the place of the first character that SPEC 3.1 forbids, or −1.
func BadRune(s string) int {
	for i := 0; i < len(s); {
		if len(s)-i >= 8 {
			mark := unusual(eight(s, i))
			if mark == 0 {
				i += 8
				continue
			}
			i += lowest(mark)
		}
		c := s[i]
		if c < utf8.RuneSelf {
			if c < 0x20 || c == 0x7f {
				return i
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || forbidden(r) {
			return i
		}
		i += n
	}
	return -1
}

func forbidden(r rune) bool {
	return r < 0x20 || r >= 0x7f && r <= 0x9f || r >= 0xfdd0 && r <= 0xfdef || r&0xfffe == 0xfffe
}

// Clip cuts text to n bytes at a character's end and replaces what SPEC 3.1 forbids, so that it can
// stand in a leaf.
func Clip(s string, n int) string {
	var b strings.Builder
	for _, r := range s {
		if forbidden(r) {
			r = utf8.RuneError
		}
		if b.Len()+utf8.RuneLen(r) > n {
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}

// IsText says whether data goes into a record as a string (SPEC 7): UTF-8 without C0 controls but
// tab, LF and CR.
func IsText(data []byte) bool {
	for i := 0; i < len(data); {
		if len(data)-i >= 8 {
			mark := controls(eight(data, i))
			if mark == 0 {
				i += 8
				continue
			}
			i += lowest(mark)
		}
		if c := data[i]; c < 0x20 && c != '\t' && c != '\n' && c != '\r' {
			return false
		}
		i++
	}
	return utf8.Valid(data)
}

// TextEnd returns the offset of the quote that ends a JSON string whose content begins at i, or
// len(b) if it does not end. It checks nothing else of the string.
func TextEnd(b []byte, i int) int {
	for i < len(b) {
		if len(b)-i >= 8 {
			mark := ending(eight(b, i))
			if mark == 0 {
				i += 8
				continue
			}
			i += lowest(mark)
		}
		switch b[i] {
		case '"':
			return i
		case '\\':
			i++
		}
		i++
	}
	return len(b)
}
