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
	return q.prove(snap, f, data)
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
	return q.prove(snap, f, data)
}

func (q *Query) prove(snap snapshot, f Found, data bool) (proof.EntryProof, error) {
	path, err := q.path(snap, f.Entry)
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
func (q *Query) path(snap snapshot, e entry.Entry) (proof.Path, error) {
	q.mu.RLock()
	path, err := proof.Inclusion(e.Index, snap.size, &q.index.tree)
	q.mu.RUnlock()
	if err == nil {
		err = proof.CheckInclusion(entry.LeafHash(e.Leaf), e.Index, snap.size, path, snap.checkpoint.Root)
	}
	if err != nil {
		return nil, q.remember(corrupt(e.Index, "proof", "%v", err))
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
func (q *Query) Consistency(from, to uint64) (Consistency, error) {
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
	q.mu.RLock()
	defer q.mu.RUnlock()
	tree := &q.index.tree
	hashes, err := proof.Consistency(from, to, tree)
	if err != nil {
		return Consistency{}, err
	}
	c := Consistency{From: from, To: to, Proof: make([]string, len(hashes))}
	for i, h := range hashes {
		c.Proof[i] = entry.FormatHash(h)
	}
	fromRoot, err := tree.Root(from)
	if err != nil {
		return Consistency{}, err
	}
	toRoot, err := tree.Root(to)
	c.FromRoot, c.ToRoot = entry.FormatHash(fromRoot), entry.FormatHash(toRoot)
	return c, err
}
