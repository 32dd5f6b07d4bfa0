package query

import (
	"context"
	"math"

	"github.com/sealstream/sealstream/pkg/api"
)

// after returns the current matches of a filter from an index on, in log order, of what the caller
// sees.
func (q *Query) after(ctx context.Context, f api.Filter, from uint64) (snapshot, *search, error) {
	snap, all, err := q.viewFrom(q.sightOf(ctx), f, from)
	if err != nil {
		return snapshot{}, nil, err
	}
	return snap, all.start(int64(from), false), nil
}

// Count returns the number of entries that a filter matches now. The error is an *api.ParamError if
// the filter is invalid.
func (q *Query) Count(ctx context.Context, f api.Filter) (uint64, error) {
	f, err := f.Normal()
	if err != nil {
		return 0, err
	}
	return q.countUpTo(ctx, f, math.MaxUint64)
}

// countUpTo returns the number of entries that a filter matches among the first size ones.
func (q *Query) countUpTo(ctx context.Context, f api.Filter, size uint64) (n uint64, err error) {
	_, matches, err := q.after(ctx, f, 0)
	if err != nil {
		return 0, err
	}
	for x, ok := matches.next(); ok && x < size; x, ok = matches.next() {
		n++
	}
	return n, matches.err
}
