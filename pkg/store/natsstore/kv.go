package natsstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/pkg/store"
)

// bucket is a store.KV on a JetStream bucket.
type bucket struct{ kv jetstream.KeyValue }

var _ store.KV = bucket{}

// Get implements store.KV.
func (b bucket) Get(ctx context.Context, key string) ([]byte, uint64, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	e, err := b.kv.Get(ctx, key)
	if err != nil {
		return nil, 0, b.wrap("read", key, err)
	}
	return e.Value(), e.Revision(), nil
}

// Put implements store.KV.
func (b bucket) Put(ctx context.Context, key string, value []byte) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	_, err := b.kv.Put(ctx, key, value)
	return b.wrap("write", key, err)
}

// Create implements store.KV.
func (b bucket) Create(ctx context.Context, key string, value []byte) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	_, err := b.kv.Create(ctx, key, value)
	if errors.Is(err, jetstream.ErrKeyExists) {
		err = store.ErrExists
	}
	return b.wrap("create", key, err)
}

// Update implements store.KV.
func (b bucket) Update(ctx context.Context, key string, value []byte, revision uint64) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	_, err := b.kv.Update(ctx, key, value, revision)
	if errors.Is(err, jetstream.ErrKeyRevisionMismatch) || errors.Is(err, jetstream.ErrKeyExists) {
		err = store.ErrConflict
	}
	return b.wrap("update", key, err)
}

func (b bucket) wrap(verb, key string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jetstream.ErrKeyNotFound):
		err = store.ErrNotFound
	case errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("%w: %w", store.ErrAmbiguous, err)
	}
	return fmt.Errorf("%s key %s of bucket %s: %w", verb, key, b.kv.Bucket(), err)
}
