package natsconn

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/streams"
)

// answerTimeout is how long a starting service waits for a cluster to elect its leaders. A service
// that ended instead would only be restarted.
const answerTimeout = 2 * time.Minute

// answerPause lies between two of its questions.
const answerPause = 250 * time.Millisecond

// WaitForAnswer calls ask until JetStream answers, whatever the answer, or until answerTimeout is
// over or ctx is done.
func WaitForAnswer[T any](ctx context.Context, log *slog.Logger, ask func() (T, error)) (v T, err error) {
	begin := time.Now()
	for {
		v, err = ask()
		if err == nil || !Unanswered(err) || ctx.Err() != nil || time.Since(begin) > answerTimeout {
			return v, err
		}
		log.WarnContext(ctx, "JetStream does not answer yet", "retry_in", answerPause, "cause", err)
		select {
		case <-ctx.Done():
			return v, ctx.Err()
		case <-time.After(answerPause):
		}
	}
}

// Unanswered reports whether an error means that a cluster has no leader yet, or is busy: a retry
// may succeed.
func Unanswered(err error) bool {
	if errors.Is(err, streams.ErrRoom) {
		return false
	}
	for _, e := range []error{
		context.DeadlineExceeded, nats.ErrTimeout, nats.ErrNoResponders, nats.ErrDisconnected, nats.ErrConnectionReconnecting,
		jetstream.ErrNoStreamResponse,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	api, ok := errors.AsType[*jetstream.APIError](err)
	// no leader; too few peers to place a stream; replicas need more peers
	return ok && (api.Code == 503 || api.ErrorCode == 10005 || api.ErrorCode == 10074)
}
