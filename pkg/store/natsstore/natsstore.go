// Package natsstore is the contract of pkg/store on JetStream. It knows the traps of NATS, so that nobody else has to: control
// messages that look like events, answers that do not come, headers that publishers make up, and readers that a server forgets.
//
// No compatibility is promised for this package yet.
package natsstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/pkg/store"
	"github.com/sealstream/sealstream/streams"
)

// Open opens a log's streams and buckets, which must exist: streams.Ensure makes them. The connection stays the caller's.
func Open(ctx context.Context, nc *nats.Conn, cfg streams.Config) (*store.Log, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("open log %s: %w", cfg.Log, err)
	}
	replies, err := newReplies(nc)
	if err != nil {
		return nil, fmt.Errorf("open log %s: %w", cfg.Log, err)
	}
	l := &store.Log{Name: cfg.Log}
	for _, s := range []struct {
		name  string
		field *store.Stream
	}{{streams.EventsName(cfg.Log), &l.Events}, {streams.SealedName(cfg.Log), &l.Sealed}, {streams.PayloadsName(cfg.Log), &l.Payloads}} {
		handle, err := js.Stream(ctx, s.name)
		if err != nil {
			return nil, fmt.Errorf("open stream %s: %w", s.name, err)
		}
		*s.field = &stream{nc: nc, js: js, handle: handle, name: s.name, replies: replies}
	}
	for _, b := range []struct {
		name  string
		field *store.KV
	}{{streams.HeadBucket, &l.Head}, {streams.TilesBucket, &l.Tiles}, {streams.CursorsBucket, &l.Cursors}} {
		handle, err := js.KeyValue(ctx, b.name)
		if err != nil {
			return nil, fmt.Errorf("open bucket %s: %w", b.name, err)
		}
		*b.field = bucket{handle}
	}
	return l, nil
}

// Error codes of the JetStream API that mean something here.
const (
	codeWrongLast       = 10071 // wrong last sequence
	codeWrongLastR      = 10164 // the same on a replicated stream
	codeStoreFailed     = 10077 // refused by a limit, among others
	codeNoMessage       = 10037
	codeNoMessageDelete = 10043
)

// apiError makes an answer of JetStream one of the contract's errors where it is one.
func apiError(code int, description string) error {
	switch {
	case code == codeWrongLast || code == codeWrongLastR:
		return fmt.Errorf("%w: %s", store.ErrConflict, description)
	case code == codeNoMessage || code == codeNoMessageDelete:
		return fmt.Errorf("%w: %s", store.ErrNotFound, description)
	case code == codeStoreFailed && isFull(description):
		return fmt.Errorf("%w: %s", store.ErrFull, description)
	}
	return fmt.Errorf("JetStream error %d: %s", code, description)
}

// asContract does the same for errors of the client library.
func asContract(err error) error {
	if errors.Is(err, jetstream.ErrMsgNotFound) || errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) {
		return fmt.Errorf("%w: %w", store.ErrNotFound, err)
	}
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		return apiError(int(api.ErrorCode), api.Description)
	}
	return err
}
