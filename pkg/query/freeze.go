package query

import (
	"context"
	"fmt"
	"sort"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/query/segment"
)

// freezeFull writes parts that are full as segments, beside the follower, which waits only where it fills them faster than they are written. ctx bounds the
// waiting alone: what has begun is finished, so that nobody has to do it again.
func (q *Query) freezeFull(ctx context.Context) {
	waiting := q.fullParts()
	if waiting == 0 {
		return
	}
	select {
	case q.frozen <- struct{}{}:
	default:
		if waiting <= maxFull { // whoever is at it will see it
			return
		}
		select {
		case q.frozen <- struct{}{}:
		case <-ctx.Done():
			return
		}
	}
	go q.freezeAll()
}

// maxFull is how many full parts may wait to be written.
const maxFull = 2

// freezeAll holds the token, and gives it back when nothing is left to do.
func (q *Query) freezeAll() {
	for {
		for q.freezeOne() {
		}
		<-q.frozen
		if q.fullParts() == 0 {
			return
		}
		select { // one that became full at the last moment
		case q.frozen <- struct{}{}:
		default:
			return
		}
	}
}

func (q *Query) freezeOne() bool {
	x, l, a, ok := q.fullPart()
	if !ok {
		return false
	}
	f, err := q.freezePart(l, x.key, a)
	if err != nil { // a defect: the part stays as it is
		q.log.Error("a part of the index stays in memory", "log", q.cfg.Log.Name, "first", a.First, "cause", err)
		q.set(func() { x.stuck = true })
		return false
	}
	q.set(func() { x.freeze(int(a.First/x.rows), f) })
	return true
}

// fullParts is how many parts wait to be written.
func (q *Query) fullParts() (n int) {
	q.mu.RLock()
	defer q.mu.RUnlock()
	x := q.index
	if x.loaded > 0 || x.stuck {
		return 0
	}
	for i := len(x.parts) - 1; i >= 0 && x.parts[i].live != nil; i-- {
		if x.isFull(x.parts[i]) {
			n++
		}
	}
	return n
}

// isFull says of a live part whether all of it is there and verified.
func (x *index) isFull(p *part) bool { return p.full(x.rows) && p.first+x.rows <= x.size }

// fullPart is the first live part that is full and verified, and what its segment shall say of it.
func (q *Query) fullPart() (x *index, l *live, a about, ok bool) {
	q.mu.RLock()
	defer q.mu.RUnlock()
	x = q.index
	n := sort.Search(len(x.parts), func(i int) bool { return x.parts[i].live != nil })
	if n == len(x.parts) || x.loaded > 0 || x.stuck || !x.isFull(x.parts[n]) {
		return nil, nil, about{}, false
	}
	a, err := x.about(n)
	return x, x.parts[n].live, a, err == nil
}

// about is what the segment of a part says of itself.
func (x *index) about(n int) (about, error) {
	first := uint64(n) * x.rows
	a := about{Log: x.log, Origin: x.checkpoint.Origin, First: first, Size: first + x.rows}
	root, err := x.top.Root(uint64(n) + 1)
	if err != nil {
		return a, err
	}
	a.Root = entry.FormatHash(root)
	if n == 0 {
		a.Keys = x.keys
	}
	begin := sort.Search(len(x.batches), func(i int) bool { return x.batches[i].first >= a.First })
	end := sort.Search(len(x.batches), func(i int) bool { return x.batches[i].first >= a.Size })
	a.batch = x.batches[begin:end]
	return a, nil
}

// freezePart writes a segment and opens it. That it cannot be written as a file does no harm until the next start, and is told.
func (q *Query) freezePart(l *live, key segment.Key, a about) (*frozen, error) {
	data, err := l.encode(key, a)
	if err != nil {
		return nil, err
	}
	f, err := openPart(data, l.rows.Rows())
	if err != nil {
		return nil, fmt.Errorf("what was written is not read: %w", err)
	}
	if err := q.folder.write(a.First, data); err != nil {
		q.log.Error("a segment of the index cannot be kept; it will be made again at the next start", "log", q.cfg.Log.Name, "first", a.First, "cause", err)
	}
	return f, nil
}
