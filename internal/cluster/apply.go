package cluster

import (
	"context"
	"log/slog"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/internal/natsconn"
	"github.com/sealstream/sealstream/internal/settings"
	"github.com/sealstream/sealstream/streams"
)

// Apply makes a log's streams and buckets what they are declared to be, as the administrator that
// the credentials are of, and says what it changed: one line a setting. With dry it only says so.
// What it had done before an error is among the lines; the next call goes on.
func Apply(
	ctx context.Context,
	conn natsconn.ConnFlags,
	sizes StreamFlags,
	log string,
	replicas int,
	dry bool,
) ([]string, error) {
	if err := settings.CheckNames("host", log); err != nil {
		return nil, err
	}
	return asAdmin(ctx, conn, func(js jetstream.JetStream) ([]string, error) {
		return streams.Apply(ctx, js, sizes.Config(log, replicas), dry)
	})
}

// Unused returns the streams of earlier releases that the account still has and no service uses.
// An administrator may delete them once all logs of the account are upgraded.
func Unused(ctx context.Context, conn natsconn.ConnFlags) ([]string, error) {
	return asAdmin(ctx, conn, func(js jetstream.JetStream) ([]string, error) { return streams.Unused(ctx, js) })
}

// asAdmin connects as the administrator, and waits for a cluster that does not answer yet.
func asAdmin[T any](ctx context.Context, conn natsconn.ConnFlags, do func(jetstream.JetStream) (T, error)) (T, error) {
	var none T
	nc, err := conn.Reach(RoleAdmin).Connect("sealstream admin", slog.New(slog.DiscardHandler))
	if err != nil {
		return none, err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return none, err
	}
	return natsconn.WaitForAnswer(ctx, slog.New(slog.DiscardHandler), func() (T, error) { return do(js) })
}
