package segment

import (
	"slices"
	"strings"
)

// Wanted selects rows: those that have, in every field that is set, one of its values or prefixes.
type Wanted [Fields]AnyOf

// AnyOf holds values and prefixes for one field. For Match, only PrefixField may have prefixes.
type AnyOf struct{ Values, Prefixes []string }

func (a *AnyOf) empty() bool { return len(a.Values) == 0 && len(a.Prefixes) == 0 }

// All reports whether every row is selected.
func (w *Wanted) All() bool {
	for f := range w {
		if !w[f].empty() {
			return false
		}
	}
	return true
}

// rows is the rows of one value, in a Builder or in a Segment.
type rows interface {
	weight() int // estimated cost of addTo
	addTo(*Bits)
}

// lookup returns the rows of a value, and removes from bits the rows whose value does not start
// with a text.
type lookup[R rows] interface {
	value(field int, value string) (R, bool)
	keepPrefix(text string, bits *Bits)
	span() (from, size int) // the rows to search
}

// Match sets bits to the selected rows and reports whether there are any. It overwrites bits and
// spare.
func (s *Segment) Match(w *Wanted, bits, spare *Bits) (bool, error) {
	r := &reading{Segment: s}
	any := match[posting](w, r, bits, spare)
	return any && r.err == nil, r.err
}

// Match sets bits to the selected rows from one on, and reports whether there are any. key is the
// key of the hashes. The cost grows with the number of these rows that have the rarest of the
// values.
func (b *Builder) Match(key Key, w *Wanted, from int, bits, spare *Bits) bool {
	return match[chain](w, &keyed{b, key, from}, bits, spare)
}

// union is the rows of the values of one field.
type union[R rows] struct {
	lists    []R
	prefixes []string
	weight   int
}

// match intersects the fields, the rarest first, so that it stops early if they have nothing in
// common.
func match[R rows](w *Wanted, in lookup[R], bits, spare *Bits) bool {
	from, size := in.span()
	unions := make([]union[R], 0, Fields)
	for f := range w {
		if w[f].empty() {
			continue
		}
		u := union[R]{prefixes: w[f].Prefixes, weight: len(w[f].Prefixes) * size}
		for _, v := range w[f].Values {
			if list, there := in.value(f, v); there {
				u.lists = append(u.lists, list)
				u.weight += list.weight()
			}
		}
		if len(u.lists) == 0 && len(u.prefixes) == 0 {
			return false
		}
		unions = append(unions, u)
	}
	slices.SortFunc(unions, func(a, b union[R]) int { return a.weight - b.weight })
	*bits = Bits{}
	if len(unions) == 0 || len(unions[0].prefixes) > 0 {
		bits.Fill(from, size)
	} else {
		for _, list := range unions[0].lists {
			list.addTo(bits)
		}
		unions = unions[1:]
	}
	for i := range unions {
		if !unions[i].keep(in, bits, spare) {
			return false
		}
	}
	return true
}

// keep removes the rows that are not in the union from bits, and reports whether any are left.
func (u *union[R]) keep(in lookup[R], bits, spare *Bits) bool {
	if len(u.lists) == 0 && len(u.prefixes) == 1 {
		in.keepPrefix(u.prefixes[0], bits)
		return bits.Next(0) >= 0
	}
	*spare = Bits{}
	for _, list := range u.lists {
		list.addTo(spare)
	}
	for _, text := range u.prefixes {
		some := *bits
		in.keepPrefix(text, &some)
		spare.Or(&some)
	}
	return bits.And(spare)
}

func (r *reading) value(field int, value string) (posting, bool) {
	if field >= TextFields {
		value = hashKey(r.key.Hash(value))
	}
	if !r.sieve.passes(r.sieved(field, []byte(value))) {
		return posting{}, false
	}
	return r.dict(field).find(value)
}

// keepPrefix uses that values are sorted, so that those with a prefix are a range of positions.
func (r *reading) keepPrefix(text string, bits *Bits) {
	lo, hi := r.dict(PrefixField).rangeOf(text)
	if lo == hi {
		*bits = Bits{}
		return
	}
	r.column(r.numbers).keep(bits, int64(lo), int64(hi-1), func(int, int64) bool { return true })
}

func (r *reading) span() (from, size int) { return 0, r.Rows }

// keyed is a Builder from a row on, with the key of its hashes.
type keyed struct {
	*Builder
	key  Key
	from int
}

func (k *keyed) value(field int, value string) (c chain, there bool) {
	if field < TextFields {
		c, there = k.text[field].find(value)
	} else {
		c, there = k.hashed[field-TextFields].find(short(k.key.Hash(value)))
	}
	c.from = int32(k.from)
	return c, there && c.last >= c.from
}

// keepPrefix checks the value of each row that is left or, if there are many, each value once.
func (k *keyed) keepPrefix(text string, bits *Bits) {
	v := &k.text[PrefixField]
	if bits.Count() < len(v.keys) {
		for row := bits.Next(0); row >= 0; row = bits.Next(row + 1) {
			if n := k.numbers[row]; n < 0 || !strings.HasPrefix(v.keys[n], text) {
				bits.Clear(row)
			}
		}
		return
	}
	var with Bits
	for n, value := range v.keys {
		if strings.HasPrefix(value, text) {
			v.chain(uint32(n)).addTo(&with)
		}
	}
	bits.And(&with)
}

func (k *keyed) span() (from, size int) { return k.from, k.n }

// chain is the rows of one value in a Builder.
type chain struct {
	last, count int32
	prev        []int32
	from        int32 // ignore rows before this one
}

func (v *values[K]) chain(number uint32) chain {
	return chain{v.last[number], v.count[number], v.prev, 0}
}

func (v *values[K]) find(key K) (c chain, there bool) {
	n, there := v.number[key]
	if !there {
		return c, false
	}
	return v.chain(n), true
}

func (c chain) weight() int { return int(c.count) }

func (c chain) addTo(bits *Bits) {
	for row := c.last; row >= c.from; row = c.prev[row] {
		bits.Set(int(row))
	}
}
