package memory

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// goal is the memory that a process aims at while what it needs is less, in bytes. The garbage
// collector would otherwise let the heap of a busy log grow to twice of what the broker caches.
const goal = 1 << 30

// A process that allocates less than busyBytes in each of restTicks ticks gives memory back to the
// system. That is longer than the ten seconds for which the broker keeps what it has cached.
const (
	tick      = 5 * time.Second
	busyBytes = 32 << 20
	restTicks = 3
)

var keeping sync.Once

// KeepTo makes the garbage collector work harder when the process approaches the limit, in bytes. A
// quarter of it is left for memory outside Go's heap, such as thread stacks and pages of files that
// are being written. A limit of 0 means that there is none. A process that needs little keeps to 1
// GiB, whatever its limit is, and a process at rest returns what it does not need. GOMEMLIMIT
// replaces both limits.
func KeepTo(limit int64) {
	k := &keeper{ceiling: math.MaxInt64, set: func(n int64) { debug.SetMemoryLimit(n) }, free: free}
	if limit > 0 {
		k.ceiling = limit / 4 * 3
	}
	if os.Getenv("GOMEMLIMIT") != "" {
		k.set = func(int64) {}
	}
	k.keep(0)
	keeping.Do(func() { go k.run() })
}

// keeper sets the memory limit of the garbage collector, and sees when the process is at rest.
type keeper struct {
	ceiling int64
	set     func(limit int64)
	free    func()

	limit     int64  // set last
	allocated uint64 // in all, at the last tick
	quiet     int    // ticks since the process was busy
}

func (k *keeper) run() {
	list := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}}
	for range time.Tick(tick) {
		metrics.Read(list)
		k.keep(list[1].Value.Uint64())
		k.rest(list[0].Value.Uint64())
	}
}

// keep sets the limit for a process that needs so many bytes: a collector that may not use more
// than it needs would never rest.
func (k *keeper) keep(live uint64) {
	limit := min(max(goal, int64(live+live/2)), k.ceiling)
	if k.limit == 0 || limit > k.limit || limit < k.limit/8*7 {
		k.limit = limit
		k.set(limit)
	}
}

// rest returns memory to the system when the process has come to rest.
func (k *keeper) rest(allocated uint64) {
	if allocated-k.allocated > busyBytes {
		k.quiet = -1
	}
	k.allocated = allocated
	if k.quiet++; k.quiet == restTicks {
		k.free()
	}
}

// free collects twice, since pools keep their content once.
func free() {
	runtime.GC()
	debug.FreeOSMemory()
}
