package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Consistency returns the root of the tree of size from, and the proof that this tree is a prefix
// of the tree of size to. It makes both from SEALED. Each batch names the frontier of its tree, so
// that one node of the tree takes two batches at most, and none of them is before size from.
// Nothing of it is verified: check the proof against the checkpoints of both sizes. The error wraps
// ErrNotFound if SEALED does not reach a size.
func Consistency(ctx context.Context, log *Log, from, to uint64) (root entry.Hash, hashes []entry.Hash, err error) {
	t := trees{ctx: ctx, log: log}
	if _, err := t.tree(to); err != nil { // first, since it is mostly the nearest to the end of SEALED
		return root, nil, fmt.Errorf("tree of size %d: %w", to, err)
	}
	old, err := t.tree(from)
	if err != nil {
		return root, nil, fmt.Errorf("tree of size %d: %w", from, err)
	}
	hashes, err = proof.Consistency(from, to, merkle.Nodes(t.node))
	return old.Root(), hashes, err
}

// trees reads the trees that a log had. It keeps what it has read, because the nodes of one proof
// are near each other.
type trees struct {
	ctx   context.Context
	log   *Log
	read  []At              // batches that were read, in the order of SEALED
	known []merkle.Frontier // trees that were asked for
}

// tree returns the tree of a size.
func (t *trees) tree(size uint64) (f merkle.Frontier, err error) {
	if size == 0 {
		return f, nil
	}
	at, err := t.batch(size - 1)
	if err != nil {
		return f, err
	}
	if size == at.Batch.Size {
		f, err = merkle.NewFrontier(size, at.Batch.Frontier)
	} else {
		var leaf entry.Hash
		f, leaf, err = t.within(at, size-1)
		f.Append(leaf)
	}
	if err == nil {
		t.known = append(t.known, f)
	}
	return f, err
}

// node returns the n-th perfect subtree of a level: a part of a known tree, or what its last leaf
// completes.
func (t *trees) node(level int, n uint64) (entry.Hash, error) {
	for _, f := range t.known {
		if h, ok := f.Subtree(level, n); ok {
			return h, nil
		}
	}
	first, last := n<<level, (n+1)<<level-1
	at, err := t.batch(last)
	if err != nil {
		return entry.Hash{}, err
	}
	if first >= at.Batch.First {
		return merkle.PerfectRoot(hashesOf(at.Batch.Leaves[first-at.Batch.First : last+1-at.Batch.First])), nil
	}
	f, leaf, err := t.within(at, last)
	if err != nil {
		return entry.Hash{}, err
	}
	return f.Completed(level, leaf), nil
}

func hashesOf(leaves [][]byte) []entry.Hash {
	hashes := make([]entry.Hash, len(leaves))
	for i, leaf := range leaves {
		hashes[i] = entry.LeafHash(leaf)
	}
	return hashes
}

// within returns the tree before an index of a batch, and the hash of the leaf there.
func (t *trees) within(at At, index uint64) (f merkle.Frontier, leaf entry.Hash, err error) {
	if f, err = t.before(at); err != nil {
		return f, leaf, err
	}
	for _, h := range hashesOf(at.Batch.Leaves[:index-at.Batch.First]) {
		f.Append(h)
	}
	return f, entry.LeafHash(at.Batch.Leaves[index-at.Batch.First]), nil
}

// before returns the tree before a batch, which is that of the batch before it. What stands between
// the two on SEALED is void.
func (t *trees) before(at At) (merkle.Frontier, error) {
	if at.Batch.First == 0 {
		return merkle.Frontier{}, nil
	}
	for _, b := range t.read {
		if b.Batch.Size == at.Batch.First {
			return merkle.NewFrontier(b.Batch.Size, b.Batch.Frontier)
		}
	}
	for seq := at.Seq - 1; ; seq-- {
		m, err := t.log.Sealed.Get(t.ctx, seq)
		if err != nil {
			return merkle.Frontier{}, fmt.Errorf("SEALED sequence %d: %w", seq, err)
		}
		b, err := sealedlog.ParseBatch(m)
		if err == nil && b.Size == at.Batch.First {
			t.keep(At{seq, b})
			return merkle.NewFrontier(b.Size, b.Frontier)
		} else if errors.Is(err, sealedlog.ErrVersion) {
			return merkle.Frontier{}, fmt.Errorf("SEALED sequence %d: %w", seq, err)
		}
	}
}
