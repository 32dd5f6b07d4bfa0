package query

import (
	"context"
	"iter"

	"github.com/sealstream/sealstream/pkg/api"
)

// Matches yields the entries that a filter matches, from an index on, in log order, as of the
// newest checkpoint. It covers all entries below size, so that a caller that waits for more (Await)
// can continue from there. It stops after the first error. err is that of the filter, or
// ErrBuilding.
func (q *Query) Matches(
	ctx context.Context,
	f api.Filter,
	from uint64,
) (matches iter.Seq2[Found, error], size uint64, err error) {
	if f, err = f.Normal(); err != nil {
		return nil, 0, err
	}
	snap, all, err := q.viewFrom(q.sightOf(ctx), f, from)
	if err != nil {
		return nil, 0, err
	}
	r := q.reader(snap)
	r.filter = &f
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
		if s.err != nil {
			yield(Found{}, s.err)
		}
	}, snap.size, nil
}

// matchesChunk is how many matches are found before the first of them is read.
const matchesChunk = 256

// take returns the next matches, up to a limit.
func (s *search) take(limit int) (list []uint64) {
	for len(list) < limit {
		x, ok := s.next()
		if !ok {
			break
		}
		list = append(list, x)
	}
	return list
}
