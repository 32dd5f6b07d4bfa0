package query

import (
	"context"
	"iter"
)

// Matches yields the entries that a filter matches, from an index on, in the order of the log, as they stand at the newest checkpoint. Nothing below size is
// left out: a caller that waits for more (Await) goes on from there. It ends after the first error. The error is that of the filter, or ErrBuilding.
func (q *Query) Matches(ctx context.Context, f Filter, from uint64) (matches iter.Seq2[Found, error], size uint64, err error) {
	if f, err = f.normal(); err != nil {
		return nil, 0, err
	}
	snap, all, err := q.viewFrom(f, from)
	if err != nil {
		return nil, 0, err
	}
	r := q.reader(snap)
	r.by = &f
	return func(yield func(Found, error) bool) {
		s := all.start(int64(from), false)
		for chunk := s.take(matchesChunk); len(chunk) > 0; chunk = s.take(matchesChunk) {
			for list, err := range r.each(ctx, chunk) {
				if err != nil {
					yield(Found{}, err)
					return
				}
				for _, found := range list {
					if !yield(found, nil) {
						return
					}
				}
			}
		}
	}, snap.size, nil
}

// matchesChunk is how many entries are found before the first of them is read.
const matchesChunk = 256

// take is the next matches, up to a number.
func (s *search) take(most int) (list []uint64) {
	for len(list) < most {
		x, ok := s.next()
		if !ok {
			break
		}
		list = append(list, x)
	}
	return list
}
