package ingest

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/sealstream/sealstream/internal/store"
)

// cost is a number of bytes on SEALED and on PAYLOADS.
type cost struct{ sealed, payloads int64 }

func (c cost) plus(d cost) cost  { return cost{c.sealed + d.sealed, c.payloads + d.payloads} }
func (c cost) minus(d cost) cost { return cost{c.sealed - d.sealed, c.payloads - d.payloads} }

// Upper bounds of what an event takes besides its own bytes, and a batch besides its entries, in
// bytes.
const (
	leafOverhead    = 640  // hashes, positions, names of members
	maxRepeated     = 600  // attributes that a leaf has twice: type, id
	payloadOverhead = 160  // salt, index, names of members
	batchOverhead   = 2560 // checkpoint, frontier, headers
	// bytes on SEALED and on PAYLOADS for each byte that another publisher wrote to EVENTS
	foreignFactor = 4
)

// cost returns an upper bound of what an event will take. Its payload record holds data as a
// string, in which each character may be escaped.
func (it *item) cost() cost {
	attributes := max(len(it.event)-it.data, 0) + len(it.publisher)
	return cost{int64(attributes + min(attributes, maxRepeated) + leafOverhead), int64(2*it.data + payloadOverhead)}
}

func costOf(items []*item) (c cost) {
	for _, it := range items {
		c = c.plus(it.cost())
	}
	return c
}

func (s *submission) cost() (c cost) {
	for i := range s.items {
		c = c.plus(s.items[i].cost())
	}
	return c
}

// ledger refuses events that could be stored but never be sealed. It counts what all events that
// are accepted and not sealed yet will take of SEALED and PAYLOADS at most. Before the first
// measurement it refuses nothing.
type ledger struct {
	mu     sync.Mutex
	known  bool
	free   cost    // free space at the last measurement, without the reserves
	queued cost    // accepted and not stored yet
	stored []group // stored by this ingest and not sealed yet, in order
	owed   cost    // cost of stored, and of what others had stored at the last measurement
	stuck  cost    // the part of owed that had waited for stuckAfter at the last measurement
	full   fullness

	short   string // the stream that had too little space for the newest refused request
	refused time.Time
}

// group is one EVENTS message of this ingest, or several that follow each other.
type group struct {
	seq      uint64 // sequence of the last message
	messages uint64
	cost     cost
	at       time.Time // time at which the first was stored
}

const (
	maxGroups  = 4096 // counted separately
	stuckAfter = 2 * time.Second
)

// take reserves space for events. The error wraps ErrNoRoom.
func (l *ledger) take(c cost) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if why := cmp.Or(l.full.sealed, l.full.payloads); why != "" {
		return fmt.Errorf("%w: %s", ErrNoRoom, why)
	}
	if left := l.left().minus(c); l.known && (left.sealed < 0 || left.payloads < 0) {
		if late := l.leftAfterSealing().minus(c); late.sealed >= 0 && late.payloads >= 0 {
			return fmt.Errorf("%w now: what waits to be sealed may take the rest of %s", ErrNoRoom,
				strings.ToUpper(left.short()))
		}
		return fmt.Errorf("%w: %s has less room than this request may take; an administrator must raise the limit",
			ErrNoRoom, strings.ToUpper(left.short()))
	}
	l.queued = l.queued.plus(c)
	return nil
}

// fullness says why SEALED and PAYLOADS are full. A member is "" while that stream has space.
type fullness struct{ sealed, payloads string }

// short names the stream whose cost is negative.
func (c cost) short() string {
	if c.sealed < 0 {
		return "sealed"
	}
	return "payloads"
}

// refuse records that a request was refused, unless it will fit once the waiting events are sealed.
func (l *ledger) refuse(c cost) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if left := l.leftAfterSealing().minus(c); left.sealed < 0 || left.payloads < 0 {
		l.short, l.refused = left.short(), time.Now()
	}
}

// measured reports whether the streams were measured.
func (l *ledger) measured() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.known
}

// release returns what was reserved for items that are now stored, or will not be.
func (l *ledger) release(c cost) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queued = l.queued.minus(c)
}

// store records that items are stored as one message.
func (l *ledger) store(seq uint64, c cost) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c = c.plus(cost{batchOverhead, batchOverhead})
	l.owed = l.owed.plus(c)
	if n := len(l.stored); n >= maxGroups {
		g := &l.stored[n-1]
		g.seq, g.messages, g.cost = seq, g.messages+1, g.cost.plus(c)
		return
	}
	l.stored = append(l.stored, group{seq, 1, c, time.Now()})
}

// left returns the space that is free now.
func (l *ledger) left() cost { return l.free.minus(l.queued).minus(l.owed) }

// leftAfterSealing returns the space that remains once everything in progress is sealed. What is
// stuck counts as used.
func (l *ledger) leftAfterSealing() cost { return l.free.minus(l.stuck) }

// measure updates the ledger with fresh figures of the streams.
func (l *ledger) measure(v store.Vitals) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for n < len(l.stored) && l.stored[n].seq <= v.Input {
		n++
	}
	l.stored = append(l.stored[:0], l.stored[n:]...)
	own := uint64(0)
	l.owed, l.stuck = cost{}, cost{}
	for _, g := range l.stored {
		if l.owed = l.owed.plus(g.cost); time.Since(g.at) > stuckAfter {
			l.stuck = l.stuck.plus(g.cost)
		}
		if g.seq <= v.Last {
			own += g.messages
		}
	}
	others := int64(max(v.Waiting, own) - own)
	each := int64(v.Average)*foreignFactor + batchOverhead
	l.owed = l.owed.plus(cost{others * each, others * each})
	if !v.Oldest.IsZero() && time.Since(v.Oldest) > stuckAfter {
		l.stuck = l.stuck.plus(cost{others * each, others * each})
	}
	sealed, payloads := v.Sizes["sealed"], v.Sizes["payloads"]
	l.known = true
	l.free = cost{usable(sealed), usable(payloads)}
	l.full.sealed = judge("SEALED", sealed, l.leftAfterSealing().sealed, l.full.sealed)
	l.full.payloads = judge("PAYLOADS", payloads, l.leftAfterSealing().payloads, l.full.payloads)
}

func usable(s store.Size) int64 {
	free, limited := s.Free()
	if !limited {
		return math.MaxInt64 / 4
	}
	return int64(free) - int64(s.Reserve())
}

// judge returns why a stream is full, or "". A stream that was full stays so until it has clearly
// more space, so that the state does not flap.
func judge(name string, s store.Size, left int64, before string) string {
	enough := int64(min(s.Limit/16, 16<<10)) // about the size of an event
	if before != "" {
		enough = max(int64(s.Reserve()), 2*enough)
	}
	if left >= enough {
		return ""
	}
	return fmt.Sprintf(
		"%s holds %d of at most %d bytes, and what waits to be sealed may take the rest; an administrator must raise the "+
			"limit",
		name,
		s.Bytes,
		s.Limit,
	)
}

// reserve reserves space. Before it refuses, it measures again: what was sealed since the last
// measurement is counted twice.
func (in *Ingest) reserve(ctx context.Context, c cost) error {
	if in.cfg.Measure != nil && !in.ledger.measured() {
		in.cfg.Measure(ctx)
	}
	err := in.ledger.take(c)
	if err != nil && in.cfg.Measure != nil {
		in.cfg.Measure(ctx)
		err = in.ledger.take(c)
	}
	if err != nil {
		in.ledger.refuse(c)
	}
	return err
}

// Measure gives ingest fresh figures of the log's streams. Call it about once a second. Without it,
// ingest cannot refuse events for which there is no space to seal them.
func (in *Ingest) Measure(v store.Vitals) { in.ledger.measure(v) }

// Room returns why SEALED and PAYLOADS have no space for more events. A result is "" while that
// stream has space or was not measured.
func (in *Ingest) Room() (sealed, payloads string) {
	in.ledger.mu.Lock()
	defer in.ledger.mu.Unlock()
	return in.ledger.full.sealed, in.ledger.full.payloads
}

// Short returns the stream that had too little space for a request within shortTTL, or "". Smaller
// requests may still succeed.
func (in *Ingest) Short() (part string) {
	in.ledger.mu.Lock()
	defer in.ledger.mu.Unlock()
	if time.Since(in.ledger.refused) > shortTTL {
		return ""
	}
	return in.ledger.short
}

const shortTTL = 2 * time.Minute
