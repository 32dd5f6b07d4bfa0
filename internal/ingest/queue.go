package ingest

import (
	"sync"
	"sync/atomic"

	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/ruleset"
)

// item is one valid event on its way to EVENTS.
type item struct {
	sub       *submission
	event     []byte // in structured mode; stored byte for byte
	publisher string
	parsed    *inbox.Parsed // nil if it is not kept for the sealer
	data      int           // size of its data in bytes
	seq       uint64        // EVENTS sequence, once stored
	position  uint64        // position in that message
}

// recordSize returns the size of the item's record with a comma. A publisher has no characters that
// need escapes.
func (it *item) recordSize() int {
	n := len(`{"event":},`) + len(it.event)
	if it.publisher != "" {
		n += len(`,"publisher":""`) + len(it.publisher)
	}
	return n
}

// submission is the valid events of one call of Submit.
type submission struct {
	items     []item
	room      *ledger
	pending   int   // items that are not settled; owned by Run once queued
	err       error // first error of an item; read after done
	abandoned atomic.Bool
	done      chan struct{}
}

// queue holds the items that wait for a group, in the order of submission.
type queue struct {
	mu     sync.Mutex
	items  []*item
	head   int
	closed bool
	filled chan struct{} // holds one token while there may be something to take
}

func newQueue() *queue { return &queue{filled: make(chan struct{}, 1)} }

// put queues all items of a submission, one after the other.
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

// take waits for the next group: all waiting items, up to the limits of an EVENTS message. It
// returns nil at the end of a closed queue.
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
	for q.head < len(q.items) && len(group) < ruleset.MaxMessageEvents {
		it := q.items[q.head]
		if it.sub.abandoned.Load() {
			it.sub.room.release(it.cost())
		} else {
			if size += it.recordSize(); size > ruleset.MaxMessageBytes && len(group) > 0 {
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

// close refuses new submissions. With a reason it also fails the queued items; without one they may
// still be taken.
func (q *queue) close(reason error) {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	if reason != nil {
		q.fail(reason)
	}
	q.wake()
}

// fail settles all queued items with an error.
func (q *queue) fail(reason error) {
	q.mu.Lock()
	items := q.items[q.head:]
	q.items, q.head = nil, 0
	q.mu.Unlock()
	settle(items, 0, reason)
}

// settle records the result of a group and wakes the submissions that are complete.
func settle(group []*item, seq uint64, err error) {
	if len(group) > 0 {
		group[0].sub.room.release(costOf(group))
	}
	for i, it := range group {
		it.seq, it.position = seq, uint64(i)
		s := it.sub
		if s.err == nil {
			s.err = err
		}
		if s.pending--; s.pending == 0 {
			close(s.done)
		}
	}
}

// appendGroup appends the body of the EVENTS message (SPEC 4), and adds what was parsed of it to
// parsed.
func appendGroup(dst []byte, group []*item, parsed *inbox.Group) []byte {
	dst = append(dst, '[')
	for i, it := range group {
		if i > 0 {
			dst = append(dst, ',')
		}
		r, start := inbox.Record{Publisher: it.publisher, Event: it.event}, len(dst)
		dst = inbox.AppendRecord(dst, r)
		parsed.Add(start, len(dst), r, it.parsed)
		it.parsed = nil
	}
	return append(dst, ']')
}
