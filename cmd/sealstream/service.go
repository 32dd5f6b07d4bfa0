package main

import (
	"log/slog"

	"github.com/sealstream/sealstream/internal/program"
)

// serviceLog are the flags of the log of a verb that runs until a signal.
type serviceLog struct{ program.LogFlags }

// logger returns the logger of the verb. A terminal shows warnings and errors alone: what else
// happens stands on standard output.
func (l serviceLog) logger(a *app) *slog.Logger {
	if isTerminal(a.err) && !l.JSON() {
		return l.Warnings(a.err)
	}
	return l.Logger(a.err)
}

// told returns the error with which the verb ends. With --log-format json, it is a line of the log.
func (l serviceLog) told(logger *slog.Logger, name string, err error) error {
	if err == nil || !l.JSON() {
		return err
	}
	logger.Error(name+" ends", "cause", noUser(err.Error()))
	return shown{err}
}

// asService prepares a verb that runs until a signal, as program.AsService describes. It buffers
// the log in a program.LogWriter, which exit flushes. Call stop when the service has ended.
func (a *app) asService() (stop func()) {
	a.err = program.NewLogWriter(a.err)
	ctx, stop := program.AsService(a.ctx)
	a.ctx = ctx
	return stop
}
