package logtest

import (
	"context"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/internal/natsd"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/internal/store/natsstore"
	"github.com/sealstream/sealstream/streams"
)

// Name is the name of the log where a test does not choose one.
const Name = "default"

// Server starts an embedded server. An empty StoreDir is a folder of the test, an empty Addr a free
// port of the loopback, and an empty Log is Name.
func Server(t testing.TB, cfg natsd.Config) *natsd.Server {
	t.Helper()
	if cfg.StoreDir == "" {
		cfg.StoreDir = t.TempDir()
	}
	if cfg.Addr == "" && !cfg.InProcess {
		cfg.Addr = "127.0.0.1:0"
	}
	if cfg.Log == "" {
		cfg.Log = Name
	}
	s, err := natsd.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	return s
}

// Connect connects to a server with all rights.
func Connect(t testing.TB, s *natsd.Server, opts ...nats.Option) (*nats.Conn, jetstream.JetStream) {
	t.Helper()
	nc, err := s.Connect(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return nc, js
}

// Open opens a log on a connection of its own, as another process does, and makes its streams where
// they are missing.
func Open(t testing.TB, s *natsd.Server, cfg streams.Config, opts ...nats.Option) (*nats.Conn, *store.Log) {
	t.Helper()
	nc, js := Connect(t, s, opts...)
	if err := streams.Ensure(t.Context(), js, cfg); err != nil {
		t.Fatal(err)
	}
	log, err := natsstore.Open(t.Context(), nc, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return nc, log
}

// OnNATS is a log on an embedded server of its own that does not sync to disk.
func OnNATS(t testing.TB) *store.Log {
	t.Helper()
	_, log := Open(t, Server(t, natsd.Config{InProcess: true, Relaxed: true}), streams.Config{Log: Name})
	return log
}

// Dial opens a log by a server's address and password, as a child process does.
func Dial(ctx context.Context, url, password string) (*store.Log, error) {
	nc, err := nats.Connect(url, nats.UserInfo("sealstream", password), nats.CustomInboxPrefix(natsd.InboxPrefix))
	if err != nil {
		return nil, err
	}
	return natsstore.Open(ctx, nc, streams.Config{Log: Name})
}
