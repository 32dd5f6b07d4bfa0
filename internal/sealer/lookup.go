package sealer

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// loadConfig fetches the newest config, if the walk has not passed it. The walk has not verified
// its place, so it is only a hint: if it is no config, a void message stands there.
func (t *tail) loadConfig(ctx context.Context) error {
	if t.config != nil || t.chain.Size() == 0 {
		return nil
	}
	index := t.chain.Batch().Config
	c, err := t.configAt(ctx, index)
	if err != nil {
		return err
	}
	t.config, t.configIndex = c, index
	return nil
}

// configAt fetches the config at an index, as a hint.
func (t *tail) configAt(ctx context.Context, index uint64) (*entry.Config, error) {
	at, err := store.FindBatch(ctx, t.log, index)
	if errors.Is(err, store.ErrNotFound) {
		return nil, errStartUntrusted
	} else if err != nil {
		return nil, fmt.Errorf("config at index %d: %w", index, unreadable(err))
	}
	e, err := entry.ParseEntry(at.Batch.Leaves[index-at.Batch.First])
	c, ok := e.Detail.(*entry.Config)
	if err != nil || !ok || e.Index != index || e.Log != t.log.Name {
		return nil, errStartUntrusted
	}
	return c, nil
}

// loadCreated finds when the EVENTS of an input epoch was created. For epoch 1 the config says it,
// and no later config may change it. For later epochs the epoch's own entry says it. If neither is
// found, created is "", and the message at the input position is the only check.
func (t *tail) loadCreated(ctx context.Context, epoch uint64) error {
	if t.createdEpoch == epoch {
		return nil
	}
	t.createdEpoch, t.created = epoch, ""
	if epoch == 1 {
		t.created = t.config.EventsCreated
		return nil
	}
	at, err := store.FindInput(ctx, t.log, epoch, 0)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return fmt.Errorf("entry of input epoch %d: %w", epoch, err)
	}
	for _, leaf := range at.Batch.Leaves {
		e, err := entry.ParseEntry(leaf)
		if d, ok := e.Detail.(*entry.Epoch); err == nil && ok && e.EventType == entry.TypeEpoch && d.Epoch == epoch {
			t.created = d.EventsCreated
		}
	}
	return nil
}

// partial returns the newest n entries: those of a message that is not sealed completely.
func (t *tail) partial(n int) ([]entry.Entry, error) {
	if len(t.partialLeaves) != n {
		return nil, fmt.Errorf("%w: %d entries of a message are known, %d are sealed", ErrLogBad, len(t.partialLeaves), n)
	}
	list := make([]entry.Entry, n)
	for i, leaf := range t.partialLeaves {
		var err error
		if list[i], err = entry.ParseEntry(leaf); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrLogBad, err)
		}
	}
	return list, nil
}
