package query

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/pkg/api"
)

// ErrCrowded reports that the maximum number of streams is open. Retry later.
var ErrCrowded = errors.New("too many streams are open")

// errEnded ends streams when the service stops. The client resumes with another replica, or later.
var errEnded = errors.New("the service is ending")

// streams is the state shared by the open streams.
//
// A stream has no queue. It is a cursor over the index, which Run's one follower fills, and it
// waits at the end. So history and live events are one walk: no event is lost or repeated between
// them, and a slow client delays only itself.
type streams struct {
	open    atomic.Int64
	dropped atomic.Uint64
	sent    atomic.Uint64
	screen  *screen // of entries as bare streams send them,
	lines   *screen // and as proven ones do
	hidden  *screen // of entries whose hashes the readers may not have
	ending  chan struct{}
	ended   atomic.Bool
}

// StreamStats describes the live streams.
type StreamStats struct {
	Open    int    // streams open now
	Dropped uint64 // streams dropped because their client did not read
	Sent    uint64 // entries sent, counted once for each stream
}

// StreamStats returns the current figures. It never blocks.
func (q *Query) StreamStats() StreamStats {
	s := &q.streams
	return StreamStats{int(s.open.Load()), s.dropped.Load(), s.sent.Load()}
}

// EndStreams ends all streams for good. A server that stops would otherwise wait for them.
func (q *Query) EndStreams() {
	if !q.streams.ended.Swap(true) {
		close(q.streams.ending)
	}
}

// enter counts a new stream. The error wraps ErrCrowded.
func (q *Query) enter() (leave func(), err error) {
	if n := q.streams.open.Add(1); n > int64(q.cfg.MaxStreams) {
		q.streams.open.Add(-1)
		return nil, fmt.Errorf("%w: %d", ErrCrowded, q.cfg.MaxStreams)
	}
	return func() { q.streams.open.Add(-1) }, nil
}

// streamChunk is how many entries a stream sends at a time.
const streamChunk = 64

// stream sends every entry that a normal filter matches, from an index on, once and in order. Then
// it waits for more until ctx is done, the service ends, or send fails. It calls idle when nothing
// was sent for a heartbeat interval. Its error is never nil.
func (q *Query) stream(
	ctx context.Context,
	f api.Filter,
	from uint64,
	proved bool,
	send func([][]byte) error,
	idle func() error,
) error {
	tick := time.NewTicker(q.cfg.Heartbeat)
	defer tick.Stop()
	for next := from; ; {
		q.mu.RLock()
		changed, bad, size := q.changed, q.state.invalid, q.index.size
		q.mu.RUnlock()
		if size > next {
			var err error
			if next, err = q.sendUpTo(ctx, f, next, proved, send); err != nil {
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

// sendUpTo sends the present matches and returns the index after them.
func (q *Query) sendUpTo(
	ctx context.Context,
	f api.Filter,
	next uint64,
	proved bool,
	send func([][]byte) error,
) (uint64, error) {
	snap, matches, err := q.after(ctx, f, next)
	if err != nil {
		return next, err
	}
	r := q.reader(snap)
	var buf [streamChunk]uint64
	chunk := buf[:0]
	for more := true; more; {
		x, ok := matches.next()
		if matches.err != nil {
			return next, matches.err
		}
		if more = ok; ok {
			chunk = append(chunk, x)
		}
		if len(chunk) < streamChunk && ok {
			continue
		}
		if err := q.sendChunk(ctx, r, chunk, proved, send); err != nil {
			return next, err
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

// sendChunk sends some entries, and, where they are proven, the proof of all of them behind.
func (q *Query) sendChunk(ctx context.Context, r reader, chunk []uint64, proved bool, send func([][]byte) error) error {
	if len(chunk) == 0 {
		return nil
	}
	if proved {
		if err := r.mustProve(ctx, chunk); err != nil {
			return err
		}
	}
	h, err := r.hidden(ctx)
	if err != nil {
		return err
	}
	for rest := chunk; len(rest) > 0; {
		n := min(sameBlock(rest), r.together(rest), h.alike(rest))
		screen := q.streams.screen
		if proved {
			screen = q.streams.lines
		} else if h.entry(rest[0]) {
			screen = q.streams.hidden
		}
		if err := q.sendPiece(ctx, r, screen, rest[:n], send); err != nil {
			return err
		}
		q.streams.sent.Add(uint64(n))
		rest = rest[n:]
	}
	if !proved {
		return nil
	}
	hashes, err := r.proveAll(ctx, chunk)
	if err != nil {
		return err
	}
	b, err := r.batchProof(hashes)
	if err != nil {
		return err
	}
	return send([][]byte{httpapi.AppendEvent(nil, "", "proof", b)})
}

// streamCost is the memory that a stream takes while it reads a piece and shows it.
const streamCost = pieceCost + 2<<20

// sendPiece sends entries that are read together. The stream waits for its share of the budget for
// reads. While its client reads, it keeps only what that takes.
func (q *Query) sendPiece(ctx context.Context, r reader, s *screen, indexes []uint64, send func([][]byte) error) error {
	share, err := q.reads.take(ctx, streamCost, true)
	if err != nil {
		return err
	}
	defer share.leave()
	list, err := s.show(share.with(ctx), r, indexes)
	if err != nil {
		return err
	}
	size := 0
	for _, event := range list {
		size += len(event)
	}
	share.keep(int64(size))
	return send(list)
}
