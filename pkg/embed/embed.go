package embed

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/sealstream/sealstream/internal/node"
	"github.com/sealstream/sealstream/pkg/client"
	"github.com/sealstream/sealstream/pkg/redact"
	"github.com/sealstream/sealstream/pkg/sink"
)

// Options configure a log. The zero value is a log in memory.
type Options struct {
	// Dir is the data directory, which is created if it does not exist. One process at a time can
	// open it. Empty keeps the log in memory until Close, which is for tests.
	Dir string
	// Name is the name of the log. Empty is "default".
	Name string
	// Host is the first part of the origin of a new log. Empty is "sealstream.local". A log in Dir
	// that exists keeps its origin.
	Host string
	// Sinks are URLs of sinks, which receive every entry. Nil writes to none.
	Sinks []string
	// Schemes are kinds of sinks besides file, stdout, http, https, nats and tls. One of these names
	// replaces the built-in kind. Nil adds none.
	Schemes sink.Schemes
	// Redaction are the rules by which data is redacted before it is sealed; package
	// redact/rulesfile reads them from YAML. Nil is the default set for a new log and keeps the rules
	// of a log in Dir that exists. Empty rules redact nothing. Log.Client applies them too.
	Redaction *redact.Rules
	// Metrics measures the log, and serves GET /metrics in Log.Handler: see package embed/prometheus.
	// Nil measures nothing.
	Metrics func(log string) Metrics
	// Logger receives the log lines of the services. Nil logs nothing.
	Logger *slog.Logger
}

// Metrics measures a log. Package embed/prometheus makes one.
type Metrics = node.Metrics

// Log is a log that runs inside this program. Several goroutines may call its methods at a time.
type Log struct{ inner *node.Log }

// Open starts the log and waits until it can be read and written. It returns an error if a setting
// is invalid, if another process has opened Dir, or if the log in Dir does not verify. Canceling
// ctx after Open has returned does not stop the log: Close does.
func Open(ctx context.Context, o Options) (*Log, error) {
	l, err := node.Embedded(ctx, node.EmbedConfig{
		Plugins:   node.Plugins{Metrics: o.Metrics, Schemes: o.Schemes},
		Dir:       o.Dir,
		Log:       o.Name,
		Host:      o.Host,
		Sinks:     o.Sinks,
		Redaction: o.Redaction,
		Logger:    o.Logger,
	})
	if err != nil {
		return nil, err
	}
	return &Log{l}, nil
}

// Client returns a client of the log, which records events and reads verified entries. It calls
// Handler without a network. Close closes it.
func (l *Log) Client() *client.Client { return l.inner.Client() }

// Handler returns the HTTP API of the log. It has no authentication: put your own in front of it.
func (l *Log) Handler() http.Handler { return l.inner.Handler() }

// Key returns the verifier key of the log. Everyone who verifies a proof needs it.
func (l *Log) Key() string { return l.inner.Key() }

// Close seals what was recorded and stops the log. This takes up to 20 seconds. Later calls return
// the result of the first one.
func (l *Log) Close() error { return l.inner.Close() }
