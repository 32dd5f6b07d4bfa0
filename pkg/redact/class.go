package redact

// class is a set of bytes.
type class [256]bool

func classOf(spec string) *class {
	c := new(class)
	for i := 0; i < len(spec); i++ {
		if i+2 < len(spec) && spec[i+1] == '-' {
			for b := int(spec[i]); b <= int(spec[i+2]); b++ {
				c[b] = true
			}
			i += 2
			continue
		}
		c[spec[i]] = true
	}
	return c
}

var (
	wordClass  = classOf("A-Za-z0-9_-") // no secret starts or ends next to one of these
	nameClass  = classOf("A-Za-z0-9_.-")
	spaceClass = classOf(" \t")
)

// run returns the end of the run of the class' characters from i on.
func (c *class) run(t []byte, i int) int {
	for i < len(t) && c[t[i]] {
		i++
	}
	return i
}

// begins reports whether a secret may start at i. In text that is JSON itself, the letter of an
// escape is no letter of a word.
func begins(t []byte, i int) bool {
	return i == 0 || !wordClass[t[i-1]] || escapeEnds(t, i)
}

// escapeEnds reports whether a JSON escape, such as \n or \u00e4, ends before i.
func escapeEnds(t []byte, i int) bool {
	return i >= 2 && t[i-2] == '\\' || i >= 6 && t[i-6] == '\\' && t[i-5] == 'u'
}
