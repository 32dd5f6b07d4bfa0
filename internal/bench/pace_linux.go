package bench

import (
	"syscall"
	"time"
)

func sleep(d time.Duration) {
	t := syscall.NsecToTimespec(int64(d))
	syscall.Nanosleep(&t, nil) // cut short by a signal, it is only early
}
