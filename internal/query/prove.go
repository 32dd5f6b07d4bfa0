package query

import (
	"context"
	"fmt"

	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Checkpoint returns the newest checkpoint that was verified here. The error wraps ErrNotFound if
// nothing is sealed yet.
func (q *Query) Checkpoint() (proof.Checkpoint, error) {
	snap, _, err := q.viewFrom(nil, api.Filter{}, 0)
	if err != nil {
		return proof.Checkpoint{}, err
	}
	if snap.size == 0 {
		return proof.Checkpoint{}, fmt.Errorf("checkpoint: %w: nothing is sealed yet", ErrNotFound)
	}
	return snap.checkpoint, nil
}

// Published returns the checkpoint to show to others: the newest one, or the newest cosigned one if
// that is not far behind.
func (q *Query) Published(ctx context.Context) (proof.Checkpoint, error) {
	snap, _, err := q.view(ctx, api.Filter{})
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

// isOurs reports whether a checkpoint of HEAD belongs to the tree that was verified here. HEAD is a
// cache: a wrong value deceives nobody, but is logged.
func (q *Query) isOurs(ctx context.Context, snap snapshot, c proof.Checkpoint) bool {
	if last := q.lastCosigned.Load(); last != nil && last.Size == c.Size && last.Root == c.Root ||
		c.Size == snap.size && c.Root == snap.checkpoint.Root {
		return true
	}
	if c.Size > snap.size { // this follower may be behind
		return false
	}
	root, err := merkle.RootAt(c.Size, q.reader(snap).nodes(ctx))
	if err != nil {
		return false
	}
	if root != c.Root {
		q.logger.Error("query found a cosigned checkpoint that does not match the verified log", "log", q.cfg.Log.Name,
			"size", c.Size, "note", string(c.Note))
		return false
	}
	q.lastCosigned.Store(&c)
	return true
}

// cosigned gives a snapshot the cosigned checkpoint, if that covers an index.
func (q *Query) cosigned(ctx context.Context, snap snapshot, index uint64) snapshot {
	if c, ok := q.head.Covering(ctx, index); ok && c.Size <= snap.size && q.isOurs(ctx, snap, c) {
		snap.size, snap.checkpoint = c.Size, c
	}
	return snap
}

// keys returns the log's verifier keys: those configured, or those that index 0 names.
func (q *Query) keys() []string {
	if len(q.cfg.Keys) > 0 {
		return q.cfg.Keys
	}
	q.mu.RLock()
	defer q.mu.RUnlock()
	return q.index.keys
}

// Proof returns the inclusion proof of the entry at index, in the tree of the newest checkpoint, or
// of the newest cosigned one that covers it. The entry shown has only the leaf's members and
// entry_hash, so that it can be passed on without the data. With data, it also has the data and its
// salt. The error wraps ErrNotFound if there is no such entry.
func (q *Query) Proof(ctx context.Context, index uint64, data bool) (proof.EntryProof, error) {
	snap, _, err := q.view(ctx, api.Filter{})
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
	snap, _, err := q.view(ctx, api.Filter{})
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
	if f.Hidden {
		return proof.EntryProof{}, errGuess
	}
	path, err := q.reader(snap).path(ctx, f.Entry)
	if err != nil {
		return proof.EntryProof{}, err
	}
	if data && f.DataError != "" { // what is shown must be provable
		return proof.EntryProof{}, corrupt(f.Entry.Index, "payload",
			"%s; without raw=1 the entry is proved without its data", f.DataError)
	}
	if f.RepeatOf = nil; !data { // what is shown must be the leaf alone
		f.Payload = nil
	}
	shown, err := f.AppendJSON(nil, data)
	if err != nil {
		return proof.EntryProof{}, err
	}
	return proof.EntryProof{
		Entry: shown, Leaf: string(f.Entry.Leaf), LeafIndex: f.Entry.Index, TreeSize: snap.size, MerkleProof: path,
		MerkleRoot: snap.checkpoint.Root.String(), Checkpoint: string(snap.checkpoint.Note), Verified: true,
	}, nil
}

// path makes an inclusion proof and checks it. A failure means that the index itself is damaged, by
// memory or by a defect.
func (r reader) path(ctx context.Context, e entry.Entry) (proof.Path, error) {
	nodes, err := r.provable(ctx)
	if err != nil {
		return nil, err
	}
	path, err := proof.Inclusion(e.Index, r.size, nodes)
	if err != nil {
		return nil, r.remember(err)
	}
	if err := proof.CheckInclusion(entry.LeafHash(e.Leaf), e.Index, r.size, path, r.checkpoint.Root); err != nil {
		return nil, r.remember(corrupt(e.Index, "proof", "%v", err))
	}
	return path, nil
}

// Consistency is the proof that the tree of size From is a prefix of the tree of size To (RFC 6962
// section 2.1.2).
type Consistency struct {
	From     uint64   `json:"from"`
	To       uint64   `json:"to"`
	Proof    []string `json:"proof"` // hex
	FromRoot string   `json:"from_root"`
	ToRoot   string   `json:"to_root"`
}

// Consistency proves that the tree of size from is a prefix of the tree of size to, for any sizes
// up to the current one.
func (q *Query) Consistency(ctx context.Context, from, to uint64) (Consistency, error) {
	snap, _, err := q.view(ctx, api.Filter{})
	if err != nil {
		return Consistency{}, err
	}
	switch {
	case to > snap.size:
		return Consistency{}, &api.ParamError{Param: "to", Reason: fmt.Sprintf("the log has %d entries", snap.size)}
	case from > to:
		return Consistency{}, &api.ParamError{Param: "from", Reason: "is more than to"}
	}
	r := q.reader(snap)
	provable, err := r.provable(ctx)
	if err == nil {
		err = r.mustShowRoots(ctx, from, to)
	}
	if err != nil {
		return Consistency{}, err
	}
	hashes, err := proof.Consistency(from, to, provable)
	if err != nil {
		return Consistency{}, q.remember(err)
	}
	tree := r.nodes(ctx)
	c := Consistency{From: from, To: to, Proof: make([]string, len(hashes))}
	for i, h := range hashes {
		c.Proof[i] = h.String()
	}
	fromRoot, err := merkle.RootAt(from, tree)
	if err != nil {
		return Consistency{}, q.remember(err)
	}
	toRoot, err := merkle.RootAt(to, tree)
	c.FromRoot, c.ToRoot = fromRoot.String(), toRoot.String()
	return c, q.remember(err)
}
