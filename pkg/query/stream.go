package query

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// ErrCrowded: as many streams as are allowed are open. Try again later.
var ErrCrowded = errors.New("too many streams are open")

// errEnded ends streams when the service ends: whoever reads one goes on elsewhere, or later.
var errEnded = errors.New("the service is ending")

// streams is what the open streams have in common.
//
// A stream has no queue: it is a cursor over the index, which Run's one follower fills, and waits when it has reached the end. So history and
// live are the same walk, nothing can fall between them or come twice, and whoever reads slowly is behind and in nobody's way.
type streams struct {
	open    atomic.Int64
	dropped atomic.Uint64
	sent    atomic.Uint64
	screen  *screen
	ending  chan struct{}
	ended   atomic.Bool
}

// StreamStats tells of the live streams.
type StreamStats struct {
	Open    int    // now
	Dropped uint64 // because their readers did not take what was sent to them
	Sent    uint64 // entries, each counted for each stream
}

// StreamStats returns the present figures; it never blocks.
func (q *Query) StreamStats() StreamStats {
	s := &q.streams
	return StreamStats{int(s.open.Load()), s.dropped.Load(), s.sent.Load()}
}

// EndStreams ends all streams, for good: a server that is to stop would wait for them.
func (q *Query) EndStreams() {
	if !q.streams.ended.Swap(true) {
		close(q.streams.ending)
	}
}

// enter counts a stream in, or says that there is no room.
func (q *Query) enter() (leave func(), err error) {
	if n := q.streams.open.Add(1); n > int64(q.cfg.MaxStreams) {
		q.streams.open.Add(-1)
		return nil, fmt.Errorf("%w: %d", ErrCrowded, q.cfg.MaxStreams)
	}
	return func() { q.streams.open.Add(-1) }, nil
}

// streamBytes is how much of the newest entries is kept as streams send them.
const streamBytes = 32 << 20

// streamChunk is how many entries a stream takes at a time.
const streamChunk = 64

// stream sends every entry that a normal filter matches, from an index on, once and in order, as it is shown; and waits for more until ctx is
// done, the service ends, or send fails. idle is called when nothing was sent for a while. Its error is never nil.
func (q *Query) stream(ctx context.Context, f Filter, from uint64, send func([][]byte) error, idle func() error) error {
	tick := time.NewTicker(q.cfg.Heartbeat)
	defer tick.Stop()
	for next := from; ; {
		q.mu.RLock()
		changed, bad, size := q.changed, q.state.bad, q.index.size
		q.mu.RUnlock()
		if size > next {
			var err error
			if next, err = q.sendUpTo(ctx, f, next, send); err != nil {
				return err
			}
			tick.Reset(q.cfg.Heartbeat)
			continue
		}
		if bad != nil {
			return bad
		}
		select {
		case <-changed:
		case <-tick.C:
			if err := idle(); err != nil {
				return err
			}
		case <-q.streams.ending:
			return errEnded
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// sendUpTo sends what there is now, and returns the index behind it.
func (q *Query) sendUpTo(ctx context.Context, f Filter, next uint64, send func([][]byte) error) (uint64, error) {
	snap, matches, err := q.after(f, next)
	if err != nil {
		return next, err
	}
	r := q.reader(snap)
	var buf [streamChunk]uint64
	chunk := buf[:0]
	for more := true; more; {
		x, ok := matches.next()
		if more = ok; ok {
			chunk = append(chunk, x)
		}
		if len(chunk) < streamChunk && ok {
			continue
		}
		for len(chunk) > 0 {
			n := sameBlock(chunk)
			list, err := q.streams.screen.show(ctx, r, chunk[:n])
			if err == nil {
				err = send(list)
			}
			if err != nil {
				return chunk[0], err
			}
			q.streams.sent.Add(uint64(n))
			chunk = chunk[n:]
		}
		chunk = buf[:0]
		select {
		case <-q.streams.ending:
			return snap.size, errEnded
		case <-ctx.Done():
			return snap.size, ctx.Err()
		default:
		}
	}
	return snap.size, nil
}
