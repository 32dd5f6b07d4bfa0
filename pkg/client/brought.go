package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// answer is what the server says of one event, and the proof that it brings along.
type answer struct {
	Receipt
	brought *brought // nil: the proof must be asked for
}

// brought is an entry that came with the receipt of its event (SPEC 8.1).
type brought struct {
	*covered
	at   int       // place among the entries
	salt *[32]byte // nil: none came
}

// covered is entries of one answer that one proof covers. All but err is to be believed once check
// has set no err.
type covered struct {
	proof      proof.BatchProof
	entries    []entry.Entry
	proofs     []proof.EntryProof
	checkpoint proof.Checkpoint
	err        error
}

// take gives the answers what came with their receipts. Nothing of it is checked but its form.
func take(got []api.Receipt, proofs []json.RawMessage, answers []answer) {
	list := make([]*covered, len(proofs))
	for i, raw := range proofs {
		list[i] = &covered{}
		list[i].proof, list[i].err = proof.ParseBatchProof(raw)
	}
	for i := range got {
		r := &got[i]
		if r.ProofAt == nil || r.Status != Sealed {
			continue
		}
		c := &covered{err: errors.New("the receipt names no proof")}
		if at := *r.ProofAt; at >= 0 && at < len(list) {
			c = list[at]
		}
		e, salt, err := leafOf(r)
		if c.err == nil {
			c.err = err
		}
		answers[i].brought = &brought{c, len(c.entries), salt}
		c.entries = append(c.entries, e)
	}
}

// leafOf reads the entry that came with a receipt.
func leafOf(r *api.Receipt) (e entry.Entry, salt *[32]byte, err error) {
	if e, err = entry.ParseEntry([]byte(r.Leaf)); err != nil {
		return e, nil, err
	}
	if e.Index != r.Index || e.EntryHash.String() != r.EntryHash {
		return e, nil, fmt.Errorf("the leaf is of index %d, the receipt of %d, or its hash is another", e.Index, r.Index)
	}
	if r.Salt == "" {
		return e, nil, nil
	}
	h, err := entry.ParseHash(r.Salt)
	return e, (*[32]byte)(&h), err
}

// errUnknownKey says that a proof cannot be checked before the server was asked for keys.
var errUnknownKey = errors.New("no known key has signed the proof")

// check checks the proofs that came with answers, each once for all of its entries. It makes no
// request, for other events wait to be sent meanwhile: a proof under no known key is dropped, and
// then asked for.
func (c *Client) check(answers []answer) {
	for i := range answers {
		b := answers[i].brought
		if b != nil && b.at == 0 {
			b.err = c.checkCovered(b.covered)
		}
		if b != nil && errors.Is(b.err, errUnknownKey) {
			answers[i].brought = nil
		}
	}
}

// checkCovered checks all but whether the checkpoint continues what was seen. If the proof shows
// that too, it is noted.
func (c *Client) checkCovered(b *covered) error {
	if b.err != nil {
		return fmt.Errorf("%w: %w", ErrProof, b.err)
	}
	keys := c.head.verifier()
	if keys == nil {
		return errUnknownKey
	}
	var err error
	b.checkpoint, err = keys.CheckBatch(b.proof, b.entries)
	if errors.Is(err, proof.ErrNotSigned) {
		return errUnknownKey
	}
	if err == nil {
		b.proofs, err = b.proof.EntryProofs(b.entries)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProof, err)
	}
	for _, e := range b.entries {
		if e.Log != c.cfg.Log {
			return fmt.Errorf("%w: the entry is of log %.40q", ErrProof, e.Log)
		}
	}
	c.head.extend(b.checkpoint, b.prefix)
	return nil
}

// prefix returns the root of the log at an earlier size, as far as the proof shows it.
func (b *covered) prefix(size uint64) (entry.Hash, bool) { return b.proof.Prefix(b.entries, size) }

// openBrought returns the entry of an event that came with its receipt.
func (c *Client) openBrought(ctx context.Context, b *brought, ev entry.Event) (entry.Entry, proof.EntryProof, error) {
	if b.err != nil {
		return entry.Entry{}, proof.EntryProof{}, b.err
	}
	e, p := b.entries[b.at], b.proofs[b.at]
	if err := c.isOurs(ctx, e, ev, b.salt); err != nil {
		return e, p, err
	}
	return e, p, c.head.seeBy(ctx, b.checkpoint, b.prefix)
}
