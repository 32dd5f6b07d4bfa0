package proof

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sealstream/sealstream/pkg/entry"
)

// Nodes gives the hash of a perfect subtree: of the n-th of those with 2^level leaves. It is the tree that RootAt, Inclusion and
// Consistency read, for trees that are kept in another form than Tree.
type Nodes func(level int, n uint64) (entry.Hash, error)

// ReadHashes is tlog.HashReader.
func (f Nodes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		if x < 0 {
			return nil, fmt.Errorf("no stored hash %d", x)
		}
		level, n := tlog.SplitStoredHashIndex(x)
		h, err := f(level, uint64(n))
		if err != nil {
			return nil, err
		}
		hashes[i] = tlog.Hash(h)
	}
	return hashes, nil
}

// Node is the hash of a perfect subtree of the tree, as Nodes gives it.
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

// NodeHash is the hash of an inner node.
func NodeHash(left, right entry.Hash) entry.Hash { return node(left, right) }
