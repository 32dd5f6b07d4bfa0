package query

import (
	"bytes"
	"container/list"
	"context"
	"slices"
	"strconv"
	"sync"

	"github.com/sealstream/sealstream/pkg/entry"
)

// screen keeps entries as streams send them, so that what many of them send is read from the log, checked and written once. It holds the
// blocks of entries that were asked for last.
type screen struct {
	limit int // bytes

	mu     sync.Mutex
	used   int
	blocks map[uint64]*list.Element // of *shownBlock, by number
	recent *list.List               // the newest first
}

// blockSize is how many entries are read and kept together: about a batch.
const blockSize = 256

// shownBlock is what was asked for of the entries from number·blockSize on.
type shownBlock struct {
	number uint64
	bytes  int // counted in used; guarded by screen.mu

	mu     sync.Mutex // held by the one who reads for all
	events map[uint64][]byte
}

func newScreen(limit int) *screen {
	return &screen{limit: limit, blocks: map[uint64]*list.Element{}, recent: list.New()}
}

// sameBlock is how many of some ascending indexes are in the block of the first.
func sameBlock(indexes []uint64) int {
	n, _ := slices.BinarySearch(indexes, (indexes[0]/blockSize+1)*blockSize)
	return n
}

// show returns entries of one block as events of a stream.
func (s *screen) show(ctx context.Context, r reader, indexes []uint64) ([][]byte, error) {
	b := s.block(indexes[0] / blockSize)
	b.mu.Lock()
	defer b.mu.Unlock()
	var missing []uint64
	for _, x := range indexes {
		if b.events[x] == nil {
			missing = append(missing, x)
		}
	}
	if len(missing) > 0 {
		if err := s.read(ctx, r, b, missing); err != nil {
			return nil, err
		}
	}
	shown := make([][]byte, len(indexes))
	for i, x := range indexes {
		shown[i] = b.events[x]
	}
	return shown, nil
}

func (s *screen) read(ctx context.Context, r reader, b *shownBlock, indexes []uint64) error {
	found, err := r.read(ctx, indexes)
	if err != nil {
		return err
	}
	size := 0
	for _, f := range found {
		event, err := f.appendEvent(nil)
		if err != nil {
			return err
		}
		b.events[f.Entry.Index] = event
		size += len(event)
	}
	s.grow(b, size)
	return nil
}

// block finds a block, or makes one.
func (s *screen) block(number uint64) *shownBlock {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.blocks[number]; at != nil {
		s.recent.MoveToFront(at)
		return at.Value.(*shownBlock)
	}
	b := &shownBlock{number: number, events: map[uint64][]byte{}}
	s.blocks[number] = s.recent.PushFront(b)
	return b
}

// grow counts what was read, and lets go of what was not asked for longest.
func (s *screen) grow(b *shownBlock, size int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.blocks[b.number]; at == nil || at.Value != b {
		return // dropped meanwhile
	}
	b.bytes += size
	for s.used += size; s.used > s.limit && s.recent.Len() > 0; {
		s.remove(s.recent.Back())
	}
}

func (s *screen) remove(at *list.Element) {
	b := s.recent.Remove(at).(*shownBlock)
	delete(s.blocks, b.number)
	s.used -= b.bytes
}

// drop forgets the block of an entry, because its data was erased. Whoever reads it at this moment keeps it to himself.
func (s *screen) drop(index uint64) {
	number := index / blockSize
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.blocks[number]; at != nil {
		s.remove(at)
	}
}

// unshow forgets what streams have shown of entries that are erased now. q.mu is held, so that nobody can learn of the erasure and still find them.
func (q *Query) unshow(entries []entry.Entry) {
	for i := range entries {
		d, ok := entries[i].Detail.(*entry.Erasure)
		if !ok {
			continue
		}
		for _, x := range d.Indexes {
			q.streams.screen.drop(x)
		}
	}
}

// appendEvent writes the entry as a server-sent event. Data that was sent with line breaks gets a field for each line: they are JSON's white
// space, and the reader joins them again.
func (f Found) appendEvent(dst []byte) ([]byte, error) {
	b, err := f.AppendJSON(nil, false)
	if err != nil {
		return nil, err
	}
	dst = append(strconv.AppendUint(append(dst, "id: "...), f.Entry.Index, 10), '\n')
	return append(appendFields(dst, b), '\n'), nil
}

func appendFields(dst, data []byte) []byte {
	for len(data) > 0 {
		line, rest := data, []byte(nil)
		if i := bytes.IndexAny(data, "\r\n"); i >= 0 {
			line, rest = data[:i], data[i+1:]
		}
		dst = append(append(append(dst, "data: "...), line...), '\n')
		data = rest
	}
	return dst
}
