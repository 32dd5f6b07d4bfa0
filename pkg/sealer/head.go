package sealer

import (
	"context"
	"errors"

	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/store"
)

// putHead writes the newest checkpoint to the HEAD cache. It is signed, so a lost or an old one deceives nobody; still the newest wins: another
// sealer may be ahead, and what it wrote, or a witness added to, stays.
func (s *Sealer) putHead(ctx context.Context, c committed) error {
	head, key := s.cfg.Log.Head, s.identity.log
	for {
		old, revision, err := head.Get(ctx, key)
		switch {
		case errors.Is(err, store.ErrNotFound):
			err = head.Create(ctx, key, c.batch.Checkpoint)
		case err != nil:
			return err
		default:
			if s.covers(old, c.batch.Size) {
				return nil
			}
			err = head.Update(ctx, key, c.batch.Checkpoint, revision)
		}
		if !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrExists) {
			return err
		}
	}
}

// covers says whether a note is a checkpoint of this log, of a size or a larger one. Its signature is looked at only where that matters.
func (s *Sealer) covers(note []byte, size uint64) bool {
	if c, err := proof.ParseCheckpointUnverified(note); err != nil || c.Size < size {
		return false
	}
	_, err := proof.OpenCheckpoint(note, s.keys...)
	return err == nil
}
