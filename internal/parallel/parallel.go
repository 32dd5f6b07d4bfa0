// Package parallel does work on a sequence in several goroutines, and keeps the order of the
// sequence.
package parallel

import (
	"iter"
	"runtime"
)

// Ahead returns how many items keep all processors busy.
func Ahead() int { return 2 * runtime.GOMAXPROCS(0) }

// Map yields the result of work for each item of in, in the order of in. It runs work in goroutines
// ahead of the caller, so work must be safe for concurrent use. At most ahead items are in work, or
// done and not taken. Map reads in on the caller's own goroutine. After an error of in, it yields
// the results before the error, then the error, and ends. When Map has ended, no work is running.
func Map[In, Out any](in iter.Seq2[In, error], ahead int, work func(In) Out) iter.Seq2[Out, error] {
	return func(yield func(Out, error) bool) {
		var pending []chan Out
		defer func() {
			for _, p := range pending {
				<-p
			}
		}()
		next := func() bool {
			out := <-pending[0]
			pending = pending[1:]
			return yield(out, nil)
		}
		var failed error
		for item, err := range in {
			if failed = err; err != nil {
				break
			}
			if len(pending) == ahead && !next() {
				return
			}
			done := make(chan Out, 1)
			go func() { done <- work(item) }()
			pending = append(pending, done)
		}
		for len(pending) > 0 {
			if !next() {
				return
			}
		}
		if failed != nil {
			yield(*new(Out), failed)
		}
	}
}
