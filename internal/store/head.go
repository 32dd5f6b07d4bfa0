package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/streams/subject"
)

// Cosigned reads the newest checkpoint that enough witnesses have cosigned. The error wraps
// ErrNotFound if there is none. Cosigned verifies the log's signature. Whoever has a policy
// verifies the cosignatures.
func Cosigned(ctx context.Context, log *Log, vkeys ...string) (proof.Checkpoint, error) {
	note, _, err := log.Head.Get(ctx, subject.Cosigned(log.Name))
	if err != nil {
		return proof.Checkpoint{}, fmt.Errorf("cosigned checkpoint: %w", err)
	}
	return proof.OpenCheckpoint(note, vkeys...)
}

// Head decides which checkpoint of a log is shown to others. All services of a process ask the same
// Head, so that they agree.
type Head struct {
	Log  *Log            // the log
	Keys func() []string // returns the verifier keys of the log that are known

	mu       sync.Mutex
	asked    time.Time
	cosigned proof.Checkpoint // its Size is 0 if there is none
	since    time.Time        // when it was first seen
}

const (
	headEvery = 100 * time.Millisecond // least time between two reads of HEAD
	// cosignedMaxAge is how long a cosigned checkpoint is shown instead of a newer one. After that
	// its witnesses are considered away, and the log goes on without them.
	cosignedMaxAge = 30 * time.Second
)

// Newest returns the checkpoint to show: newest, which the caller has verified, or the cosigned
// one, if that is of the same tree or not long behind.
func (h *Head) Newest(ctx context.Context, newest proof.Checkpoint) proof.Checkpoint {
	c, since := h.look(ctx)
	switch {
	case c.Size == 0 || c.Origin != newest.Origin || c.Size > newest.Size:
	case c.Size == newest.Size && c.Root == newest.Root:
		return c
	case c.Size < newest.Size && time.Since(since) < cosignedMaxAge:
		return c
	}
	return newest
}

// Covering returns the cosigned checkpoint, however old, if it covers an index. Otherwise ok is
// false.
func (h *Head) Covering(ctx context.Context, index uint64) (proof.Checkpoint, bool) {
	c, _ := h.look(ctx)
	return c, index < c.Size
}

// look reads HEAD, unless that was done a moment ago. After an error it returns the last state: an
// older checkpoint is not wrong, it only covers less.
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
