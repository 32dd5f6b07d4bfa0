package node

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"

	"github.com/sealstream/sealstream/pkg/alert"
	"github.com/sealstream/sealstream/pkg/client"
	"github.com/sealstream/sealstream/pkg/query"
	"github.com/sealstream/sealstream/pkg/store"
)

// Log is a log inside a Go program.
type Log struct {
	pipeline *pipeline
	node     *Node // nil in memory
	client   *client.Client
	close    sync.Once
	err      error
}

// Embedded runs the whole pipeline inside this program. With a directory the log stands there, durable, on an embedded NATS server of
// its own that listens on a free loopback port; with dir "" it lives in memory and ends with the program, which is for tests.
func Embedded(ctx context.Context, dir string) (*Log, error) {
	l := &Log{}
	var err error
	if dir == "" {
		err = l.memory(ctx)
	} else if l.node, err = Up(ctx, UpConfig{Data: dir, HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0"}); err == nil {
		l.pipeline = l.node.pipeline
	}
	if err != nil {
		return nil, err
	}
	if err := l.pipeline.query.CaughtUp(ctx); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	l.client, err = client.New(client.Config{
		Server: "http://embedded", Key: l.Key(), Log: l.pipeline.log.Name, HTTP: &http.Client{Transport: inProcess{l.pipeline.handler()}},
	})
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Log) memory(ctx context.Context) error {
	keys, err := newKeys("sealstream.local", "default")
	if err != nil {
		return err
	}
	l.pipeline, err = startPipeline(ctx, pipelineConfig{
		log: store.NewMemory("default"), keys: keys, memory: true, relaxed: true, alerts: &alert.Config{}, logger: slog.New(slog.DiscardHandler),
	})
	return err
}

// Client records events in the log and verifies its receipts. It belongs to the log: Close ends it.
func (l *Log) Client() *client.Client { return l.client }

// Query answers filters and makes proofs.
func (l *Log) Query() *query.Query { return l.pipeline.query }

// Handler is the log's HTTP API, for a server of the program's own.
func (l *Log) Handler() http.Handler { return l.pipeline.handler() }

// Key is the log's verifier key.
func (l *Log) Key() string { return l.pipeline.keys.Signer.VerifierKey() }

// Close ends the log: what is recorded is sealed before.
func (l *Log) Close() error {
	l.close.Do(func() {
		if l.client != nil {
			ctx, cancel := context.WithTimeout(context.Background(), stopGrace)
			l.err = l.client.Close(ctx)
			cancel()
		}
		if l.node != nil {
			l.err = errors.Join(l.err, l.node.Close())
			return
		}
		l.pipeline.stop(stopGrace)
	})
	return l.err
}

// inProcess answers requests without a network.
type inProcess struct{ handler http.Handler }

func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	t.handler.ServeHTTP(w, r)
	return w.Result(), nil
}
