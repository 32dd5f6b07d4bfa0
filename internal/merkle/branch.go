package merkle

import (
	"fmt"

	"github.com/sealstream/sealstream/pkg/entry"
)

// Branch holds what is needed of a tree to prove the leaves at its end: the frontier before them,
// and every hash above them. Several goroutines may read it at a time. Make it with NewBranch.
type Branch struct {
	before Frontier
	size   uint64
	rows   [][]entry.Hash // of each level, from the node on that holds the leaf behind before
}

// NewBranch returns the branch of a tree that consists of the leaves of a frontier and of the given
// leaf hashes. It keeps both.
func NewBranch(before Frontier, leaves []entry.Hash) Branch {
	b := Branch{before: before, size: before.size + uint64(len(leaves))}
	for level, row := 0, leaves; len(row) > 0; level++ {
		b.rows = append(b.rows, row)
		if left, ok := before.at(level); ok {
			row = append([]entry.Hash{left}, row...)
		}
		above := make([]entry.Hash, len(row)/2)
		for i := range above {
			above[i] = NodeHash(row[2*i], row[2*i+1])
		}
		row = above
	}
	return b
}

// Size returns the number of leaves of the whole tree.
func (b Branch) Size() uint64 { return b.size }

// Node is a Nodes. It knows the nodes that a proof of the leaves at the end needs, and those that
// the root needs.
func (b Branch) Node(level int, n uint64) (entry.Hash, error) {
	if level >= 0 && level < 64 {
		first := b.before.size >> level
		if left, ok := b.before.at(level); ok && n+1 == first {
			return left, nil
		}
		if level < len(b.rows) && n >= first && n-first < uint64(len(b.rows[level])) {
			return b.rows[level][n-first], nil
		}
	}
	return entry.Hash{}, fmt.Errorf("node %d of level %d is not in the branch", n, level)
}
