package ingest

import (
	"context"
	"sync"
	"time"

	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/proof"
)

// cosigns caches the newest cosigned checkpoint of HEAD. It is read only while a request waits for
// it, and by one of them for all.
type cosigns struct {
	mu     sync.Mutex
	asked  time.Time
	newest proof.Checkpoint // with enough cosignatures; its Size is 0 before the first
}

// headInterval is how often HEAD is read while a request waits.
const headInterval = 25 * time.Millisecond

// awaitWitnesses sets receipts of sealed events to witnessed once a cosigned checkpoint covers all
// of them. Receipts that are not covered before ctx is done stay sealed, with wait "timeout".
func (in *Ingest) awaitWitnesses(ctx context.Context, receipts []api.Receipt) {
	size := uint64(0) // tree size that the checkpoint must reach
	for _, r := range receipts {
		if r.Status == api.Sealed || r.Status == api.Duplicate {
			size = max(size, r.Index+1)
		}
	}
	cp := in.cosigned(ctx)
	for cp.Size < size && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(headInterval):
			cp = in.cosigned(ctx)
		}
	}
	for i := range receipts {
		switch r := &receipts[i]; {
		case r.Status != api.Sealed && r.Status != api.Duplicate:
		case r.Index >= cp.Size:
			r.Wait = "timeout"
		default:
			r.Checkpoint = string(cp.Note)
			if r.Status == api.Sealed {
				r.Status = api.Witnessed
			}
		}
	}
}

// cosigned returns the newest cosigned checkpoint. It reads HEAD unless that was done within
// headInterval. A note without the log's signature or a quorum of witnesses does not count.
func (in *Ingest) cosigned(ctx context.Context) proof.Checkpoint {
	c := &in.cosigns
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.asked) < headInterval {
		return c.newest
	}
	c.asked = time.Now()
	cp, err := store.Cosigned(ctx, in.cfg.Log, in.watch.verifierKeys()...)
	if err != nil || cp.Size <= c.newest.Size {
		return c.newest // none yet, or nothing new
	}
	if by, err := in.cfg.Policy.Cosigned(cp.Note); err == nil && by.Quorum {
		c.newest = cp
	}
	return c.newest
}
