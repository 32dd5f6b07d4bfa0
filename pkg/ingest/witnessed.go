package ingest

import (
	"context"
	"sync"
	"time"

	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/store"
)

// cosigns is the newest cosigned checkpoint of HEAD. It is read while somebody waits for it, and by one of those for all.
type cosigns struct {
	mu     sync.Mutex
	asked  time.Time
	newest proof.Checkpoint // with enough cosignatures; Size 0: none seen
}

// cosignsEvery is how often HEAD is read while somebody waits.
const cosignsEvery = 25 * time.Millisecond

// awaitWitnesses makes receipts of sealed events witnessed once a cosigned checkpoint covers all of them. What is not covered in time stays
// sealed, and says so.
func (in *Ingest) awaitWitnesses(ctx context.Context, receipts []Receipt) {
	size := uint64(0) // that the checkpoint must have
	for _, r := range receipts {
		if r.Status == Sealed || r.Status == Duplicate {
			size = max(size, r.Index+1)
		}
	}
	cp := in.cosigned(ctx)
	for cp.Size < size && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(cosignsEvery):
			cp = in.cosigned(ctx)
		}
	}
	for i := range receipts {
		switch r := &receipts[i]; {
		case r.Status != Sealed && r.Status != Duplicate:
		case r.Index >= cp.Size:
			r.Wait = "timeout"
		default:
			r.Checkpoint = string(cp.Note)
			if r.Status == Sealed {
				r.Status = Witnessed
			}
		}
	}
}

// cosigned reads HEAD, unless somebody has just done so. A note that the log has not signed, or too few witnesses, does not count.
func (in *Ingest) cosigned(ctx context.Context) proof.Checkpoint {
	c := &in.cosigns
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.asked) < cosignsEvery {
		return c.newest
	}
	c.asked = time.Now()
	cp, err := store.Cosigned(ctx, in.cfg.Log, in.watch.vkeys()...)
	if err != nil || cp.Size <= c.newest.Size {
		return c.newest // there is none yet, or nothing new
	}
	if by, err := in.cfg.Policy.Cosigned(cp.Note); err == nil && by.Quorum {
		c.newest = cp
	}
	return c.newest
}
