package node

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/streams"
)

// clusterPatience is how long a service that starts waits for a cluster to elect its leaders; one that ended instead would only be started again.
const clusterPatience = 2 * time.Minute

// patiently does what asks JetStream until it gets an answer, whatever the answer is.
func patiently[T any](ctx context.Context, log *slog.Logger, ask func() (T, error)) (v T, err error) {
	begin := time.Now()
	for {
		v, err = ask()
		if err == nil || !unanswered(err) || ctx.Err() != nil || time.Since(begin) > clusterPatience {
			return v, err
		}
		log.WarnContext(ctx, "JetStream does not answer yet", "cause", err)
		select {
		case <-ctx.Done():
			return v, ctx.Err()
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// unanswered says whether an error is of a cluster that has no leader yet, or that is busy: it may be another one in a moment.
func unanswered(err error) bool {
	if errors.Is(err, streams.ErrRoom) {
		return false
	}
	for _, e := range []error{context.DeadlineExceeded, nats.ErrTimeout, nats.ErrNoResponders, nats.ErrDisconnected, nats.ErrConnectionReconnecting, jetstream.ErrNoStreamResponse} {
		if errors.Is(err, e) {
			return true
		}
	}
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && (api.Code == 503 || api.ErrorCode == 10005 || api.ErrorCode == 10074) // no leader; too few peers to place a stream; replicas need more peers
}
