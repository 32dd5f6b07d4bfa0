package sealer

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/store"
)

// What the sealer needs to know of the log and what may lie before the window: read back, entry by entry.

// loadConfig fetches the newest config, if the walk has not passed it. What is found there is a hint, since it is not walked to: if it is not a
// config, a void message stands in the way.
func (t *tail) loadConfig(ctx context.Context) error {
	if t.config != nil || t.chain.Size() == 0 {
		return nil
	}
	index := t.chain.Batch().Config
	at, err := store.FindBatch(ctx, t.log, index)
	if errors.Is(err, store.ErrNotFound) {
		return errTrusted
	} else if err != nil {
		return fmt.Errorf("config at index %d: %w", index, unreadable(err))
	}
	e, err := entry.ParseEntry(at.Batch.Leaves[index-at.Batch.First])
	c, ok := e.Detail.(*entry.Config)
	if err != nil || !ok || e.Index != index || e.Log != t.log.Name {
		return errTrusted
	}
	t.config, t.configIndex = c, index
	return nil
}

// loadCreated finds out when the EVENTS of an input epoch was created: epoch 1's config says it, which no later config may change, or the
// epoch's own entry. "" if that cannot be found; the message at the input position is compared in any case.
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

// partial are the newest n entries: those of the message that is not sealed to its end.
func (t *tail) partial(n int) ([]entry.Entry, error) {
	if len(t.part) != n {
		return nil, fmt.Errorf("%w: %d entries of a message are known, %d are sealed", ErrLogBad, len(t.part), n)
	}
	list := make([]entry.Entry, n)
	for i, leaf := range t.part {
		var err error
		if list[i], err = entry.ParseEntry(leaf); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrLogBad, err)
		}
	}
	return list, nil
}
