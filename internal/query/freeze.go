package query

import (
	"context"
	"errors"
	"fmt"
	"sort"

	"github.com/sealstream/sealstream/internal/segment"
)

// freezeFull writes full parts as segments, in the background. It blocks only if the follower fills
// parts faster than they are written. ctx limits the wait alone: a write that has started is
// finished, so that it need not be repeated.
func (q *Query) freezeFull(ctx context.Context) {
	waiting := q.fullParts()
	if waiting == 0 {
		return
	}
	select {
	case q.freezing <- struct{}{}:
	default:
		if waiting <= maxFull { // the running writer will find it
			return
		}
		select {
		case q.freezing <- struct{}{}:
		case <-ctx.Done():
			return
		}
	}
	go q.freezeAll()
}

// maxFull is how many full parts may wait to be written before the follower blocks.
const maxFull = 2

// freezeAll owns the token in q.freezing, and returns it when nothing is left to write.
func (q *Query) freezeAll() {
	for {
		for q.freezeOne() {
		}
		<-q.freezing
		if q.fullParts() == 0 {
			return
		}
		select { // a part that became full at the last moment
		case q.freezing <- struct{}{}:
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
	if err != nil { // a defect: the part stays in memory
		q.logger.Error("query keeps a part of the index in memory", "log", q.cfg.Log.Name, "first", a.First, "cause", err)
		q.set(func() { x.memoryOnly = true })
		return false
	}
	q.set(func() { x.freeze(int(a.First/x.rows), f) })
	q.wakeKeeper()
	return true
}

// fullParts returns the number of parts that wait to be written.
func (q *Query) fullParts() (n int) {
	q.mu.RLock()
	defer q.mu.RUnlock()
	x := q.index
	if x.fromFiles > 0 || x.memoryOnly {
		return 0
	}
	for i := len(x.parts) - 1; i >= 0 && x.parts[i].live != nil; i-- {
		if x.isFull(x.parts[i]) {
			n++
		}
	}
	return n
}

// isFull reports whether a live part is complete and verified.
func (x *index) isFull(p *part) bool { return p.full(x.rows) && p.first+x.rows <= x.size }

// fullPart returns the first live part that is complete and verified, and the description for its
// segment.
func (q *Query) fullPart() (x *index, l *live, a about, ok bool) {
	q.mu.RLock()
	defer q.mu.RUnlock()
	x = q.index
	n := sort.Search(len(x.parts), func(i int) bool { return x.parts[i].live != nil })
	if n == len(x.parts) || x.fromFiles > 0 || x.memoryOnly || !x.isFull(x.parts[n]) {
		return nil, nil, about{}, false
	}
	a, err := x.about(n)
	return x, x.parts[n].live, a, err == nil
}

// about returns the description for the segment of a part.
func (x *index) about(n int) (about, error) {
	first := uint64(n) * x.rows
	a := about{Log: x.log, Origin: x.checkpoint.Origin, First: first, Size: first + x.rows}
	root, err := x.top.Root(uint64(n) + 1)
	if err != nil {
		return a, err
	}
	a.Root = root.String()
	if n == 0 {
		a.Keys = x.keys
	}
	start := sort.Search(len(x.batches), func(i int) bool { return x.batches[i].first >= a.First })
	end := sort.Search(len(x.batches), func(i int) bool { return x.batches[i].first >= a.Size })
	a.batch = x.batches[start:end]
	return a, nil
}

// freezePart encodes a part as a segment, opens it and writes it as a file, from which it is read
// then. If that fails, it is only logged: the segment stays in memory, and is made again at the
// next start.
func (q *Query) freezePart(l *live, key segment.Key, a about) (*frozen, error) {
	data, err := l.encode(key, a)
	if err != nil {
		return nil, err
	}
	f, err := openPart(data, l.rows.Rows())
	if err != nil {
		return nil, fmt.Errorf("open own segment: %w", err)
	}
	f.about.batch = nil // the index has them
	if err := q.moveToFile(f, data); err != nil {
		q.logger.Error("query cannot write a segment of the index; it will be made again at the next start",
			"log", q.cfg.Log.Name, "first", a.First, "cause", err)
	}
	return f, nil
}

// moveToFile writes the segment of a part, and reads it from there from then on.
func (q *Query) moveToFile(f *frozen, data []byte) error {
	if q.folder == "" {
		return nil
	}
	if err := q.folder.writeSegment(f.about.First, data); err != nil {
		return err
	}
	return q.readFromFile(f)
}

// readFromFile reads a part from its file from then on.
func (q *Query) readFromFile(f *frozen) error {
	file, size, err := openRegular(q.folder.path(f.about.First, segmentEnd))
	if err != nil {
		return err
	}
	if file == nil || size != int64(f.seg.Bytes()) {
		if file != nil {
			file.Close()
		}
		return errors.New("a file that was just written or read was changed")
	}
	f.readFrom(file, q.blocks)
	return nil
}
