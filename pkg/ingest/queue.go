package ingest

import (
	"sync"
	"sync/atomic"

	"github.com/sealstream/sealstream/pkg/entry"
)

// item is one valid event on its way to EVENTS.
type item struct {
	sub       *submission
	event     []byte // structured; in the record byte for byte
	publisher string
	seq       uint64 // once stored: the EVENTS message
	position  uint64 // and the place in it
}

// recordSize is what AppendRecord makes of an item, and a comma. The publisher has no characters to escape.
func (it *item) recordSize() int {
	n := len(`{"event":},`) + len(it.event)
	if it.publisher != "" {
		n += len(`,"publisher":""`) + len(it.publisher)
	}
	return n
}

// submission is what one caller waits for.
type submission struct {
	items []item
	left  int   // items that are not settled; owned by Run once queued
	err   error // the first item's trouble; read after done
	gone  atomic.Bool
	done  chan struct{}
}

// queue holds what waits for a group. Its order is that of submission.
type queue struct {
	mu     sync.Mutex
	items  []*item
	head   int
	closed bool
	filled chan struct{} // holds one token while there may be something to take
}

func newQueue() *queue { return &queue{filled: make(chan struct{}, 1)} }

// put queues all events of a submission, one after the other.
func (q *queue) put(s *submission) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrUnavailable
	}
	if q.head > 0 && len(q.items)+len(s.items) > cap(q.items) {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	for i := range s.items {
		q.items = append(q.items, &s.items[i])
	}
	q.wake()
	return nil
}

func (q *queue) wake() {
	select {
	case q.filled <- struct{}{}:
	default:
	}
}

// take waits for the next group: all that is waiting, up to the limits of an EVENTS message. It returns nil at the end of a closed queue.
func (q *queue) take() []*item {
	for {
		if group, end := q.next(); len(group) > 0 || end {
			return group
		}
		<-q.filled
	}
}

func (q *queue) next() (group []*item, end bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	size := len("[]")
	for q.head < len(q.items) && len(group) < entry.MaxMessageEvents {
		it := q.items[q.head]
		if !it.sub.gone.Load() {
			if size += it.recordSize(); size > entry.MaxMessageBytes && len(group) > 0 {
				break
			}
			group = append(group, it)
		}
		q.items[q.head] = nil
		q.head++
	}
	if q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
	return group, len(group) == 0 && q.closed
}

// close refuses what is submitted from now on. With a reason, what is queued is refused too; without, it may still be taken.
func (q *queue) close(reason error) {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	if reason != nil {
		q.fail(reason)
	}
	q.wake()
}

// fail refuses what is queued.
func (q *queue) fail(reason error) {
	q.mu.Lock()
	items := q.items[q.head:]
	q.items, q.head = nil, 0
	q.mu.Unlock()
	settle(items, 0, reason)
}

// settle tells the submissions what became of a group.
func settle(group []*item, seq uint64, err error) {
	for i, it := range group {
		it.seq, it.position = seq, uint64(i)
		s := it.sub
		if s.err == nil {
			s.err = err
		}
		if s.left--; s.left == 0 {
			close(s.done)
		}
	}
}

// appendGroup writes the body of the EVENTS message (SPEC 4).
func appendGroup(dst []byte, group []*item) []byte {
	dst = append(dst, '[')
	for i, it := range group {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = entry.AppendRecord(dst, entry.Record{Publisher: it.publisher, Event: it.event})
	}
	return append(dst, ']')
}
