package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/sealer"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/proof"
)

// passesMark refuses a log whose newest batch does not reach the newest checkpoint that the sealer
// of this directory has seen, before anything is served or accepted. The sealer looks more closely
// and takes its time; this looks at the end of SEALED alone.
func passesMark(ctx context.Context, log *store.Log, mark string, keys []string) error {
	if mark == "" {
		return nil
	}
	note, err := os.ReadFile(mark)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("mark: %w", err)
	}
	seen, err := proof.OpenCheckpoint(note, keys...)
	if err != nil {
		return fmt.Errorf("%w: mark: %w", sealer.ErrRefused, err)
	}
	return reaches(ctx, log.Sealed, seen.Size, mark)
}

// reaches refuses a SEALED that ends before a size that the mark has.
func reaches(ctx context.Context, sealed store.Stream, size uint64, mark string) error {
	end, gone, err := store.End(ctx, sealed)
	switch {
	case err != nil:
		return fmt.Errorf("sealed stream: %w", err)
	case gone > 0:
		return fmt.Errorf("%w: SEALED sequences %d to %d are unreadable", sealer.ErrLogBad, end+1, end+gone)
	case end == 0:
		return fmt.Errorf("%w: SEALED is empty, and a checkpoint of %d entries was seen before (%s)",
			sealer.ErrRolledBack, size, mark)
	}
	m, err := sealed.Get(ctx, end)
	if err != nil {
		return fmt.Errorf("SEALED sequence %d: %w", end, err)
	}
	b, err := sealedlog.ParseBatch(m)
	if err != nil {
		return nil // void, or a defect that the sealer tells apart
	}
	if b.Size < size {
		return fmt.Errorf("%w: SEALED ends with %d entries, and a checkpoint of %d was seen before (%s)",
			sealer.ErrRolledBack, b.Size, size, mark)
	}
	return nil
}
