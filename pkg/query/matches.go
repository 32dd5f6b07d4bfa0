package query

import "math"

// after walks the entries that a filter matches, from an index on, in the order of the log, as they stand now.
func (q *Query) after(f Filter, from uint64) (snapshot, *search, error) {
	snap, all, err := q.viewFrom(f, from)
	if err != nil {
		return snapshot{}, nil, err
	}
	return snap, all.start(int64(from), false), nil
}

// Count counts the entries that a filter matches now. A *RequestError says that the filter is wrong.
func (q *Query) Count(f Filter) (uint64, error) {
	f, err := f.normal()
	if err != nil {
		return 0, err
	}
	return q.countUpTo(f, math.MaxUint64)
}

// countUpTo counts the entries that a filter matches among the first size ones.
func (q *Query) countUpTo(f Filter, size uint64) (n uint64, err error) {
	_, matches, err := q.after(f, 0)
	if err != nil {
		return 0, err
	}
	for x, ok := matches.next(); ok && x < size; x, ok = matches.next() {
		n++
	}
	return n, nil
}
