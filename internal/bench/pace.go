package bench

import (
	"runtime"
	"time"
)

// pace waits until each of a row of times, to within some microseconds where the system can: a
// timer of the Go runtime may be a millisecond late on an idle machine, which would count as
// latency of the log. It must be used by one goroutine.
func pace(begin time.Time, rate, n int, do func(due time.Time, n int)) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for i := range n {
		due := begin.Add(time.Duration(i) * time.Second / time.Duration(rate))
		if wait := time.Until(due); wait > 0 {
			sleep(wait)
		}
		do(due, i)
	}
}
