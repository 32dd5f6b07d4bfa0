package query

import (
	"encoding/binary"

	"github.com/sealstream/sealstream/internal/segment"
	"github.com/sealstream/sealstream/pkg/api"
)

// visibleBytes limits what is kept of the visible rows of frozen parts. A part takes 8 KiB for each
// sight.
const visibleBytes = 4 << 20

// visibleKey identifies the visible rows of a frozen part, by the part's content and the sight.
type visibleKey struct {
	part [32]byte
	key  string
}

// selecter adds to rows those with one of some values in a text field.
type selecter func(field int, by segment.AnyOf, rows *segment.Bits)

// visible sets rows to those that the sight sees: the events of its agents, equivocations among
// them, and the log's own entries of open types. It overwrites rows.
func (s *sight) visible(add selecter, rows *segment.Bits) {
	*rows = segment.Bits{}
	if s.key == "" { // a caller that sees nothing
		return
	}
	own, some := new(segment.Bits), new(segment.Bits)
	add(api.TypeField, ownTypes, own)
	add(api.TypeField, agentTypes, some)
	own.AndNot(some)
	add(api.AgentField, s.agents, rows)
	rows.AndNot(own)
	add(api.TypeField, openTypes, rows)
}

// visible sets rows to those of a live part from one on.
func (l *live) visible(s *sight, from int, rows *segment.Bits) {
	s.visible(func(field int, by segment.AnyOf, rows *segment.Bits) { l.rows.Select(field, by, from, rows) }, rows)
}

// visible sets rows to those of a frozen part. It keeps them for the next search.
func (q *Query) visible(f *frozen, s *sight, rows *segment.Bits) (err error) {
	key := visibleKey{f.seg.Sum, s.key}
	if b, there := q.sights.get(key); there {
		for i := range rows {
			rows[i] = binary.LittleEndian.Uint64(b[8*i:])
		}
		return nil
	}
	s.visible(func(field int, by segment.AnyOf, rows *segment.Bits) {
		if err == nil {
			err = f.seg.Select(field, by, rows)
		}
	}, rows)
	if err != nil {
		return err
	}
	b := make([]byte, 0, 8*len(rows))
	for _, w := range rows {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	q.sights.put(key, b)
	return nil
}

// keepVisible removes the rows of a frozen part that the sight does not see, and reports whether
// any are left.
func (q *Query) keepVisible(f *frozen, s *sight, rows, spare *segment.Bits) (bool, error) {
	if err := q.visible(f, s, spare); err != nil {
		return false, err
	}
	return rows.And(spare), nil
}

// visibleIn sets rows to those of a part that the sight sees.
func (q *Query) visibleIn(x *index, p *part, s *sight, rows *segment.Bits) error {
	if p.live == nil {
		return q.damaged(x, p.frozen, q.visible(p.frozen, s, rows))
	}
	q.mu.RLock()
	defer q.mu.RUnlock()
	p.live.visible(s, 0, rows)
	return nil
}

// sees reports whether the caller sees the entry with an index, which must be below the size. It
// asks the index alone, so that a withheld entry costs no more than one that does not exist.
func (s snapshot) sees(q *Query, index uint64) (bool, error) {
	if s.sight == nil {
		return true, nil
	}
	q.mu.RLock()
	p, row := s.indexed.parts[index/s.indexed.rows], int(index%s.indexed.rows)
	q.mu.RUnlock()
	rows := new(segment.Bits)
	if err := q.visibleIn(s.indexed, p, s.sight, rows); err != nil {
		return false, err
	}
	return rows.Has(row), nil
}
