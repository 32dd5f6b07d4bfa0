package query

import (
	"github.com/sealstream/sealstream/internal/segment"
	"github.com/sealstream/sealstream/pkg/api"
)

// compiled is a normal filter, prepared for the search in parts.
type compiled struct {
	wanted segment.Wanted
	span   span
	all    bool // the filter matches everything
}

func compile(f api.Filter) *compiled {
	c := &compiled{span: newSpan(f)}
	for i, values := range f.Fields() {
		a := &c.wanted[i]
		for _, v := range *values {
			if i != api.ResourceField {
				a.Values = append(a.Values, v)
			} else if text, prefix := api.ResourceValue(v); prefix {
				a.Prefixes = append(a.Prefixes, text)
			} else {
				a.Values = append(a.Values, text)
			}
		}
	}
	c.all = c.wanted.All() && c.span.open()
	return c
}

// search yields the entries that a filter matches, in one direction, from a snapshot of the index.
// It searches each part when it reaches it.
type search struct {
	by    *compiled
	parts []*part
	// matches in the parts that were live at the time of the snapshot, which are the last ones
	found  []*segment.Bits
	rows   uint64
	size   uint64 // size of the snapshot
	barren marks  // parts without a match that earlier searches have found
	// failed handles an error of reading a part
	failed func(*frozen, error) error
	// sight limits the search to what a caller sees; nil: it sees everything. visible removes from
	// rows those of a frozen part that it does not see.
	sight   *sight
	visible func(f *frozen, rows, spare *segment.Bits) (bool, error)
	err     error // why next has ended early; the matches that it has given are not all of them

	descending bool
	at         int64 // next index to look at
	in         int64 // part that bits belongs to, or −1
	bits       *segment.Bits
	own, spare *segment.Bits
}

// search prepares a normal filter for a caller. It is called under the lock and searches live parts
// at once, from an index on.
func (x *index) search(who *sight, f api.Filter, from uint64) search {
	s := search{by: compile(f), parts: x.parts, rows: x.rows, size: x.size, sight: who}
	if s.everything() {
		return s
	}
	for _, p := range x.parts {
		if p.live != nil {
			s.found = append(s.found, x.matchLive(p, s.by, who, from))
		}
	}
	if full := len(s.parts) - len(s.found); full > 0 {
		s.barren = x.barren.of(who, f, full)
	}
	return s
}

// everything reports whether the search gives all entries of the log.
func (s *search) everything() bool { return s.by.all && s.sight == nil }

// matchLive returns what a filter matches, of what a caller sees, in a live part from an index on,
// or nil.
func (x *index) matchLive(p *part, by *compiled, who *sight, from uint64) *segment.Bits {
	if p.first+uint64(p.live.rows.Rows()) <= from {
		return nil
	}
	found, spare := new(segment.Bits), new(segment.Bits)
	row := int(max(from, p.first) - p.first)
	if !p.live.match(x.key, by, row, found, spare) {
		return nil
	}
	if who != nil {
		if p.live.visible(who, row, spare); !found.And(spare) {
			return nil
		}
	}
	return found
}

// matchPart returns what a filter matches, of what a caller sees, in a part, or nil.
func (q *Query) matchPart(x *index, p *part, by *compiled, who *sight) (*segment.Bits, error) {
	if p.live != nil {
		q.mu.RLock()
		defer q.mu.RUnlock()
		return x.matchLive(p, by, who, 0), nil
	}
	found, spare := new(segment.Bits), new(segment.Bits)
	any, err := p.frozen.match(by, found, spare)
	if any && err == nil && who != nil {
		any, err = q.keepVisible(p.frozen, who, found, spare)
	}
	if !any {
		found = nil
	}
	return found, q.damaged(x, p.frozen, err)
}

// start sets the first index to look at and the direction.
func (s search) start(at int64, descending bool) *search {
	s.at, s.descending, s.in = at, descending, -1
	if !s.everything() {
		s.own, s.spare = new(segment.Bits), new(segment.Bits)
	}
	return &s
}

// next returns the next match. It returns false after the last one, or after an error, which is
// then in err.
func (s *search) next() (uint64, bool) {
	for s.at >= 0 && s.at < int64(s.size) {
		x := s.at
		if !s.everything() {
			n, row := x/int64(s.rows), x%int64(s.rows)
			if s.in != n {
				if s.in, s.bits = n, s.match(int(n)); s.err != nil {
					break
				}
			}
			next := -1
			if s.bits != nil && s.descending {
				next = s.bits.Previous(int(row))
			} else if s.bits != nil {
				next = s.bits.Next(int(row))
			}
			if next < 0 {
				if s.at = (n + 1) * int64(s.rows); s.descending {
					s.at = n*int64(s.rows) - 1
				}
				continue
			}
			x += int64(next) - row
		}
		if s.at = x + 1; s.descending {
			s.at = x - 1
		}
		if x < int64(s.size) { // rows after it belong to a batch that is not added completely
			return uint64(x), true
		}
	}
	s.at = -1
	return 0, false
}

// match returns what the filter matches in a part, or nil.
func (s *search) match(n int) *segment.Bits {
	if live := n - (len(s.parts) - len(s.found)); live >= 0 {
		return s.found[live]
	}
	if s.barren.has(n) {
		return nil
	}
	f := s.parts[n].frozen
	any, err := f.match(s.by, s.own, s.spare)
	if any && err == nil && s.sight != nil {
		any, err = s.visible(f, s.own, s.spare)
	}
	if err != nil {
		s.err = s.failed(f, err)
		return nil
	}
	if !any {
		s.barren.set(n)
		return nil
	}
	return s.own
}

// count returns the number of matches, and the first and the last of them.
func (s search) count() (n, first, last uint64, err error) {
	if s.everything() && s.size > 0 {
		return s.size, 0, s.size - 1, nil
	}
	all := s.start(0, false)
	for x, ok := all.next(); ok; x, ok = all.next() {
		if n++; n == 1 {
			first = x
		}
		last = x
	}
	return n, first, last, all.err
}
