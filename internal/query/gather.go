package query

import (
	"context"
	"io"
	"sync/atomic"

	"github.com/sealstream/sealstream/internal/segment"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// gatherer compresses the leaves of the unfinished part while the follower reads them, so that the
// keeper need not read them from the log again. It holds them in memory, as the file will. Leaves
// are never erased, so nothing of this has to be taken back. What it misses the keeper reads.
type gatherer struct {
	in  chan batchLeaves
	out chan *gathered            // whole parts
	at  *atomic.Pointer[gathered] // the part that is being gathered, until it is in out; nil: none
}

// Batches and whole parts that may wait.
const (
	gatherBatches = 16
	gatherParts   = 2
)

func newGatherer() gatherer {
	return gatherer{
		make(chan batchLeaves, gatherBatches), make(chan *gathered, gatherParts), new(atomic.Pointer[gathered]),
	}
}

// batchLeaves are the leaves of a verified batch that an index has taken.
type batchLeaves struct {
	of      *index
	entries []entry.Entry
}

// gathered is the file of leaves of one part.
type gathered struct {
	of    *index
	first uint64
	next  uint64 // index of the next leaf
	rows  *segment.RowsWriter
	file  pieces
	side  []byte // hashes of the leaves
}

// gather hands the leaves of a batch to the gatherer. While the log is read for the first time, it
// waits for the gatherer, which saves reading everything twice. Afterwards nothing waits for it.
func (q *Query) gather(ctx context.Context, x *index, s store.Sealed) {
	if q.folder != "" {
		offer(ctx, q, q.gatherer.in, batchLeaves{x, s.Entries})
	}
}

// offer sends to a channel, and waits for that only until the index has reached the log's end once.
func offer[T any](ctx context.Context, q *Query, to chan T, what T) {
	select {
	case to <- what:
		return
	default:
	}
	q.mu.RLock()
	caughtUp := q.state.caughtUp
	q.mu.RUnlock()
	if caughtUp {
		return
	}
	select {
	case to <- what:
	case <-ctx.Done():
	}
}

// gatherLeaves runs the gatherer until ctx is done.
func (q *Query) gatherLeaves(ctx context.Context) {
	var g *gathered
	for {
		select {
		case <-ctx.Done():
			return
		case b := <-q.gatherer.in:
			for i := range b.entries {
				was := g
				if g = q.gatherLeaf(ctx, g, b.of, &b.entries[i]); g != was {
					q.gatherer.at.Store(g)
				}
			}
		}
	}
}

// gatherLeaf adds a leaf, and returns the part that goes on, or nil until the next part begins.
func (q *Query) gatherLeaf(ctx context.Context, g *gathered, of *index, e *entry.Entry) *gathered {
	if e.Index%of.rows == 0 {
		g = &gathered{of: of, first: e.Index, next: e.Index}
		var err error
		if g.rows, err = segment.NewRowsWriter(&g.file); err != nil {
			return nil
		}
	}
	if g == nil || g.of != of || e.Index > g.next { // something is missing
		return nil
	}
	if e.Index < g.next { // a follower that begins again repeats a batch
		return g
	}
	if g.rows.Add(int(e.Index-g.first), e.Leaf) != nil {
		return nil
	}
	g.side = append(g.side, e.EntryHash[:]...)
	if g.next++; g.next < g.first+of.rows {
		return g
	}
	if g.rows.Close(g.side) == nil {
		g.rows, g.side = nil, nil
		offer(ctx, q, q.gatherer.out, g)
	}
	return nil
}

// pieces is a file in memory that grows without being copied.
type pieces [][]byte

const pieceBytes = 256 << 10

// Write implements io.Writer.
func (p *pieces) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		n := len(*p)
		if n == 0 || len((*p)[n-1]) == pieceBytes {
			*p = append(*p, make([]byte, 0, pieceBytes))
			continue
		}
		last := &(*p)[n-1]
		some := rest[:min(len(rest), pieceBytes-len(*last))]
		*last, rest = append(*last, some...), rest[len(some):]
	}
	return len(b), nil
}

func (p *pieces) writeTo(w io.Writer) error {
	for _, piece := range *p {
		if _, err := w.Write(piece); err != nil {
			return err
		}
	}
	return nil
}
