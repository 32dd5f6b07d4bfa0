package natsstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/internal/store"
)

// bucket is a store.KV on a JetStream bucket.
type bucket struct {
	kv     jetstream.KeyValue
	stream *stream
}

var (
	_ store.KV    = bucket{}
	_ store.Sized = bucket{}
)

// Size implements store.Sized.
func (b bucket) Size(ctx context.Context) (store.Size, error) { return b.stream.Size(ctx) }

// Get implements store.KV.
func (b bucket) Get(ctx context.Context, key string) ([]byte, uint64, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	e, err := b.kv.Get(ctx, key)
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		return nil, 0, b.wrap("read", key, store.ErrNotFound)
	case err != nil:
		return nil, 0, b.wrap("read", key, err)
	}
	return e.Value(), e.Revision(), nil
}

// Put implements store.KV.
func (b bucket) Put(ctx context.Context, key string, value []byte) error {
	return b.write(ctx, "write", key, func(ctx context.Context) error {
		_, err := b.kv.Put(ctx, key, value)
		return err
	})
}

// Create implements store.KV.
func (b bucket) Create(ctx context.Context, key string, value []byte) error {
	return b.write(ctx, "create", key, func(ctx context.Context) error {
		_, err := b.kv.Create(ctx, key, value)
		if errors.Is(err, jetstream.ErrKeyExists) {
			return store.ErrExists
		}
		return err
	})
}

// Update implements store.KV.
func (b bucket) Update(ctx context.Context, key string, value []byte, revision uint64) error {
	return b.write(ctx, "update", key, func(ctx context.Context) error {
		_, err := b.kv.Update(ctx, key, value, revision)
		if errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
			return store.ErrConflict
		}
		return err
	})
}

// write does one write. After an error that is neither an answer of JetStream nor a refusal to
// send, it is unknown whether the value was written.
func (b bucket) write(ctx context.Context, verb, key string, do func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return b.wrap(verb, key, err)
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	err := do(ctx)
	if err == nil {
		return nil
	}
	api, answered := errors.AsType[*jetstream.APIError](err)
	switch {
	case errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrConflict):
	case answered:
		err = &apiFailure{api.Code, int(api.ErrorCode), api.Description}
	case errors.Is(err, jetstream.ErrInvalidKey) || errors.Is(err, jetstream.ErrNoStreamResponse) || isUnsent(err):
	default:
		err = fmt.Errorf("%w: %w", store.ErrAmbiguous, err)
	}
	return b.wrap(verb, key, err)
}

func (b bucket) wrap(verb, key string, err error) error {
	return fmt.Errorf("%s key %s of bucket %s: %w", verb, key, b.kv.Bucket(), err)
}
