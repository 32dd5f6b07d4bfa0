package program

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// LogWriter passes lines on to a writer from a goroutine of its own, so that a reader of standard
// error that does not read, or is gone, holds up no part of a service. Lines that find no room are
// dropped, and their number is written when there is room again. Use NewLogWriter; it may be used
// by many goroutines.
type LogWriter struct {
	out     io.Writer
	lines   chan []byte
	waiting atomic.Int64 // lines that are not written yet
	dropped atomic.Uint64
}

// logLines is how many lines wait at most.
const logLines = 1024

// NewLogWriter returns a LogWriter to w.
func NewLogWriter(w io.Writer) *LogWriter {
	l := &LogWriter{out: w, lines: make(chan []byte, logLines)}
	go func() {
		for line := range l.lines {
			if n := l.dropped.Swap(0); n > 0 {
				fmt.Fprintf(w, "%d lines of the log were dropped: nobody read standard error\n", n)
			}
			w.Write(line) // an error cannot be told anywhere
			l.waiting.Add(-1)
		}
	}()
	return l
}

// Write implements io.Writer. It never blocks and never fails.
func (l *LogWriter) Write(line []byte) (int, error) {
	l.waiting.Add(1)
	select {
	case l.lines <- bytes.Clone(line):
	default:
		l.waiting.Add(-1)
		l.dropped.Add(1)
	}
	return len(line), nil
}

// Out returns the writer behind it.
func (l *LogWriter) Out() io.Writer { return l.out }

// Flush waits until all lines are written, for a second at most.
func (l *LogWriter) Flush() {
	for deadline := time.Now().Add(time.Second); l.waiting.Load() > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
}

// standardError is that of the services that run apart.
var standardError = sync.OnceValue(func() *LogWriter { return NewLogWriter(os.Stderr) })
