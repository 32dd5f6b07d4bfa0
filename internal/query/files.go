package query

import (
	"errors"
	"fmt"
	"sync"

	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/segment"
	"github.com/sealstream/sealstream/pkg/entry"
)

// partFiles are the files of a full part that hold its leaves and its data, so that reading them
// costs the store nothing. They are no more authoritative than the index: each leaf must have the
// hash of the tree, and data must open its entry's data_hash.
type partFiles struct {
	leaves *rowFile // never rewritten

	// held for reading while data is read: once an erasure has replaced it, nobody reads the old one
	mu   sync.RWMutex
	data *rowFile

	erasedRows int // how many of the part's erased entries the data is known not to hold; the keeper's
}

// errFiles reports that a file of the index does not hold what it must. What it should hold is then
// read from the log.
var errFiles = errors.New("a file of the index was altered")

// leafFile reads leaves and their hashes from the files of one part. It is not safe for concurrent
// use.
type leafFile struct {
	in     *frozen
	files  *partFiles
	failed func(error) error // handles an error of the index
	cursor *segment.Cursor
	group  int // that hashes belongs to; −1: none
	hashes [groupSize]entry.Hash
}

// leafFile returns a reader of a part's leaves, or nil if they are in no file.
func (r reader) leafFile(f *frozen) *leafFile {
	files := f.files.Load()
	if files == nil {
		return nil
	}
	failed := func(err error) error { return r.damaged(r.indexed, f, err) }
	return &leafFile{in: f, files: files, failed: failed, cursor: files.leaves.Cursor(), group: -1}
}

// hash returns the hash of a row's leaf, after it has compared the hashes of its group with the
// tree.
func (l *leafFile) hash(row int) (entry.Hash, error) {
	if g := row / groupSize; g != l.group {
		var side [groupSize * len(entry.Hash{})]byte
		if err := l.files.leaves.Side(side[:], g*len(side)); err != nil {
			return entry.Hash{}, fmt.Errorf("%w: %w", errFiles, err)
		}
		copy(l.hashes[:], hashesOf(side[:]))
		want, err := l.in.node(groupLevel, uint64(g))
		if err != nil {
			return entry.Hash{}, l.failed(err)
		}
		if l.group = g; merkle.PerfectRoot(l.hashes[:]) != want {
			l.group = -1
			return entry.Hash{}, fmt.Errorf("%w: hashes of rows %d to %d", errFiles, g*groupSize, g*groupSize+groupSize-1)
		}
	}
	return l.hashes[row%groupSize], nil
}

// leaf returns the leaf of a row, which has the hash of the tree.
func (l *leafFile) leaf(row int) ([]byte, error) {
	want, err := l.hash(row)
	if err != nil {
		return nil, err
	}
	leaf, err := l.cursor.Row(row)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errFiles, err)
	}
	if leaf == nil || entry.LeafHash(leaf) != want {
		return nil, fmt.Errorf("%w: leaf of row %d", errFiles, row)
	}
	return leaf, nil
}

// node returns a node of the tree below groupLevel.
func (l *leafFile) node(level, row int) (entry.Hash, error) {
	hashes := make([]entry.Hash, 1<<level)
	for i := range hashes {
		var err error
		if hashes[i], err = l.hash(row + i); err != nil {
			return entry.Hash{}, err
		}
	}
	return merkle.PerfectRoot(hashes), nil
}

// records reads the records of some rows, ascending. A row without one has nil.
func (p *partFiles) records(rows []int) (records [][]byte, err error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	cursor := p.data.Cursor()
	records = make([][]byte, len(rows))
	for i, row := range rows {
		if records[i], err = cursor.Row(row); err != nil {
			return nil, fmt.Errorf("%w: %w", errFiles, err)
		}
	}
	return records, nil
}

// replace puts other data in place of the data of the part. When it returns, nobody reads the old
// file any more.
func (p *partFiles) replace(data *rowFile) {
	p.mu.Lock()
	old := p.data
	p.data = data
	p.mu.Unlock()
	old.Close()
}

// close closes the files. Who reads them meanwhile reads on from the log.
func (p *partFiles) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range []*rowFile{p.leaves, p.data} {
		if f != nil {
			f.Close()
		}
	}
}

// within returns how many of some ascending rows have leaves and data that take no more than limit
// bytes to read, but at least one.
func (p *partFiles) within(limit int, rows func(i int) (row int, ok bool)) (n int) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	var frames [2]int // the last ones, and one more, as −1 is none
	total := 0
	for ; ; n++ {
		row, ok := rows(n)
		if !ok {
			return n
		}
		for i, f := range []*rowFile{p.leaves, p.data} {
			if number, bytes := f.Frame(row); number+1 != frames[i] {
				frames[i], total = number+1, total+bytes
			}
		}
		if total > limit && n > 0 {
			return n
		}
	}
}

// closeFiles closes the files of all parts. The index must not be used afterwards: it is made
// again, or the service ends.
func (q *Query) closeFiles() {
	q.mu.Lock()
	q.index.closed = true
	parts := q.index.parts
	q.mu.Unlock()
	for _, p := range parts {
		if p.frozen == nil {
			continue
		}
		if p.frozen.file != nil {
			p.frozen.file.Close()
		}
		if files := p.frozen.files.Swap(nil); files != nil {
			files.close()
		}
	}
}
