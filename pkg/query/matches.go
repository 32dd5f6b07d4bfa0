package query

// after walks the entries that a filter matches, from an index on, in the order of the log, as they stand now.
func (q *Query) after(f Filter, from uint64) (snapshot, *search, error) {
	snap, all, err := q.viewFrom(f, from)
	if err != nil {
		return snapshot{}, nil, err
	}
	return snap, all.start(int64(from), false), nil
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
