package segment

import (
	"bytes"
	"strings"
)

// Select adds to bits the rows whose value of a text field is one of some values or starts with one
// of their prefixes. A row without a value is never selected.
func (s *Segment) Select(field int, by AnyOf, bits *Bits) error {
	r := &reading{Segment: s}
	d := r.dict(field)
	for _, v := range by.Values {
		if p, there := d.find(v); there {
			p.addTo(bits)
		}
	}
	for _, text := range by.Prefixes {
		d.withPrefix(text, func(p posting) { p.addTo(bits) })
	}
	return r.err
}

// Select adds to bits the rows from one on whose value of a text field is one of some values or
// starts with one of their prefixes. A prefix costs a comparison with each distinct value.
func (b *Builder) Select(field int, by AnyOf, from int, bits *Bits) {
	v := &b.text[field]
	add := func(c chain) {
		c.from = int32(from)
		c.addTo(bits)
	}
	for _, text := range by.Values {
		if c, there := v.find(text); there {
			add(c)
		}
	}
	for _, text := range by.Prefixes {
		for n, key := range v.keys {
			if strings.HasPrefix(key, text) {
				add(v.chain(uint32(n)))
			}
		}
	}
}

// withPrefix yields the rows of each value that starts with a text. Values are sorted, so these
// follow each other.
func (d dict) withPrefix(text string, yield func(posting)) {
	d.each(d.block(text), func(k []byte, p posting) bool {
		if bytes.HasPrefix(k, []byte(text)) {
			yield(p)
			return true
		}
		return string(k) < text
	})
}
