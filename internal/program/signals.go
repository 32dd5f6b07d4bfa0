package program

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// AsService makes this process behave as a service, not as a command in a pipe, until stop is
// called:
//
//   - A reader of standard output or error that goes away does not end the process (SIGPIPE). Writes
//     to it fail instead.
//   - SIGHUP reopens the files of sinks, and the process goes on. Only a SIGHUP that comes because the
//     controlling terminal was closed ends the returned context, for a clean stop. Under nohup it
//     does not.
func AsService(ctx context.Context) (service context.Context, stop context.CancelFunc) {
	signal.Ignore(syscall.SIGPIPE)
	attached := !signal.Ignored(syscall.SIGHUP) && hasTerminal()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		defer signal.Stop(hup)
		awaitHangup(ctx, hup, attached)
		cancel(errors.New("the terminal was closed"))
	}()
	return ctx, func() { cancel(nil) }
}

// terminalEvery is how often it is looked whether the terminal is still there. A process that
// outlives its terminal, because its shell disowned it, takes every later SIGHUP for a request to
// reopen files.
const terminalEvery = 5 * time.Second

// awaitHangup returns when the terminal was closed, or ctx is done.
func awaitHangup(ctx context.Context, hup <-chan os.Signal, attached bool) {
	every := time.NewTicker(terminalEvery)
	defer every.Stop()
	missed := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
			if attached && terminalGone() {
				return
			}
		case <-every.C:
			if !attached || hasTerminal() {
				missed = 0
			} else if missed++; missed > 1 { // its SIGHUP would have come by now
				attached = false
			}
		}
	}
}

// hasTerminal reports whether the process has a controlling terminal.
func hasTerminal() bool {
	f, err := os.OpenFile("/dev/tty", os.O_RDONLY|syscall.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	f.Close()
	return true
}

// terminalGone asks for a moment: a shell may pass its SIGHUP on before the kernel has taken the
// terminal from all processes.
func terminalGone() bool {
	for range 5 {
		if !hasTerminal() {
			return true
		}
		time.Sleep(20 * time.Millisecond)
	}
	return false
}
