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

// Published is the checkpoint to show to others: the newest one, or the one that witnesses have cosigned, if that is not long behind.
func (q *Query) Published(ctx context.Context) (proof.Checkpoint, error) {
	snap, _, err := q.view(Filter{})
	if err != nil {
		return proof.Checkpoint{}, err
	}
	if snap.size == 0 {
		return q.Checkpoint()
	}
	if c := q.head.Newest(ctx, snap.checkpoint); q.isOurs(ctx, snap, c) {
		return c, nil
	}
	return snap.checkpoint, nil
}

// isOurs says whether a checkpoint of HEAD is of the tree that was verified here. HEAD is a cache: what is wrong with it deceives nobody, but is told.
func (q *Query) isOurs(ctx context.Context, snap snapshot, c proof.Checkpoint) bool {
	if last := q.ours.Load(); last != nil && last.Size == c.Size && last.Root == c.Root || c.Size == snap.size && c.Root == snap.checkpoint.Root {
		return true
	}
	if c.Size > snap.size { // a follower of SEALED may be behind
		return false
	}
	root, err := proof.RootAt(c.Size, q.reader(snap).nodes(ctx))
	if err != nil {
		return false
	}
	if root != c.Root {
		q.log.Error("a cosigned checkpoint is of another log than the one that was verified", "log", q.cfg.Log.Name, "size", c.Size, "note", string(c.Note))
		return false
	}
	q.ours.Store(&c)
	return true
}

// cosigned gives a snapshot the checkpoint that witnesses have cosigned, if that covers an index.
func (q *Query) cosigned(ctx context.Context, snap snapshot, index uint64) snapshot {
	if c, ok := q.head.Covering(ctx, index); ok && c.Size <= snap.size && q.isOurs(ctx, snap, c) {
		snap.size, snap.checkpoint = c.Size, c
	}
	return snap
}

// keys are the verifier keys of the log: those given, or those that index 0 names.
func (q *Query) keys() []string {
	if len(q.cfg.Keys) > 0 {
		return q.cfg.Keys
	}
	q.mu.RLock()
	defer q.mu.RUnlock()
	return q.index.keys
}

// Proof proves that the entry at index is in the tree of the newest checkpoint, or of the newest one that is cosigned and covers it. The entry shown is the leaf's members and
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
	return q.prove(ctx, q.cosigned(ctx, snap, f.Entry.Index), f, data)
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
	return q.prove(ctx, q.cosigned(ctx, snap, f.Entry.Index), f, data)
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
