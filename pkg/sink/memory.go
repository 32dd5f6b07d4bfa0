package sink

import (
	"context"
	"iter"
	"slices"
	"sync"
)

// Memory is a sink in memory: for tests, and as the shortest example of the contract. Create it
// with NewMemory.
type Memory struct {
	mu     sync.Mutex
	closed bool
	kept   *[]Record // outlives the Memory, as a file would
}

// NewMemory returns a sink that holds the records of an earlier Memory and appends to them. nil is
// an empty list.
func NewMemory(kept *[]Record) *Memory {
	if kept == nil {
		kept = new([]Record)
	}
	return &Memory{kept: kept}
}

func (m *Memory) open() error {
	if m.closed {
		return ErrClosed
	}
	return nil
}

func (m *Memory) cursor() Cursor {
	if len(*m.kept) == 0 {
		return Cursor{}
	}
	return Of(&(*m.kept)[len(*m.kept)-1].Entry)
}

// Cursor implements Sink.
func (m *Memory) Cursor(ctx context.Context) (Cursor, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cursor(), m.open()
}

// Write implements Sink.
func (m *Memory) Write(ctx context.Context, records []Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.open(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	rest, err := m.cursor().Rest(records)
	if err == nil {
		*m.kept = append(*m.kept, rest...)
	}
	return err
}

// Read implements Sink.
func (m *Memory) Read(ctx context.Context, from uint64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		m.mu.Lock()
		err, list := m.open(), slices.Clone(*m.kept)
		m.mu.Unlock()
		if err != nil {
			yield(Record{}, err)
			return
		}
		for _, r := range list[min(from, uint64(len(list))):] {
			if !yield(r, ctx.Err()) || ctx.Err() != nil {
				return
			}
		}
	}
}

// Verify implements Sink.
func (m *Memory) Verify(ctx context.Context) error {
	return VerifyRecords(m.Read(ctx, 0))
}

// Erase implements Eraser.
func (m *Memory) Erase(ctx context.Context, indexes []uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range indexes {
		if n < uint64(len(*m.kept)) {
			(*m.kept)[n].Payload = nil
		}
	}
	return m.open()
}

// Close implements Sink.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}
