package merkle

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sealstream/sealstream/pkg/entry"
)

// Tree keeps every hash of a growing tree, 64 bytes per leaf. It is a tlog.HashReader, so that
// proofs can be made for any size that it ever had. Many goroutines may read it at a time, but not
// while Append runs. The zero Tree is empty.
type Tree struct {
	size   int64
	stored []tlog.Hash // in tlog's order, which is append-only
}

// Append adds a leaf, given its hash.
func (t *Tree) Append(leafHash entry.Hash) {
	h := tlog.Hash(leafHash)
	t.stored = append(t.stored, h)
	for level, n := 0, t.size; n&1 == 1; level, n = level+1, n>>1 { // the subtrees that it completes
		h = tlog.NodeHash(t.stored[tlog.StoredHashIndex(level, n-1)], h)
		t.stored = append(t.stored, h)
	}
	t.size++
}

// Size returns the number of leaves.
func (t *Tree) Size() uint64 { return uint64(t.size) }

// Root returns the root that the tree had at the given size. A size beyond the present one is an
// error.
func (t *Tree) Root(size uint64) (entry.Hash, error) {
	if size > uint64(t.size) {
		return entry.Hash{}, fmt.Errorf("root of size %d in a tree of %d", size, t.size)
	}
	return RootAt(size, t)
}

// Leaf returns the hash of the leaf at index.
func (t *Tree) Leaf(index uint64) (entry.Hash, error) {
	h, err := t.ReadHashes([]int64{tlog.StoredHashIndex(0, int64(min(index, MaxSize)))})
	if err != nil {
		return entry.Hash{}, err
	}
	return entry.Hash(h[0]), nil
}

// ReadHashes implements tlog.HashReader.
func (t *Tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		if x < 0 || x >= int64(len(t.stored)) {
			return nil, fmt.Errorf("no stored hash %d", x)
		}
		hashes[i] = t.stored[x]
	}
	return hashes, nil
}

// Node returns the hash of the n-th perfect subtree of 2^level leaves. It is a Nodes.
func (t *Tree) Node(level int, n uint64) (entry.Hash, error) {
	if level < 0 || level > 62 || n > uint64(t.size)>>level {
		return entry.Hash{}, fmt.Errorf("no node %d of level %d", n, level)
	}
	h, err := t.ReadHashes([]int64{tlog.StoredHashIndex(level, int64(n))})
	if err != nil {
		return entry.Hash{}, err
	}
	return entry.Hash(h[0]), nil
}
