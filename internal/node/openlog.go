package node

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/internal/natsconn"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/internal/store/natsstore"
	"github.com/sealstream/sealstream/streams"
)

// openLog makes what is missing of a log's streams, refuses what has drifted, and opens them.
func openLog(ctx context.Context, nc *nats.Conn, cfg streams.Config) (*store.Log, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	if err := streams.Ensure(ctx, js, cfg); err != nil {
		return nil, err
	}
	if _, err := streams.CloseWindow(ctx, js, cfg); err != nil {
		return nil, err
	}
	if err := streams.Check(ctx, js, cfg); err != nil {
		return nil, err
	}
	return natsstore.Open(ctx, nc, cfg)
}

// openApplied opens the streams of a log once an administrator has made them.
func openApplied(ctx context.Context, nc *nats.Conn, cfg streams.Config, logger *slog.Logger) (*store.Log, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	const waits = "waiting for the streams to be made: sealstream admin apply"
	return poll(ctx, logger, waits, cfg.Log, func() (*store.Log, error) {
		err := streams.Check(ctx, js, cfg)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		return natsstore.Open(ctx, nc, cfg)
	})
}

// awaitLog opens a log that the sealer has made, and waits until it has. Nobody else may make its
// streams: the first message on EVENTS must be the one that creates the log, and an event that came
// before it would stop the sealer for good.
func awaitLog(ctx context.Context, nc *nats.Conn, cfg streams.Config, logger *slog.Logger) (*store.Log, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	return poll(ctx, logger, "waiting for the sealer to make the log", cfg.Log, func() (*store.Log, error) {
		return natsconn.WaitForAnswer(ctx, logger, func() (*store.Log, error) { return createdLog(ctx, js, nc, cfg) })
	})
}

// poll calls open until it returns a log or an error. It logs once what it waits for.
func poll(
	ctx context.Context,
	logger *slog.Logger,
	waits, log string,
	open func() (*store.Log, error),
) (*store.Log, error) {
	for logged := false; ; logged = true {
		if l, err := open(); l != nil || err != nil {
			return l, err
		}
		if !logged {
			logger.WarnContext(ctx, waits, "log", log)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// createdLog opens a log, or returns nil if it is not made yet.
func createdLog(ctx context.Context, js jetstream.JetStream, nc *nats.Conn, cfg streams.Config) (*store.Log, error) {
	err := streams.Check(ctx, js, cfg)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	l, err := natsstore.Open(ctx, nc, cfg)
	if err != nil {
		return nil, err
	}
	for _, s := range []store.Stream{l.Sealed, l.Events} {
		info, err := s.Info(ctx)
		if err != nil || info.Last > 0 {
			return l, err
		}
	}
	return nil, nil
}
