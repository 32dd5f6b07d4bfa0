// Package run is the program of sinks: it writes a log of a cluster into sinks of your own and into
// the built-in ones.
package run

import (
	"github.com/sealstream/sealstream/internal/program"
	"github.com/sealstream/sealstream/pkg/sink"
)

// Main runs the program sink with more kinds of sinks. It parses the command line, connects to
// NATS, and writes the log into the sink of each --sink URL until a signal ends it. It verifies the
// log, retries after errors, and serves /metrics, /healthz and /readyz.
//
// schemes adds kinds of sinks to the built-in ones, which are file, postgres, nats, tls, http,
// https and stdout. A scheme with the name of a built-in one replaces it. schemes may be nil.
//
// Main returns the exit status: 0 after a signal, 1 after an error, 2 for a wrong command line.
func Main(schemes sink.Schemes) int { return program.Sink(schemes) }
