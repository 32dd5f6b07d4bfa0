package natsd

import (
	"os"
	"runtime"
	"sync"
)

var threads sync.Once

// Threads gives the process twice as many running threads as processors, unless GOMAXPROCS is set. A thread that waits for an fsync still counts as
// running until the runtime takes its place away, which lasts from 20 µs to 10 ms: with as many threads as processors, a server that syncs
// two streams at once leaves two processors idle. For programs with an embedded server; measured on two cores: a fifth more events a second.
func Threads() {
	threads.Do(func() {
		if os.Getenv("GOMAXPROCS") == "" {
			runtime.GOMAXPROCS(2 * runtime.GOMAXPROCS(0))
		}
	})
}
