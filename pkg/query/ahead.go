package query

import (
	"context"
	"iter"
)

// batchesAhead is how many batches of one answer are read at a time. Each has up to a MiB, so this bounds the memory of an answer; they are
// awaited together, so that a page that is scattered over a hundred messages does not wait a hundred times.
const batchesAhead = 8

// each reads the entries of ascending indexes, and yields them batch by batch, in order. It ends after the first error.
func (r reader) each(ctx context.Context, indexes []uint64) iter.Seq2[[]Found, error] {
	return func(yield func([]Found, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		type result struct {
			list []Found
			err  error
		}
		var ahead []chan result
		for rest := indexes; len(rest) > 0 || len(ahead) > 0; {
			for len(rest) > 0 && len(ahead) < batchesAhead {
				ref, n := r.sameBatch(rest)
				some, done := rest[:n], make(chan result, 1)
				rest, ahead = rest[n:], append(ahead, done)
				read := func() {
					list, err := r.batch(ctx, ref, some)
					done <- result{list, err}
				}
				if len(rest) == 0 { // the last one, or the only one: nobody else has to be waited for
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
		}
	}
}
