package redact

import (
	"fmt"
	"strconv"
	"strings"
)

// form describes what follows the start of a secret of set 2, as words separated by spaces. The
// words are matched in order, each as far as possible and without backtracking:
//
//	class:n    at least n characters of the class
//	class=n    exactly n characters of the class
//	*.class:n  any number of times a full stop and at least n characters of the class
//	other      the text itself; one that starts with ~ is optional
//
// The text is part of the table, because the Python SDK reads the same table.
type form []formPart

type formPart struct {
	text     string // used if class is nil
	class    *class
	least    int
	exact    bool
	repeated bool // repeated, each after a full stop
	optional bool
}

func parseForm(text string) (form, error) {
	var f form
	for _, word := range strings.Fields(text) {
		p := formPart{}
		name, n, ok := strings.Cut(word, ":")
		if !ok {
			name, n, ok = strings.Cut(word, "=")
			p.exact = ok
		}
		if rest, dotted := strings.CutPrefix(name, "*."); dotted {
			name, p.repeated = rest, true
		}
		if p.class = classes2[name]; !ok || p.class == nil {
			text, optional := strings.CutPrefix(word, "~")
			f = append(f, formPart{text: text, optional: optional})
			continue
		}
		var err error
		if p.least, err = strconv.Atoi(n); err != nil {
			return nil, fmt.Errorf("form %q: %w", text, err)
		}
		f = append(f, p)
	}
	return f, nil
}

func mustForm(text string) form {
	f, err := parseForm(text)
	if err != nil {
		panic(err) // the tables are constant
	}
	return f
}

// match returns the end of the form that starts at i, or -1. With fold, texts match in any case.
func (f form) match(t []byte, i int, fold bool) int {
	for k := range f {
		p := &f[k]
		switch {
		case p.class == nil:
			if !hasAt(t, i, p.text) &&
				!(fold && i+len(p.text) <= len(t) && strings.EqualFold(string(t[i:i+len(p.text)]), p.text)) {
				if p.optional {
					continue
				}
				return -1
			}
			i += len(p.text)
		case p.repeated:
			for i < len(t) && t[i] == '.' {
				end := p.class.run(t, i+1)
				if end-i-1 < p.least {
					break
				}
				i = end
			}
		default:
			end := p.class.run(t, i)
			if n := end - i; n < p.least || p.exact && n > p.least {
				return -1
			}
			i = end
		}
	}
	return i
}

func hasAt(t []byte, i int, text string) bool {
	return i >= 0 && len(t)-i >= len(text) && string(t[i:i+len(text)]) == text
}
