package natsconn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// TestWaitForAnswer: a cluster without a leader is asked again, any answer ends it, and so does the timeout.
func TestWaitForAnswer(t *testing.T) {
	other := errors.New("drift")
	for _, c := range []struct {
		name  string
		after int // how often err comes first
		err   error
		want  error
	}{
		{"at once", 0, nil, nil},
		{"no leader", 5, fmt.Errorf("x: %w", &jetstream.APIError{Code: 503, ErrorCode: 10008}), nil},
		{"no answer", 5, fmt.Errorf("x: %w", context.DeadlineExceeded), nil},
		{"nobody", 5, nats.ErrNoResponders, nil},
		{"an answer", 1, other, other},
		{"for ever", 1 << 30, nats.ErrTimeout, nats.ErrTimeout},
	} {
		synctest.Test(t, func(t *testing.T) {
			asked, begin := 0, time.Now()
			_, err := WaitForAnswer(t.Context(), slog.New(slog.DiscardHandler), func() (int, error) {
				if asked++; asked <= c.after {
					return 0, c.err
				}
				return asked, nil
			})
			if !errors.Is(err, c.want) || time.Since(begin) > answerTimeout+time.Second {
				t.Errorf("%s: %v after %v", c.name, err, time.Since(begin))
			}
		})
	}
}
