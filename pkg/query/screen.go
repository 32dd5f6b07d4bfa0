package query

import (
	"bytes"
	"container/list"
	"context"
	"strconv"
	"sync"

	"github.com/sealstream/sealstream/pkg/entry"
)

// screen keeps entries as streams send them, so that what many of them send is read from the log, checked and written once. It holds the
// batches that were asked for last.
type screen struct {
	limit int // bytes

	mu      sync.Mutex
	used    int
	batches map[uint64]*list.Element // of *shownBatch, by first index
	recent  *list.List               // the newest first
}

// shownBatch is what was asked for of one batch.
type shownBatch struct {
	first uint64
	bytes int // counted in used; guarded by screen.mu

	mu     sync.Mutex // held by the one who reads for all
	events map[uint64][]byte
}

func newScreen(limit int) *screen {
	return &screen{limit: limit, batches: map[uint64]*list.Element{}, recent: list.New()}
}

// show returns entries of one batch as events of a stream.
func (s *screen) show(ctx context.Context, r reader, ref batchRef, indexes []uint64) ([][]byte, error) {
	b := s.batch(ref.first)
	b.mu.Lock()
	defer b.mu.Unlock()
	var missing []uint64
	for _, x := range indexes {
		if b.events[x] == nil {
			missing = append(missing, x)
		}
	}
	if len(missing) > 0 {
		if err := s.read(ctx, r, ref, b, missing); err != nil {
			return nil, err
		}
	}
	shown := make([][]byte, len(indexes))
	for i, x := range indexes {
		shown[i] = b.events[x]
	}
	return shown, nil
}

func (s *screen) read(ctx context.Context, r reader, ref batchRef, b *shownBatch, indexes []uint64) error {
	hashes, err := r.hashes(indexes)
	if err != nil {
		return err
	}
	found, err := r.batch(ctx, ref, indexes, hashes)
	if err != nil {
		return r.remember(err)
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

// batch finds a batch's place, or makes one.
func (s *screen) batch(first uint64) *shownBatch {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.batches[first]; at != nil {
		s.recent.MoveToFront(at)
		return at.Value.(*shownBatch)
	}
	b := &shownBatch{first: first, events: map[uint64][]byte{}}
	s.batches[first] = s.recent.PushFront(b)
	return b
}

// grow counts what was read, and lets go of what was not asked for longest.
func (s *screen) grow(b *shownBatch, size int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.batches[b.first]; at == nil || at.Value != b {
		return // dropped meanwhile
	}
	b.bytes += size
	for s.used += size; s.used > s.limit && s.recent.Len() > 0; {
		s.remove(s.recent.Back())
	}
}

func (s *screen) remove(at *list.Element) {
	b := s.recent.Remove(at).(*shownBatch)
	delete(s.batches, b.first)
	s.used -= b.bytes
}

// drop forgets a batch, because data in it was erased. Whoever reads it at this moment keeps it to himself.
func (s *screen) drop(first uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.batches[first]; at != nil {
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
		r := reader{snapshot: snapshot{size: q.index.size, batches: q.index.batches}}
		for _, x := range d.Indexes {
			if x < r.size {
				ref, _ := r.sameBatch([]uint64{x})
				q.streams.screen.drop(ref.first)
			}
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
