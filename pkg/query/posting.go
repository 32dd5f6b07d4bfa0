package query

import (
	"slices"
	"sort"
)

// postings walks one ascending list of indexes in one direction. The list itself only grows, so that a copy of its slice is a
// snapshot that needs no lock.
type postings struct {
	list []uint32
	at   int // ascending: list[:at] lies behind; descending: list[at:] does
}

// ceil is the first index from x on. x must not fall from call to call. It gallops, so that lists of very different length
// are intersected in about the time that the shorter one takes.
func (p *postings) ceil(x int64) (int64, bool) {
	step := 1
	for p.at+step <= len(p.list) && int64(p.list[p.at+step-1]) < x {
		p.at += step
		step *= 2
	}
	near := p.list[p.at:min(p.at+step, len(p.list))]
	p.at += sort.Search(len(near), func(i int) bool { return int64(near[i]) >= x })
	if p.at == len(p.list) {
		return 0, false
	}
	return int64(p.list[p.at]), true
}

// floor is the last index up to x. x must not rise from call to call.
func (p *postings) floor(x int64) (int64, bool) {
	step := 1
	for p.at-step >= 0 && int64(p.list[p.at-step]) > x {
		p.at -= step
		step *= 2
	}
	begin := max(p.at-step, 0)
	near := p.list[begin:p.at]
	p.at = begin + sort.Search(len(near), func(i int) bool { return int64(near[i]) > x })
	if p.at == 0 {
		return 0, false
	}
	return int64(p.list[p.at-1]), true
}

// union is the entries that have any of several values of one field.
type union []postings

func (u union) length() (n int) {
	for i := range u {
		n += len(u[i].list)
	}
	return n
}

// seek is the nearest index from x on in the direction of the search.
func (u union) seek(x int64, descending bool) (best int64, found bool) {
	for i := range u {
		if descending {
			if y, ok := u[i].floor(x); ok && (!found || y > best) {
				best, found = y, true
			}
		} else if y, ok := u[i].ceil(x); ok && (!found || y < best) {
			best, found = y, true
		}
	}
	return best, found
}

// search yields the entries that a filter matches, in one direction, out of a snapshot of the index.
type search struct {
	fields     []union // an entry must be in each
	span       span
	times      times
	descending bool
	size       uint64 // of the snapshot
	at         int64  // next index to look at
}

// start sets the first index to look at and the direction.
func (s search) start(at int64, descending bool) *search {
	s.fields = slices.Clone(s.fields)
	for i, u := range s.fields {
		s.fields[i] = slices.Clone(u)
		for j := range s.fields[i] {
			s.fields[i][j].at = 0
			if descending {
				s.fields[i][j].at = len(u[j].list)
			}
		}
	}
	slices.SortStableFunc(s.fields, func(a, b union) int { return a.length() - b.length() })
	s.at, s.descending = at, descending
	return &s
}

// next is the next match. Fields leap over each other until they meet.
func (s *search) next() (uint64, bool) {
	for s.at >= 0 && s.at < int64(s.size) {
		x, ok := s.meet(s.at)
		if !ok {
			break
		}
		if s.at = x + 1; s.descending {
			s.at = x - 1
		}
		if s.span.open() || s.span.has(&s.times, uint32(x)) {
			return uint64(x), true
		}
	}
	s.at = -1
	return 0, false
}

// meet is the nearest index from x on that is in every field.
func (s *search) meet(x int64) (int64, bool) {
	for agreed := 0; agreed < len(s.fields); {
		for _, u := range s.fields {
			y, ok := u.seek(x, s.descending)
			if !ok {
				return 0, false
			}
			if y != x {
				x, agreed = y, 0
			}
			if agreed++; agreed == len(s.fields) {
				break
			}
		}
	}
	return x, true
}

// count is the number of matches, and the first and the last of them.
func (s search) count() (n, first, last uint64) {
	all := s.start(0, false)
	for x, ok := all.next(); ok; x, ok = all.next() {
		if n++; n == 1 {
			first = x
		}
		last = x
	}
	return n, first, last
}
