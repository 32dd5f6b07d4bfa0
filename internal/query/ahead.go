package query

import (
	"context"
	"iter"
)

// batchesAhead limits the pieces of one answer that are read in parallel. Reading in parallel
// matters for a page that is scattered over many messages.
const batchesAhead = 8

// pieceCost is the most memory that a piece takes: 1 MiB of data, leaves, and what is parsed of
// both.
const pieceCost = 3 << 20

// each reads the entries of ascending indexes and yields them in order, those of one batch, or of
// one part's files, at a time. It stops after the first error. The caller's lease covers one piece.
// More are read ahead while the budget for reads has memory for them.
func (r reader) each(ctx context.Context, indexes []uint64) iter.Seq2[[]Found, error] {
	return func(yield func([]Found, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		type result struct {
			list []Found
			err  error
		}
		var ahead []chan result
		share, extra := leaseOf(ctx), int64(0)
		defer func() { share.less(extra * pieceCost) }()
		for rest := indexes; len(rest) > 0 || len(ahead) > 0; {
			for len(rest) > 0 && len(ahead) < batchesAhead {
				if len(ahead) > 0 {
					if !share.more(pieceCost) {
						break
					}
					extra++
				}
				n := r.together(rest)
				some, done := rest[:n], make(chan result, 1)
				rest, ahead = rest[n:], append(ahead, done)
				read := func() {
					list, err := r.some(ctx, some)
					done <- result{list, err}
				}
				if len(rest) == 0 { // the last batch needs no goroutine of its own
					read()
				} else {
					go read()
				}
			}
			next := <-ahead[0]
			ahead = ahead[1:]
			if next.err != nil {
				yield(nil, r.remember(next.err))
				return
			}
			if !yield(next.list, nil) {
				return
			}
			if extra > 0 {
				share.less(pieceCost)
				extra--
			}
		}
	}
}
