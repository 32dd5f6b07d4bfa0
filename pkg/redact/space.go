package redact

// spaceAt returns the length of the white space within a line at i, or 0: a space, a tab, or a
// space of Unicode such as the no-break space.
func spaceAt(t []byte, i int) int {
	if i >= len(t) {
		return 0
	}
	switch c := t[i]; {
	case c == ' ' || c == '\t' || c == '\f' || c == '\v':
		return 1
	case c == 0xc2 && hasAt(t, i, "\u00a0"):
		return 2
	// en quad to zero width joiner, narrow no-break space
	case c == 0xe2 && i+2 < len(t) && t[i+1] == 0x80 && (t[i+2] >= 0x80 && t[i+2] <= 0x8d || t[i+2] == 0xaf),
		c == 0xe2 && (hasAt(t, i, "\u2060") || hasAt(t, i, "\u205f")), c == 0xe3 && hasAt(t, i, "\u3000"),
		c == 0xef && hasAt(t, i, "\ufeff"):
		return 3
	}
	return 0
}

// spaces2 returns the end of the white space within a line from i on.
func spaces2(t []byte, i int) int {
	for n := spaceAt(t, i); n > 0; n = spaceAt(t, i) {
		i += n
	}
	return i
}

// spaceBefore returns the length of the white space within a line that ends before i.
func spaceBefore(t []byte, i int) int {
	for n := 1; n <= 3 && n <= i; n++ {
		if spaceAt(t, i-n) == n {
			return n
		}
	}
	return 0
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func isAlnum(c byte) bool { return isLetter(c) || isDigit(c) }

func lower(b []byte) string {
	low := make([]byte, len(b))
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		low[i] = c
	}
	return string(low)
}
