package redact

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
)

// Set is rules made ready. Many goroutines may use one.
type Set struct {
	shapes  []shape
	filter  *filter
	names   names
	numeric []string
	custom  []custom
	private []string
	builtIn bool
	always  bool // there is a pattern of which nothing is known that a text must contain
}

type custom struct {
	Pattern
	re       *regexp.Regexp
	contains []byte
}

// Compile makes rules ready. It refuses (ErrRules) a built-in set that this release does not have, or has otherwise.
func Compile(r *Rules) (*Set, error) {
	if err := r.Check(); err != nil {
		return nil, err
	}
	if r.Set != 0 && Hash(r.Set) != r.Hash {
		return nil, fmt.Errorf("%w: this release does not know built-in set %d with the hash %s", ErrRules, r.Set, r.Hash)
	}
	s := &Set{private: r.Private, builtIn: r.Set != 0, numeric: numeric1}
	list := []literal{{text: `\u00`, what: isEscape}, {text: `:\/`, what: isEscape}, {text: `:/\`, what: isEscape}, {text: `\//`, what: isEscape}, {text: `/\/`, what: isEscape},
		{text: "data_base64", what: isEscape}} // what it holds is not seen either
	if s.builtIn {
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
	}
	for _, n := range r.Names {
		s.names.add(n.Name, n.Kind)
		s.always, s.names.parts = true, nil // its words may be parted in any way
	}
	for _, p := range r.Rules {
		s.custom = append(s.custom, custom{p, regexp.MustCompile(p.Match), []byte(p.Contains)})
		s.always = s.always || p.Contains == ""
	}
	s.filter = newFilter(list)
	return s, nil
}

// Private are the attributes that go into the payload.
func (s *Set) Private() []string { return s.private }

// May says whether anything can be found in raw, which may be JSON with strings as they are written: no event in which it finds nothing is changed by the others.
func (s *Set) May(raw []byte) bool {
	if s.always {
		return true
	}
	for i := range s.custom {
		if bytes.Contains(raw, s.custom[i].contains) {
			return true
		}
	}
	may := false
	f := finder{text: raw}
	s.filter.each(raw, func(lit *literal, at int) bool {
		switch {
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
		from, to := card(f.text, at)
		may = to > from
		return !may
	})
	return may
}

// finder is one pass over one text.
type finder struct {
	set             *Set
	text            []byte
	spans           []span
	known, connects bool
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

// find collects what there is to replace, in order and without overlap.
func (f *finder) find() {
	done := 0 // up to where a match has consumed the text
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
	for i := range f.set.custom {
		c := &f.set.custom[i]
		if !bytes.Contains(f.text, c.contains) {
			continue
		}
		for _, m := range c.re.FindAllIndex(f.text, -1) {
			f.add(m[0], m[1], c.Kind)
		}
	}
	f.settle()
}

// settle orders the spans, and joins those that overlap.
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

// once replaces what is found in one pass.
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

// Text redacts a text. It returns the kinds found, in order; with none, t itself.
func (s *Set) Text(t []byte) ([]byte, []string) {
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
	return []byte(Mark(kinds[0])), kinds // so that it is the same, redacted again
}

// Value redacts the value of a member or attribute of a name: all of it, if the name says that it is a secret.
func (s *Set) Value(name string, t []byte) ([]byte, []string) {
	if kind := s.names.kind([]byte(name)); kind != "" && secretValue(t, name) {
		return []byte(Mark(kind)), []string{kind}
	}
	return s.Text(t)
}

// secretValue leaves out what a name alone does not make a secret: nothing, a mark, a mask, and a directory under pwd.
func secretValue(t []byte, name string) bool {
	if len(t) == 0 || placeholder(t) {
		return false
	}
	return len(name) != 3 || (name[0]|0x20) != 'p' || t[0] != '/' && t[0] != '~' && !(len(t) > 1 && t[1] == ':')
}
