package store

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
)

// NewMemory returns an empty log whose streams live in this process, and end with it.
func NewMemory(name string) *Log {
	return &Log{
		Name: name, Events: NewMemoryStream(), Sealed: NewMemoryStream(), Payloads: NewMemoryStream(),
		Alerts: NewMemoryStream(), Head: NewMemoryKV(), Cursors: NewMemoryKV(), Archive: NewMemoryObjects(),
	}
}

// MemoryStream is a Stream in memory. Make it with NewMemoryStream.
type MemoryStream struct {
	mu      sync.Mutex
	created time.Time
	first   uint64          // sequence of messages[0]
	stored  []entry.Message // a deleted one has Seq 0
	newest  time.Time
	grown   chan struct{} // closed and replaced at every append
}

var (
	_ Stream = (*MemoryStream)(nil)
	_ Purger = (*MemoryStream)(nil)

	_ BatchAppender = (*MemoryStream)(nil)

	_ KV = (*MemoryKV)(nil)
)

// NewMemoryStream returns an empty stream.
func NewMemoryStream() *MemoryStream {
	return &MemoryStream{created: time.Now().UTC(), first: 1, grown: make(chan struct{})}
}

// NewMemoryStreamOf returns a stream of the messages that another stream returned: in order, with
// their sequences and times. Sequences that are left out do not exist.
func NewMemoryStreamOf(created time.Time, messages []entry.Message) *MemoryStream {
	s := NewMemoryStream()
	s.created = created
	for _, m := range messages {
		if len(s.stored) == 0 {
			s.first = m.Seq
		}
		for s.last()+1 < m.Seq {
			s.stored = append(s.stored, entry.Message{})
		}
		s.stored = append(s.stored, m)
		s.newest = m.Time
	}
	return s
}

// Info implements Stream.
func (s *MemoryStream) Info(ctx context.Context) (Info, error) {
	if err := ctx.Err(); err != nil {
		return Info{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	info := Info{Created: s.created, First: s.first, Last: s.last()}
	for i := range s.stored {
		if s.stored[i].Seq != 0 {
			info.Bytes += uint64(len(s.stored[i].Data))
		}
	}
	return info, nil
}

func (s *MemoryStream) last() uint64 { return s.first + uint64(len(s.stored)) - 1 }

// Get implements Stream.
func (s *MemoryStream) Get(ctx context.Context, seq uint64) (entry.Message, error) {
	if err := ctx.Err(); err != nil {
		return entry.Message{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if seq < s.first || seq > s.last() || s.stored[seq-s.first].Seq == 0 {
		return entry.Message{}, fmt.Errorf("sequence %d: %w", seq, ErrNotFound)
	}
	return s.stored[seq-s.first], nil
}

// Last implements Stream.
func (s *MemoryStream) Last(ctx context.Context, subject string) (entry.Message, error) {
	if err := ctx.Err(); err != nil {
		return entry.Message{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.stored) - 1; i >= 0; i-- {
		if m := s.stored[i]; m.Seq != 0 && m.Subject == subject {
			return m, nil
		}
	}
	return entry.Message{}, fmt.Errorf("subject %s: %w", subject, ErrNotFound)
}

// Append implements Stream.
func (s *MemoryStream) Append(ctx context.Context, m entry.Message, expectLast *uint64) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if expectLast != nil && *expectLast != s.last() {
		return 0, fmt.Errorf("%w: it is %d, not %d", ErrConflict, s.last(), *expectLast)
	}
	return s.append(m), nil
}

// AppendBatch implements BatchAppender.
func (s *MemoryStream) AppendBatch(
	ctx context.Context,
	messages []entry.Message,
	expectLast uint64,
) (seq uint64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if expectLast != s.last() {
		return 0, fmt.Errorf("%w: it is %d, not %d", ErrConflict, s.last(), expectLast)
	}
	for _, m := range messages {
		seq = s.append(m)
	}
	return seq, nil
}

// append is an Append whose conditions hold. s.mu must be held.
func (s *MemoryStream) append(m entry.Message) uint64 {
	m.Data = bytes.Clone(m.Data)
	m.Header = cloneHeader(m.Header)
	m.Seq = s.last() + 1
	if m.Time = time.Now().UTC(); !m.Time.After(s.newest) {
		m.Time = s.newest.Add(1)
	}
	s.newest = m.Time
	s.stored = append(s.stored, m)
	close(s.grown)
	s.grown = make(chan struct{})
	return m.Seq
}

func cloneHeader(h entry.Header) entry.Header {
	if h == nil {
		return nil
	}
	c := make(entry.Header, len(h))
	for name, values := range h {
		c[name] = slices.Clone(values)
	}
	return c
}

// AppendAsync implements Stream.
func (s *MemoryStream) AppendAsync(ctx context.Context, m entry.Message, expectLast *uint64) (Pending, error) {
	seq, err := s.Append(ctx, m, expectLast)
	return func(context.Context) (uint64, error) { return seq, err }, nil
}

// PurgeBelow implements Purger.
func (s *MemoryStream) PurgeBelow(ctx context.Context, seq uint64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if seq <= s.first {
		return nil
	}
	n := min(seq-s.first, uint64(len(s.stored)))
	s.stored = slices.Clone(s.stored[n:])
	s.first += n
	s.settle()
	return nil
}

// SecureDelete implements Purger.
func (s *MemoryStream) SecureDelete(ctx context.Context, seq uint64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if seq < s.first || seq > s.last() || s.stored[seq-s.first].Seq == 0 {
		return fmt.Errorf("sequence %d: %w", seq, ErrNotFound)
	}
	s.stored[seq-s.first] = entry.Message{} // not overwritten: who has read the message holds the same bytes
	s.settle()
	return nil
}

// settle moves first past deleted messages, as a broker does.
func (s *MemoryStream) settle() {
	for len(s.stored) > 0 && s.stored[0].Seq == 0 {
		s.stored = s.stored[1:]
		s.first++
	}
}

// Read implements Stream.
func (s *MemoryStream) Read(ctx context.Context, from uint64) (Reader, error) {
	return &memoryReader{s: s, next: max(from, 1)}, ctx.Err()
}

type memoryReader struct {
	s    *MemoryStream
	next uint64
}

func (r *memoryReader) Close() {}

func (r *memoryReader) Next(ctx context.Context, limit int) ([]entry.Message, error) {
	for {
		list, grown := r.take(limit)
		if len(list) > 0 {
			return list, ctx.Err()
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-grown:
		}
	}
}

func (r *memoryReader) take(limit int) ([]entry.Message, <-chan struct{}) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	var list []entry.Message
	size := 0
	for r.next = max(r.next, r.s.first); r.next <= r.s.last() && len(list) < limit && size < NextBytes; r.next++ {
		if m := r.s.stored[r.next-r.s.first]; m.Seq != 0 {
			list = append(list, m)
			size += len(m.Data)
		}
	}
	return list, r.s.grown
}

// MemoryKV is a KV in memory. Make it with NewMemoryKV.
type MemoryKV struct {
	mu       sync.Mutex
	values   map[string]memoryValue
	revision uint64
}

type memoryValue struct {
	value    []byte
	revision uint64
}

// NewMemoryKV returns an empty bucket.
func NewMemoryKV() *MemoryKV { return &MemoryKV{values: map[string]memoryValue{}} }

// Get implements KV.
func (k *MemoryKV) Get(ctx context.Context, key string) ([]byte, uint64, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	v, ok := k.values[key]
	if !ok {
		return nil, 0, fmt.Errorf("key %s: %w", key, ErrNotFound)
	}
	return bytes.Clone(v.value), v.revision, nil
}

// Put implements KV.
func (k *MemoryKV) Put(ctx context.Context, key string, value []byte) error {
	return k.write(ctx, key, value, func(memoryValue, bool) error { return nil })
}

// Create implements KV.
func (k *MemoryKV) Create(ctx context.Context, key string, value []byte) error {
	return k.write(ctx, key, value, func(_ memoryValue, there bool) error {
		if there {
			return fmt.Errorf("key %s: %w", key, ErrExists)
		}
		return nil
	})
}

// Update implements KV.
func (k *MemoryKV) Update(ctx context.Context, key string, value []byte, revision uint64) error {
	return k.write(ctx, key, value, func(old memoryValue, there bool) error {
		if !there || old.revision != revision {
			return fmt.Errorf("key %s: %w", key, ErrConflict)
		}
		return nil
	})
}

func (k *MemoryKV) write(ctx context.Context, key string, value []byte, may func(memoryValue, bool) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	old, there := k.values[key]
	if err := may(old, there); err != nil {
		return err
	}
	k.revision++
	k.values[key] = memoryValue{bytes.Clone(value), k.revision}
	return nil
}
