package client

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Page is one answer of entries, which one proof proves.
type Page struct {
	Entries    []Entry          // in the order of the log
	Checkpoint proof.Checkpoint // that they are proven under
	More       bool             // the filter wants more entries, by the server's word

	batch json.RawMessage
}

// Path returns the inclusion proof of an entry of the page, which holds by itself.
func (p Page) Path(index uint64) (proof.Path, error) {
	batch, err := proof.ParseBatchProof(p.batch)
	if err != nil {
		return nil, err
	}
	bare := make([]entry.Entry, len(p.Entries))
	for i := range p.Entries {
		bare[i] = p.Entries[i].Entry
	}
	return batch.Path(bare, index)
}

// PageAt reads one page of the log as it was when it had so many entries, which must be the size of
// a checkpoint. 0 means the newest one. The page has the first entries that the filter wants in its
// order, up to its Limit, and up to 1,000, or fewer if they are large. Each is proven, as in
// Entries.
func (c *Client) PageAt(ctx context.Context, f Filter, size uint64) (Page, error) {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	w, err := c.walk(ctx, f)
	if err != nil {
		return Page{}, fmt.Errorf("read page: %w", err)
	}
	w.size = size
	var page Page
	err = c.head.retryBehind(ctx, func() error {
		p, err := w.fetch(ctx)
		if err != nil {
			return err
		}
		page.batch, page.More = p.Proof, p.NextCursor != nil
		page.Entries, page.Checkpoint, err = w.check(ctx, p)
		return err
	})
	if err != nil {
		return Page{}, fmt.Errorf("read page: %w", err)
	}
	return page, nil
}
