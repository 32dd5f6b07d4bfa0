package client

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// witnessTimeout is how long witnesses may take; the log's own sealing does not wait for them.
const witnessTimeout = 30 * time.Second

var errNoPolicy = errors.New("client: WaitWitnessed needs Config.Policy, which says whose cosignatures count")

// witnessed waits until the server shows an entry's proof under a checkpoint with the cosignatures
// that the policy asks for, which are verified here. The receipt is complete and says sealed before
// that, and stays so where ErrNotWitnessed is returned.
func (c *Client) witnessed(ctx context.Context, r *Receipt) error {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	deadline := time.Now().Add(c.witnessTimeout)
	for pause := pauses(time.Second); ; {
		_, p, err := c.proveIndex(ctx, r.Index)
		if err != nil {
			return err
		}
		by, err := c.cfg.Policy.Cosigned([]byte(p.Checkpoint))
		if err == nil && by.Quorum {
			if r.Checkpoint, r.Proof = p.Checkpoint, &p; r.Status == Sealed { // and not a duplicate, whose original is cosigned
				r.Status = Witnessed
			}
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w: index %d after %v", ErrNotWitnessed, r.Index, c.witnessTimeout)
		}
		if err := pause.Wait(ctx, 0); err != nil {
			return fmt.Errorf("witnesses of index %d: %w", r.Index, err)
		}
	}
}
