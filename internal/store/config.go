package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/pkg/entry"
)

// NewestConfig reads the newest config of a log, and its index, without verifying it. The error
// wraps ErrNotFound if nothing is sealed yet.
func NewestConfig(ctx context.Context, log *Log) (c *entry.Config, index uint64, err error) {
	last, _, err := End(ctx, log.Sealed)
	if err != nil {
		return nil, 0, fmt.Errorf("sealed stream: %w", err)
	}
	for ; last > 0; last-- {
		m, err := log.Sealed.Get(ctx, last)
		if err != nil {
			return nil, 0, fmt.Errorf("SEALED sequence %d: %w", last, err)
		}
		b, err := sealedlog.ParseBatch(m)
		if errors.Is(err, sealedlog.ErrVoid) {
			continue
		} else if err != nil {
			return nil, 0, fmt.Errorf("SEALED sequence %d: %w", last, err)
		}
		c, err := configAt(ctx, log, b.Config)
		return c, b.Config, err
	}
	return nil, 0, fmt.Errorf("config: %w", ErrNotFound)
}

func configAt(ctx context.Context, log *Log, index uint64) (*entry.Config, error) {
	at, err := FindBatch(ctx, log, index)
	if err != nil {
		return nil, fmt.Errorf("index %d: %w", index, err)
	}
	e, err := entry.ParseEntry(at.Batch.Leaves[index-at.Batch.First])
	if err != nil {
		return nil, fmt.Errorf("index %d: %w", index, err)
	}
	c, ok := e.Detail.(*entry.Config)
	if !ok {
		return nil, fmt.Errorf("index %d is no config", index)
	}
	return c, nil
}
