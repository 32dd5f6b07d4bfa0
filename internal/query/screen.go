package query

import (
	"container/list"
	"context"
	"slices"
	"strconv"
	"sync"

	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/pkg/entry"
)

// screen caches entries as streams send them, so that an entry that many streams send is read,
// verified and encoded once. It keeps the most recently used blocks of entries.
type screen struct {
	limit int // bytes
	form  form

	mu     sync.Mutex
	used   int
	blocks map[uint64]*list.Element // of *shownBlock, by block number
	recent *list.List               // the most recently used first
}

// blockSize is how many entries are cached together: about a batch.
const blockSize = 256

// shownBlock caches entries from index number·blockSize on.
type shownBlock struct {
	number uint64
	bytes  int // included in used; guarded by screen.mu

	mu     sync.Mutex // held while one stream reads for all
	events map[uint64][]byte

	partial map[uint64]bool // those without their data, which may become readable
}

func newScreen(limit int, form form) *screen {
	return &screen{limit: limit, form: form, blocks: map[uint64]*list.Element{}, recent: list.New()}
}

// sameBlock returns how many of some ascending indexes are in the block of the first.
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
		if b.partial[x] {
			delete(b.events, x)
		}
	}
	clear(b.partial)
	return shown, nil
}

func (s *screen) read(ctx context.Context, r reader, b *shownBlock, indexes []uint64) error {
	found, err := r.read(ctx, indexes)
	if err != nil {
		return err
	}
	size := 0
	for _, f := range found {
		event, err := f.event(s.form)
		if err != nil {
			return err
		}
		b.events[f.Entry.Index] = event
		if f.DataError != "" {
			b.partial[f.Entry.Index] = true
			continue
		}
		size += len(event)
	}
	s.grow(b, size)
	return nil
}

// block returns a block, and creates it if it is missing.
func (s *screen) block(number uint64) *shownBlock {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.blocks[number]; at != nil {
		s.recent.MoveToFront(at)
		return at.Value.(*shownBlock)
	}
	b := &shownBlock{number: number, events: map[uint64][]byte{}, partial: map[uint64]bool{}}
	s.blocks[number] = s.recent.PushFront(b)
	return b
}

// grow counts what was read, and evicts the least recently used blocks.
func (s *screen) grow(b *shownBlock, size int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.blocks[b.number]; at == nil || at.Value != b {
		return // evicted meanwhile
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

// drop removes the block of an entry whose data was erased. A stream that is reading it keeps its
// own reference.
func (s *screen) drop(index uint64) {
	number := index / blockSize
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.blocks[number]; at != nil {
		s.remove(at)
	}
}

// dropErasedEvents removes the cached events of entries that are now erased. q.mu is held, so that
// nobody can see the erasure and still find them.
func (q *Query) dropErasedEvents(entries []entry.Entry) {
	for i := range entries {
		d, ok := entries[i].Detail.(*entry.Erasure)
		if !ok {
			continue
		}
		for _, x := range d.Indexes {
			q.streams.screen.drop(x)
			q.streams.lines.drop(x)
			q.streams.hidden.drop(x)
		}
	}
}

// event returns the entry as a server-sent event.
func (f Found) event(form form) ([]byte, error) {
	b, err := form(f, nil)
	if err != nil {
		return nil, err
	}
	return httpapi.AppendEvent(nil, strconv.FormatUint(f.Entry.Index, 10), "", b), nil
}
