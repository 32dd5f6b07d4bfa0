package query

import (
	"context"
	"fmt"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Checkpoint is the newest checkpoint that was verified here, or ErrNotFound if nothing is sealed yet.
func (q *Query) Checkpoint() (proof.Checkpoint, error) {
	snap, _, err := q.view(Filter{})
	if err != nil {
		return proof.Checkpoint{}, err
	}
	if snap.size == 0 {
		return proof.Checkpoint{}, fmt.Errorf("checkpoint: %w: nothing is sealed yet", ErrNotFound)
	}
	return snap.checkpoint, nil
}

// Proof proves that the entry at index is in the tree of the newest checkpoint. The entry shown is the leaf's members and
// entry_hash, so that it can be handed on without the data; with data, that and its salt are shown too. ErrNotFound says that there is
// no such entry.
func (q *Query) Proof(ctx context.Context, index uint64, data bool) (proof.EntryProof, error) {
	snap, _, err := q.view(Filter{})
	if err != nil {
		return proof.EntryProof{}, err
	}
	f, err := q.entry(ctx, snap, index, data)
	if err != nil {
		return proof.EntryProof{}, err
	}
	return q.prove(ctx, snap, f, data)
}

// ProofByID is Proof by entry id, with the errors of EntryByID.
func (q *Query) ProofByID(ctx context.Context, id, agent string, data bool) (proof.EntryProof, error) {
	snap, _, err := q.view(Filter{})
	if err != nil {
		return proof.EntryProof{}, err
	}
	f, err := q.entryByID(ctx, snap, id, agent, data)
	if err != nil {
		return proof.EntryProof{}, err
	}
	return q.prove(ctx, snap, f, data)
}

func (q *Query) prove(ctx context.Context, snap snapshot, f Found, data bool) (proof.EntryProof, error) {
	path, err := q.reader(snap).path(ctx, f.Entry)
	if err != nil {
		return proof.EntryProof{}, err
	}
	if f.RepeatOf = nil; !data { // what is shown must be the leaf, and nothing but it
		f.Payload = nil
	}
	shown, err := f.AppendJSON(nil, data)
	if err != nil {
		return proof.EntryProof{}, err
	}
	return proof.EntryProof{
		Entry: shown, Leaf: string(f.Entry.Leaf), LeafIndex: f.Entry.Index, TreeSize: snap.size, MerkleProof: path,
		MerkleRoot: entry.FormatHash(snap.checkpoint.Root), Checkpoint: string(snap.checkpoint.Note), Verified: true,
	}, nil
}

// path makes an inclusion proof and checks it. That it fails says that the index itself is damaged: memory, or a defect.
func (r reader) path(ctx context.Context, e entry.Entry) (proof.Path, error) {
	path, err := proof.Inclusion(e.Index, r.size, r.nodes(ctx))
	if err != nil {
		return nil, r.remember(err)
	}
	if err := proof.CheckInclusion(entry.LeafHash(e.Leaf), e.Index, r.size, path, r.checkpoint.Root); err != nil {
		return nil, r.remember(corrupt(e.Index, "proof", "%v", err))
	}
	return path, nil
}

// Consistency is the proof that the tree of one size is the begin of the tree of another (RFC 6962 section 2.1.2).
type Consistency struct {
	From     uint64   `json:"from"`
	To       uint64   `json:"to"`
	Proof    []string `json:"proof"` // hex
	FromRoot string   `json:"from_root"`
	ToRoot   string   `json:"to_root"`
}

// Consistency proves that the tree of size from is the begin of that of size to, for any sizes up to the present one.
func (q *Query) Consistency(ctx context.Context, from, to uint64) (Consistency, error) {
	snap, _, err := q.view(Filter{})
	if err != nil {
		return Consistency{}, err
	}
	switch {
	case to > snap.size:
		return Consistency{}, &RequestError{"to", fmt.Sprintf("the log has %d entries", snap.size)}
	case from > to:
		return Consistency{}, &RequestError{"from", "is more than to"}
	}
	tree := q.reader(snap).nodes(ctx)
	hashes, err := proof.Consistency(from, to, tree)
	if err != nil {
		return Consistency{}, q.remember(err)
	}
	c := Consistency{From: from, To: to, Proof: make([]string, len(hashes))}
	for i, h := range hashes {
		c.Proof[i] = entry.FormatHash(h)
	}
	fromRoot, err := proof.RootAt(from, tree)
	if err != nil {
		return Consistency{}, q.remember(err)
	}
	toRoot, err := proof.RootAt(to, tree)
	c.FromRoot, c.ToRoot = entry.FormatHash(fromRoot), entry.FormatHash(toRoot)
	return c, q.remember(err)
}
