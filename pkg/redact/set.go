package redact

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
)

// Set is compiled rules. It is safe for concurrent use.
type Set struct {
	rules   Rules // those that it was compiled from
	shapes  []shape
	filter  *filter
	names   names
	numeric []string
	custom  []custom
	private []string
	builtIn bool
	second  bool // redacts by set 2
	shapes2 []compiled2
	issuers []issuer
	always  bool // a pattern or name has no text that May could look for
}

type custom struct {
	Pattern
	re       *regexp.Regexp
	contains []byte
}

// Compile compiles rules. The error wraps ErrRules if they are invalid, or if this release lacks
// the built-in set or has another one of that number.
func Compile(r *Rules) (*Set, error) {
	if err := r.Check(); err != nil {
		return nil, err
	}
	if r.Set != 0 && Hash(r.Set) != r.Hash {
		return nil, fmt.Errorf("%w: this release does not know built-in set %d with the hash %s", ErrRules, r.Set, r.Hash)
	}
	s := &Set{rules: r.clone(), private: r.Private, builtIn: r.Set != 0, numeric: numeric1}
	list := []literal{
		{text: `\u00`, what: isEscape},
		{text: `:\/`, what: isEscape},
		{text: `:/\`, what: isEscape},
		{text: `\//`, what: isEscape},
		{text: `/\/`, what: isEscape},
		{text: "data_base64", what: isEscape},
	} // its content is not searched either
	rare := rarest
	switch r.Set {
	case 1:
		s.shapes = shapes1
		for i, sh := range shapes1 {
			list = append(list, literal{text: sh.start, fold: sh.fold, what: i})
		}
		for _, n := range names1 {
			s.names.add(n.name, n.kind)
		}
		s.names.not, s.names.parts = notNames1, anchors1
		for _, a := range anchors1 {
			list = append(list, literal{text: a, fold: true, what: isName})
		}
	case 2:
		s.second, rare = true, rarest2
		list = append(list, s.literals2()...)
	}
	for _, n := range r.Names {
		s.names.add(n.Name, n.Kind)
		s.always, s.names.parts = true, nil // its words may have any separators
	}
	for _, p := range r.Rules {
		s.custom = append(s.custom, custom{p, regexp.MustCompile(p.Match), []byte(p.Contains)})
		s.always = s.always || p.Contains == ""
	}
	s.filter = newFilter(list, rare)
	return s, nil
}

// Equal reports whether two sets were compiled from the same rules, and so redact alike. A nil set
// equals only another nil set.
func (s *Set) Equal(other *Set) bool {
	return s == other || s != nil && other != nil && s.rules.Equal(&other.rules)
}

// Private returns the attributes that are stored in the payload instead of the leaf.
func (s *Set) Private() []string { return s.private }

// May reports whether the other methods may find a secret in raw, which may be JSON with escapes.
// If it returns false, they would change nothing.
func (s *Set) May(raw []byte) bool {
	if s.always {
		return true
	}
	for i := range s.custom {
		if bytes.Contains(raw, s.custom[i].contains) {
			return true
		}
	}
	may, numbers := false, 0
	f := finder{set: s, text: raw}
	s.filter.each(raw, func(lit *literal, at int) bool {
		switch {
		case s.second:
			may = s.may2(raw, lit, at)
		case lit.what == isName:
			from, to := around(raw, at, at+len(lit.text))
			may = s.names.kind(raw[from:to]) != ""
		case lit.what == isEscape:
			may = true
		case s.shapes[lit.what].match == "url":
			may = mayURL(raw, at)
		default:
			may = lit.text[0] == '-' || begins(raw, at)
		}
		return !may
	}, func(at int) bool {
		if s.second {
			if at >= numbers {
				numbers = f.near(at)
			}
			may = len(f.spans) > 0
			return !may
		}
		from, to := card(f.text, at)
		may = to > from
		return !may
	})
	if s.second && !may && wide(raw) {
		f.cards()
		may = len(f.spans) > 0
	}
	return may
}

// finder is one pass over one text.
type finder struct {
	set             *Set
	text            []byte
	spans           []span
	known, connects bool
	secrets         bool // a Kubernetes Secret was found
	curled          int  // end of the curl command lines searched so far
}

type span struct {
	from, to int
	kind     string
}

func (f *finder) add(from, to int, kind string) {
	if to > from {
		f.spans = append(f.spans, span{from, to, kind})
	}
}

// find collects the secrets, in order and without overlap.
func (f *finder) find() {
	if f.set.second {
		f.find2()
		return
	}
	done := 0 // end of what matches have consumed
	f.set.filter.each(f.text, func(lit *literal, at int) bool {
		if at < done || lit.what == isEscape {
			return true
		}
		if lit.what == isName {
			from, to := around(f.text, at, at+len(lit.text))
			if kind := f.set.names.kind(f.text[from:to]); kind != "" {
				begin, end := f.assigned(from, to, kind)
				f.add(begin, end, kind)
				done = max(done, end)
			}
			return true
		}
		sh := &f.set.shapes[lit.what]
		begin, end := sh.matches(f.text, at)
		f.add(begin, end, sh.kind)
		done = max(done, end)
		return true
	}, func(at int) bool {
		if f.set.builtIn && at >= done {
			begin, end := card(f.text, at)
			f.add(begin, end, "card")
			done = max(done, end)
		}
		return true
	})
	f.patterns()
	f.settle()
}

// settle sorts the spans and joins those that overlap.
func (f *finder) settle() {
	if len(f.spans) < 2 {
		return
	}
	slices.SortStableFunc(f.spans, func(a, b span) int { return a.from - b.from })
	kept := f.spans[:1]
	for _, s := range f.spans[1:] {
		if last := &kept[len(kept)-1]; s.from < last.to {
			last.to = max(last.to, s.to)
			continue
		}
		kept = append(kept, s)
	}
	f.spans = kept
}

// once replaces what one pass finds.
func (s *Set) once(t []byte, kinds []string) ([]byte, []string) {
	f := finder{set: s, text: t}
	if f.find(); len(f.spans) == 0 {
		return t, kinds
	}
	out, last := make([]byte, 0, len(t)+32*len(f.spans)), 0
	for _, sp := range f.spans {
		out = append(out, t[last:sp.from]...)
		if IsMark(t[sp.from:sp.to]) {
			out = append(out, t[sp.from:sp.to]...)
		} else {
			out = append(append(append(out, open...), sp.kind...), ']')
			kinds = append(kinds, sp.kind)
		}
		last = sp.to
	}
	return append(out, t[last:]...), kinds
}

// Text redacts a text and returns the kinds found, in order. If it finds none, it returns t itself.
func (s *Set) Text(t []byte) ([]byte, []string) {
	if s.second {
		return s.text2(t, 0)
	}
	return s.plain(t)
}

// plain redacts a text without reading it as JSON.
func (s *Set) plain(t []byte) ([]byte, []string) {
	var kinds []string
	for range maxRounds {
		out, more := s.once(t, kinds)
		if len(more) == len(kinds) {
			return out, kinds
		}
		t, kinds = out, more
	}
	if out, more := s.once(t, nil); len(more) == 0 {
		return out, kinds
	}
	return []byte(Mark(kinds[0])), kinds // so that redacting it again changes nothing
}

// Value redacts the value of a member or attribute. It replaces the whole value if the name says
// that it is a secret.
func (s *Set) Value(name string, t []byte) ([]byte, []string) {
	if kind := s.names.kind([]byte(name)); kind != "" && secretValue(t, name) {
		return []byte(Mark(kind)), []string{kind}
	}
	return s.Text(t)
}

// secretValue reports whether a value under the name of a secret is one. Empty values, marks, masks
// and a directory under pwd are not.
func secretValue(t []byte, name string) bool {
	if len(t) == 0 || placeholder(t) {
		return false
	}
	return len(name) != 3 || (name[0]|0x20) != 'p' || t[0] != '/' && t[0] != '~' && !(len(t) > 1 && t[1] == ':')
}
