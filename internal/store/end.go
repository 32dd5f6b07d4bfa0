package store

import (
	"context"
	"errors"
	"fmt"
)

// End returns the last sequence up to which a stream can be read now, and how many messages after
// it the leader counts but no longer has. Call it before reading to the present end: a reader would
// wait forever for a message that is counted and gone.
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
