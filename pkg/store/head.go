package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sealstream/sealstream/pkg/proof"
)

// CosignedKey is the key in HEAD of a log's newest cosigned checkpoint. The log's own name is that of the newest one.
func CosignedKey(log string) string { return log + "/cosigned" }

// Cosigned reads the newest checkpoint that enough witnesses have cosigned, or says ErrNotFound. The log's signature is checked here, the
// cosignatures are the matter of who has a policy.
func Cosigned(ctx context.Context, log *Log, vkeys ...string) (proof.Checkpoint, error) {
	note, _, err := log.Head.Get(ctx, CosignedKey(log.Name))
	if err != nil {
		return proof.Checkpoint{}, fmt.Errorf("cosigned checkpoint: %w", err)
	}
	return proof.OpenCheckpoint(note, vkeys...)
}

// Head tells which checkpoint of a log is shown to others. All that serve one ask here, so that they agree.
type Head struct {
	Log  *Log
	Keys func() []string // verifier keys of the log, as far as they are known

	mu       sync.Mutex
	asked    time.Time
	cosigned proof.Checkpoint // Size 0: none
	since    time.Time        // when it was seen first
}

const (
	headEvery = 100 * time.Millisecond // between two looks at HEAD
	// headPatience is how long a cosigned checkpoint is shown instead of the newest one after it was new: then its witnesses are away, and the log goes
	// on without them.
	headPatience = 30 * time.Second
)

// Newest is the checkpoint to show: newest, which the caller has verified, or the cosigned one, if that is of the same tree or not long behind.
func (h *Head) Newest(ctx context.Context, newest proof.Checkpoint) proof.Checkpoint {
	c, since := h.look(ctx)
	switch {
	case c.Size == 0 || c.Origin != newest.Origin || c.Size > newest.Size:
	case c.Size == newest.Size && c.Root == newest.Root:
		return c
	case c.Size < newest.Size && time.Since(since) < headPatience:
		return c
	}
	return newest
}

// Covering is the cosigned checkpoint if it covers an index, however old it is; false: it does not.
func (h *Head) Covering(ctx context.Context, index uint64) (proof.Checkpoint, bool) {
	c, _ := h.look(ctx)
	return c, index < c.Size
}

// look reads HEAD, unless somebody has just done so. What cannot be read is as it was: the newest checkpoint is no worse, it only says less.
func (h *Head) look(ctx context.Context) (proof.Checkpoint, time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := time.Now(); now.Sub(h.asked) >= headEvery {
		h.asked = now
		c, err := Cosigned(ctx, h.Log, h.Keys()...)
		switch {
		case err == nil && (c.Size != h.cosigned.Size || c.Root != h.cosigned.Root):
			h.cosigned, h.since = c, now
		case err == nil:
			h.cosigned = c // with more cosignatures, perhaps
		case errors.Is(err, ErrNotFound):
			h.cosigned, h.since = proof.Checkpoint{}, time.Time{}
		}
	}
	return h.cosigned, h.since
}
