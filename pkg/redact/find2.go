package redact

import (
	"bytes"
	"slices"
)

type compiled2 struct {
	shape2
	parts form
}

type issuer struct {
	word, kind string
	parts      form
}

// Values of what from firstIssuer down are issuers: firstIssuer less the index in the list.
const firstIssuer = -3

// literals2 prepares the tables of set 2 and returns its literals.
func (s *Set) literals2() []literal {
	list := []literal{{text: `.com\/`, what: isEscape}}
	for i, sh := range shapes2 {
		s.shapes2 = append(s.shapes2, compiled2{sh, mustForm(sh.form)})
		list = append(list, literal{text: sh.start, fold: sh.fold, what: i})
	}
	for i, is := range issuers2 {
		s.issuers = append(s.issuers, issuer{is.word, issuerKind(is.word), mustForm(is.form)})
		if i == 0 || issuers2[i-1].word != is.word {
			list = append(list, literal{text: is.word, fold: true, what: firstIssuer - i})
		}
	}
	for _, n := range names2 {
		s.names.add(n.name, n.kind)
	}
	s.names.not, s.names.parts = notNames2, anchors2
	for _, a := range anchors2 {
		list = append(list, literal{text: a, fold: true, what: isName})
	}
	return list
}

func issuerKind(word string) string {
	var b []byte
	for i := range len(word) {
		if isAlnum(word[i]) {
			b = append(b, word[i])
		}
	}
	return string(b) + "-key"
}

// may2 reports whether a literal can lead to a secret, in text with the escapes of JSON.
func (s *Set) may2(raw []byte, lit *literal, at int) bool {
	switch {
	case lit.what <= firstIssuer || lit.what == isEscape:
		return true
	case lit.what == isName:
		from, to := around(raw, at, at+len(lit.text))
		return s.nameKind(raw[from:to]) != "" || generic[lit.text] != "" && mayGeneric(raw, at+len(lit.text))
	}
	return s.shapes2[lit.what].may(raw, at)
}

// nameKind returns the kind of the secret that a name, or its last words, names.
func (s *Set) nameKind(name []byte) string { return s.names.kind(name) }

type hit struct {
	at  int
	lit *literal
}

// find2 collects the secrets by set 2: by literals from left to right, skipping what an earlier one
// has consumed, then cards, then the patterns of the rules.
func (f *finder) find2() {
	var hits []hit
	numbers := 0
	f.set.filter.each(f.text, func(lit *literal, at int) bool {
		if lit.what != isEscape {
			hits = append(hits, hit{at, lit})
		}
		return true
	}, func(at int) bool {
		if at >= numbers {
			numbers = f.near(at)
		}
		return true
	})
	if len(hits) > 1 {
		f.sort(hits)
	}
	done, name := 0, -1
	for _, h := range hits {
		if h.at < done {
			continue
		}
		var begin, end int
		var kind string
		switch what := h.lit.what; {
		case what <= firstIssuer:
			begin, end, kind = f.issued(firstIssuer-what, h.at+len(h.lit.text))
		case what == isName:
			from, to := around(f.text, h.at, h.at+len(h.lit.text))
			if from == name {
				continue
			}
			name = from
			if h.lit.text == "secret" {
				f.kubernetes(from)
			}
			if kind = f.set.nameKind(f.text[from:to]); kind != "" {
				begin, end = f.assigned2(from, to, kind)
			} else if kind = generic[h.lit.text]; kind != "" && suspicious(f.text[max(from, h.at-12):to]) {
				begin, end = f.generic(h.at+len(h.lit.text), kind == "password")
			}
		default:
			sh := &f.set.shapes2[what]
			kind = sh.kind
			begin, end = f.match2(sh, h.at)
		}
		f.add(begin, end, kind)
		done = max(done, end)
	}
	if wide(f.text) {
		f.cards()
	}
	f.patterns()
	f.settle()
}

func (f *finder) sort(hits []hit) {
	slices.SortFunc(hits, func(a, b hit) int {
		if a.at != b.at {
			return a.at - b.at
		}
		return f.set.order(a.lit) - f.set.order(b.lit)
	})
}

// order sorts literals at the same offset in the order of the tables.
func (s *Set) order(lit *literal) int {
	switch {
	case lit.what <= firstIssuer:
		return len(s.shapes2) + firstIssuer - lit.what
	case lit.what == isName:
		return len(s.shapes2) + len(s.issuers)
	}
	return lit.what
}

// patterns adds the matches of the rules' own patterns.
func (f *finder) patterns() {
	for i := range f.set.custom {
		c := &f.set.custom[i]
		if !bytes.Contains(f.text, c.contains) {
			continue
		}
		for _, m := range c.re.FindAllIndex(f.text, -1) {
			f.add(m[0], m[1], c.Kind)
		}
	}
}

var (
	issuerName = classOf("A-Za-z0-9_. \t-")
	issuerGap  = classOf(" \t\r\n\f\v'\"\\")
	issuerOp   = classOf("=:>|?,")
	issuerLead = classOf("`'\" \t\r\n\f\v=\\")
)

// issued finds the value assigned to a name that contains an issuer's word, if it has one of that
// issuer's forms. i is the offset after the word.
func (f *finder) issued(first, i int) (int, int, string) {
	t := f.text
	end := min(len(t), i+20)
	for i < end && issuerName[t[i]] {
		i++
	}
	for n := 0; n < 4 && i < len(t) && issuerGap[t[i]]; n++ {
		i++
	}
	begin := i
	for i-begin < 4 && i < len(t) && issuerOp[t[i]] {
		i++
	}
	if i == begin {
		return 0, 0, ""
	}
	for n := 0; n < 6; n++ {
		if k := spaceAt(t, i); k > 0 {
			i += k
		} else if i < len(t) && issuerLead[t[i]] {
			i++
		} else {
			break
		}
	}
	for from := i; from >= i-1 && from > begin; from-- {
		if from < i && t[from] != '=' { // = can be part of the value
			break
		}
		if to := f.set.issuerForm(first, t, from); to > from {
			return from, to, f.set.issuers[first].kind
		}
	}
	return 0, 0, ""
}

const maxIssued = 512 // characters of a value that are checked

// issuerForm returns the end of a value at i that has one of the forms of an issuer, or 0.
func (s *Set) issuerForm(first int, t []byte, i int) int {
	t = t[:min(len(t), i+maxIssued)]
	for k := first; k < len(s.issuers) && s.issuers[k].word == s.issuers[first].word; k++ {
		to := s.issuers[k].parts.match(t, i, true)
		if to < 0 || to < len(t) && wordClass[t[to]] {
			continue
		}
		if random(t[i:to]) {
			return to
		}
	}
	return 0
}

// random reports whether a value has letters and digits, or letters in a mix of cases that words do
// not have.
func random(v []byte) bool {
	letter, changes := false, 0
	for i, c := range v {
		letter = letter || isLetter(c)
		if i > 0 && isLetter(c) && isLetter(v[i-1]) && (c^v[i-1])&0x20 != 0 {
			changes++
		}
	}
	return letter && (hasDigit(v) || 10*changes >= 3*len(v))
}

// issuerOf returns the kind of the issuer's secret that is the value of a member of this name, or
// "".
func (s *Set) issuerOf(name, value []byte) string {
	if len(value) < 14 || !hasDigit(value) {
		return ""
	}
	kind := ""
	s.filter.each(name, func(lit *literal, at int) bool {
		if lit.what <= firstIssuer && s.issuerForm(firstIssuer-lit.what, value, 0) > 0 {
			kind = s.issuers[firstIssuer-lit.what].kind
		}
		return kind == ""
	}, func(int) bool { return true })
	return kind
}
