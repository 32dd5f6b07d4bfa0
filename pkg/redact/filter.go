package redact

import (
	"encoding/binary"
	"strings"
)

// literal is a text that leads to a secret. what says how.
type literal struct {
	text string
	fold bool
	what int // index of a shape, or one of the kinds below
}

const (
	isName   = -1 // part of a name whose value may be a secret
	isEscape = -2 // a JSON escape that can hide a letter
)

// filter finds literals. For each literal it knows three adjacent, rare characters, as two pairs.
// It checks every other pair of the text, so it meets one of the two pairs wherever the literal is,
// and loads eight bytes at once. Of the pairs that it meets, few belong to the three characters of
// a literal. These are checked exactly.
type filter struct {
	pairs   [1 << 15 / 64]uint64
	triples [1 << 16 / 64]uint64 // by hash
	buckets [1 << 15]uint16      // index in lists; 0 if there is none
	lists   [][]place
}

// place is a literal and the offset of the pair in it.
type place struct {
	lit *literal
	off int
}

func pairOf(a, b byte) uint16 { return uint16(a&0x7f) | uint16(b&0x7f)<<8 }

// tripleOf returns the hash of three characters.
func tripleOf(a, b, c byte) uint16 {
	return uint16((uint32(a&0x7f) | uint32(b&0x7f)<<7 | uint32(c&0x7f)<<14) * 0x9e3779b1 >> 16)
}

// cases returns the cases in which a literal accepts its i-th character.
func (l *literal) cases(i int) []byte {
	c := l.text[i]
	if l.fold && c >= 'a' && c <= 'z' {
		return []byte{c, c &^ 0x20}
	}
	return []byte{c}
}

func newFilter(list []literal, rarest func(text string) int) *filter {
	f := &filter{lists: [][]place{nil}}
	for i := range list {
		lit := &list[i]
		w := rarest(lit.text)
		for _, a := range lit.cases(w) {
			for _, b := range lit.cases(w + 1) {
				for _, c := range lit.cases(w + 2) {
					n := tripleOf(a, b, c)
					f.triples[n>>6] |= 1 << (n & 63)
				}
			}
		}
		for off := w; off < w+2; off++ {
			for _, a := range lit.cases(off) {
				for _, b := range lit.cases(off + 1) {
					f.put(pairOf(a, b), place{lit, off})
				}
			}
		}
	}
	return f
}

func (f *filter) put(p uint16, at place) {
	if f.buckets[p] == 0 {
		f.lists = append(f.lists, nil)
		f.buckets[p] = uint16(len(f.lists) - 1)
	}
	f.lists[f.buckets[p]] = append(f.lists[f.buckets[p]], at)
	f.pairs[p>>6] |= 1 << (p & 63)
}

// rarest returns the start of the three characters that are rarest in ordinary text.
func rarest(text string) int {
	best, at := 1<<20, 0
	for i := 0; i+3 <= len(text); i++ {
		if score := rarity(text[i : i+3]); score < best {
			best, at = score, i
		}
	}
	return at
}

// rarity is lower for rarer characters.
func rarity(text string) int {
	score := 0
	for _, c := range []byte(text) {
		n := strings.IndexByte("\x00zqxjkvbpygfwmucldrhsnioate", c)
		if n < 0 { // not a lower-case letter
			n = 6
		}
		score += n * n
	}
	return score
}

const (
	sevens = 0x7f7f7f7f7f7f7f7f
	spaces = 0x2020202020202020
	tops   = 0xe0e0e0e0e0e0e0e0
)

// each yields the literals and their offsets, nearly in order, until yield returns false. It calls
// digits for offsets within what may be a long number.
func (f *filter) each(t []byte, yield func(lit *literal, at int) bool, digits func(at int) bool) {
	i := 0
	for ; i+9 <= len(t); i += 8 {
		w := binary.LittleEndian.Uint64(t[i:])
		x := w & sevens
		p0, p1, p2, p3 := uint16(x), uint16(x>>16), uint16(x>>32), uint16(x>>48)
		h0, h1 := f.pairs[p0>>6]>>(p0&63)&1, f.pairs[p1>>6]>>(p1&63)&1
		h2, h3 := f.pairs[p2>>6]>>(p2&63)&1, f.pairs[p3>>6]>>(p3&63)&1
		if y := w&tops ^ spaces; uint32(y) == 0 || y>>32 == 0 {
			// four bytes without a letter: any number of 13 digits has such
			at := i
			if uint32(y) != 0 {
				at += 4
			}
			if !digits(at) {
				return
			}
		}
		if h0|h1|h2|h3 == 0 {
			continue
		}
		if h0 != 0 && f.triple(t, i) && !f.pair(t, i, p0, yield) ||
			h1 != 0 && f.triple(t, i+2) && !f.pair(t, i+2, p1, yield) ||
			h2 != 0 && f.triple(t, i+4) && !f.pair(t, i+4, p2, yield) ||
			h3 != 0 && f.triple(t, i+6) && !f.pair(t, i+6, p3, yield) {
			return
		}
	}
	for ; i+1 < len(t); i += 2 {
		if p := pairOf(t[i], t[i+1]); f.pairs[p>>6]>>(p&63)&1 != 0 && !f.pair(t, i, p, yield) {
			return
		}
	}
}

// triple reports whether the pair at i, with the character before or after it, may be the three of
// a literal.
func (f *filter) triple(t []byte, i int) bool {
	if i < 1 || len(t)-i < 3 {
		return true
	}
	t = t[i-1 : i+3]
	m, n := tripleOf(t[0], t[1], t[2]), tripleOf(t[1], t[2], t[3])
	return (f.triples[m>>6]>>(m&63)|f.triples[n>>6]>>(n&63))&1 != 0
}

// pair checks the pair p at i exactly.
func (f *filter) pair(t []byte, i int, p uint16, yield func(lit *literal, at int) bool) bool {
	for _, pl := range f.lists[f.buckets[p]] {
		if at := i - pl.off; at >= 0 && pl.lit.stands(t, at) && !yield(pl.lit, at) {
			return false
		}
	}
	return true
}

// stands reports whether the literal is at an offset.
func (l *literal) stands(t []byte, at int) bool {
	if len(t)-at < len(l.text) {
		return false
	}
	if !l.fold {
		return string(t[at:at+len(l.text)]) == l.text
	}
	for k := range len(l.text) {
		c := t[at+k]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != l.text[k] {
			return false
		}
	}
	return true
}
