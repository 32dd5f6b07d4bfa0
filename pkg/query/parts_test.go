package query

import (
	"context"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/query/segment"
	"github.com/sealstream/sealstream/pkg/store"
)

// Tests have small parts, so that logs of a few hundred entries have many of them.
func init() { partRows = 64 }

// Parts gives the parts of services that are made before restore is called a size.
func Parts(rows uint64) (restore func()) {
	partRows = rows
	return func() { partRows = 64 }
}

// FullParts gives them their proper size.
func FullParts() (restore func()) { return Parts(segment.MaxRows) }

// Indexes is what a filter matches, before anything is read.
func (q *Query) Indexes(f Filter) (list []uint64, err error) {
	f, err = f.normal()
	if err != nil {
		return nil, err
	}
	_, all, err := q.view(f)
	if err != nil {
		return nil, err
	}
	s := all.start(0, false)
	for x, ok := s.next(); ok; x, ok = s.next() {
		list = append(list, x)
	}
	return list, nil
}

// Forge writes segments as they would be if some rows of the log were others, each with all that a segment must have.
func Forge(ctx context.Context, q *Query, change func(index uint64, r *segment.Row)) error {
	x := newIndex(q.cfg.Log.Name, q.rows)
	x.key = q.current().key
	follower := store.Follower{Log: q.cfg.Log, Keys: q.cfg.Keys, Stop: true}
	follower.Prepare = func(b proof.Batch, entries []entry.Entry) any { return factsOf(x.key, b, entries) }
	for s, err := range follower.Batches(ctx) {
		if err != nil {
			return err
		}
		f := s.Prepared.(*facts)
		for i := range f.rows {
			change(s.Batch.First+uint64(i), &f.rows[i])
		}
		if err := x.take(s, f); err != nil {
			return err
		}
	}
	for n, p := range x.parts {
		if !p.full(x.rows) {
			break
		}
		a, err := x.about(n)
		if err != nil {
			return err
		}
		data, err := p.live.encode(x.key, a)
		if err != nil {
			return err
		}
		if err := q.folder.write(a.First, data); err != nil {
			return err
		}
	}
	return nil
}

// PartRows is how many entries a part has.
func PartRows() uint64 { return partRows }
