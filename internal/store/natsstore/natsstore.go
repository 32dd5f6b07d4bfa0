// Package natsstore is the contract of internal/store on JetStream. It knows the traps of NATS, so
// that nobody else has to: control messages that look like events, answers that do not come,
// headers that publishers make up, and readers that a server forgets.
//
// No compatibility is promised for this package yet.
package natsstore

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/streams"
)

// Open opens a log's streams and buckets, which must exist: streams.Ensure creates them. The caller
// keeps the connection and closes it.
func Open(ctx context.Context, nc *nats.Conn, cfg streams.Config) (_ *store.Log, err error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("open log %s: %w", cfg.Log, err)
	}
	replies, stop, err := newReplies(nc)
	if err != nil {
		return nil, fmt.Errorf("open log %s: %w", cfg.Log, err)
	}
	defer func() {
		if err != nil {
			stop()
		}
	}()
	l := &store.Log{Name: cfg.Log}
	for _, s := range []struct {
		name  string
		field *store.Stream
	}{{streams.EventsName(cfg.Log), &l.Events}, {streams.SealedName(cfg.Log), &l.Sealed}, {
		streams.PayloadsName(cfg.Log), &l.Payloads,
	},
		{streams.AlertsName(cfg.Log), &l.Alerts}} {
		if _, err := js.Stream(ctx, s.name); err != nil {
			return nil, fmt.Errorf("open stream %s: %w", s.name, err)
		}
		*s.field = &stream{nc: nc, name: s.name, replies: replies}
	}
	for _, b := range []struct {
		name  string
		field *store.KV
	}{{streams.HeadBucket, &l.Head}, {streams.CursorsBucket, &l.Cursors}} {
		handle, err := js.KeyValue(ctx, b.name)
		if err != nil {
			return nil, fmt.Errorf("open bucket %s: %w", b.name, err)
		}
		*b.field = bucket{handle, &stream{nc: nc, name: "KV_" + b.name, replies: replies}}
	}
	l.Archive, err = openObjects(ctx, js, nc, streams.ArchiveBucket, replies)
	return l, err
}
