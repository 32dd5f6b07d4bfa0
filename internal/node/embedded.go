package node

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"

	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/pkg/client"
	"github.com/sealstream/sealstream/pkg/redact"
)

// Log is a log inside a Go program.
type Log struct {
	*Node
	client *client.Client
	close  sync.Once
	err    error
}

// EmbedConfig configures a log inside a Go program; see embed.Options. The zero value is a log in
// memory.
type EmbedConfig struct {
	Plugins

	Dir       string // data directory; "": the log is in memory
	Log, Host string // as in UpConfig
	Sinks     []string
	Redaction *redact.Rules // nil: as with an empty UpConfig.Redaction
	Logger    *slog.Logger  // nil: silent
}

// Embedded runs the whole pipeline inside this program. With a directory the log is there, durable,
// on an embedded NATS server of its own that listens on a free loopback port. Without one it is in
// memory and ends with the program.
func Embedded(ctx context.Context, cfg EmbedConfig) (*Log, error) {
	n, err := Up(ctx, cfg.up())
	if err != nil {
		return nil, err
	}
	l := &Log{Node: n}
	if err := n.pipeline.query.CaughtUp(ctx); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	l.client, err = client.New(client.Config{
		Server: "http://embedded",
		Key:    l.Key(),
		Log:    l.pipeline.log.Name,
		HTTP:   &http.Client{Transport: httpapi.InProcess(unguarded(l.pipeline.handler()))},

		Redaction: cfg.Redaction,
	})
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (cfg EmbedConfig) up() UpConfig {
	return UpConfig{
		Plugins: cfg.Plugins, Data: cfg.Dir, Log: cfg.Log, Host: cfg.Host, HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0",
		Sinks: cfg.Sinks, rules: ruled(cfg.Redaction), Logger: cfg.Logger, memory: cfg.Dir == "",
	}
}

// Client records events in the log and reads it, and verifies both. It belongs to the log: Close
// ends it.
func (l *Log) Client() *client.Client { return l.client }

// Handler is the log's HTTP API, for a server of the program's own.
func (l *Log) Handler() http.Handler { return unguarded(l.pipeline.handler()) }

// Close ends the log: what is recorded is sealed before.
func (l *Log) Close() error {
	l.close.Do(func() {
		if l.client != nil {
			ctx, cancel := context.WithTimeout(context.Background(), stopGrace)
			l.err = l.client.Close(ctx)
			cancel()
		}
		l.err = errors.Join(l.err, l.Node.Close())
	})
	return l.err
}
