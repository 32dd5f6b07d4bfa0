package sealer

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"time"

	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/streams/subject"
)

// putHead writes the newest checkpoint to the HEAD cache. It is signed, so a lost or old value
// deceives nobody. A larger checkpoint stays, since another sealer may be ahead; so does one of the
// same size, since witnesses may have cosigned it.
func (s *Sealer) putHead(ctx context.Context, c committed) error {
	head, key := s.cfg.Log.Head, s.identity.logName
	for unread := 0; ; {
		old, revision, err := head.Get(ctx, key)
		switch {
		// exists but cannot be read: damaged on disk
		case errors.Is(err, store.ErrNotFound) && unread > 2:
			return head.Put(ctx, key, c.batch.Checkpoint)
		case errors.Is(err, store.ErrNotFound):
			unread++
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

// covers reports whether note is a checkpoint of this log of at least the given size. It verifies
// the signature only if the size suffices.
func (s *Sealer) covers(note []byte, size uint64) bool {
	if c, err := proof.ParseCheckpointUnverified(note); err != nil || c.Size < size {
		return false
	}
	_, err := proof.OpenCheckpoint(note, s.keys...)
	return err == nil
}

// accessInterval is how often an unchanged list is written again, so that services read little of
// SEALED behind it, and what an older sealer has written since does not stay.
const accessInterval = time.Minute

// newAccess returns the duty that names the newest access entries in HEAD. Services look there for
// the entry that theirs must follow, and in what was sealed since. The list is a hint: the sealer
// refuses what follows another entry.
func (s *Sealer) newAccess() func(context.Context, committed) error {
	var last map[string]uint64
	var written time.Time
	return func(ctx context.Context, c committed) error {
		access := c.tip.service.access
		if len(access) == 0 || maps.Equal(access, last) && time.Since(written) < accessInterval {
			return nil
		}
		text, err := json.Marshal(store.AccessHint{Entries: access, Sealed: c.sealed})
		if err == nil {
			err = s.cfg.Log.Head.Put(ctx, subject.Access(s.identity.logName), text)
		}
		if err == nil {
			last, written = access, time.Now()
		}
		return err
	}
}
