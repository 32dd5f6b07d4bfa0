package store

import (
	"context"
	"errors"
	"fmt"
)

// End is how far a stream can be read now: up to which sequence, and how many messages behind that its leader counts but no longer has. Whoever
// reads to the present end must ask for it first, as a reader would wait for ever for a message that is counted and gone.
func End(ctx context.Context, s Stream) (last, gone uint64, err error) {
	info, err := s.Info(ctx)
	if err != nil {
		return 0, 0, err
	}
	for last = info.Last; last >= info.First && last > 0; last-- {
		_, err := s.Get(ctx, last)
		switch {
		case err == nil:
			return last, info.Last - last, nil
		case !errors.Is(err, ErrNotFound):
			return 0, 0, fmt.Errorf("sequence %d: %w", last, err)
		}
	}
	return 0, info.Last, nil
}
