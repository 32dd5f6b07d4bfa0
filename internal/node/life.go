package node

import (
	"context"
	"log/slog"
	"time"
)

// Began logs that a service starts, with attributes such as its version. It returns what logs that
// the service has stopped: why, how long it ran, and how long it took to stop after ctx was done. A
// failure is for the caller to tell.
func Began(ctx context.Context, logger *slog.Logger, name string, attrs ...any) (stopped func(error)) {
	began := time.Now()
	var asked time.Time
	noted := make(chan struct{})
	forget := context.AfterFunc(ctx, func() { asked = time.Now(); close(noted) })
	logger.InfoContext(ctx, name+" starts", attrs...)
	return func(err error) {
		if forget() || err != nil {
			return // it was not asked to stop
		}
		<-noted
		logger.Info(name+" has stopped", "cause", context.Cause(ctx), "ran", short(time.Since(began)),
			"took", short(time.Since(asked)))
	}
}

// short rounds a duration for a log line.
func short(d time.Duration) time.Duration {
	if d > time.Second {
		return d.Round(time.Second)
	}
	return d.Round(time.Millisecond)
}
