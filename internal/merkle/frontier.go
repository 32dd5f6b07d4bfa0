package merkle

import (
	"crypto/sha256"
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sealstream/sealstream/pkg/entry"
)

// MaxSize is the largest size of a tree. Sizes up to it fit tlog's signed integers, and JSON
// numbers hold them exactly.
const MaxSize = 1<<53 - 1

// EmptyRoot is the root of a tree without leaves: SHA-256 of nothing (RFC 6962 section 2.1).
var EmptyRoot = entry.Hash(sha256.Sum256(nil))

// Frontier is the right edge of a tree: the roots of its perfect subtrees, largest first. It is
// enough to append leaves and to compute the root. The zero Frontier is the empty tree.
type Frontier struct {
	size   uint64
	hashes []entry.Hash
}

// NewFrontier returns the frontier of a tree of the given size. It copies hashes, which must be one
// per bit set in size, largest subtree first. Anything else is an error.
func NewFrontier(size uint64, hashes []entry.Hash) (Frontier, error) {
	if size > MaxSize || len(hashes) != bits.OnesCount64(size) {
		return Frontier{}, fmt.Errorf("frontier of size %d has %d hashes", size, len(hashes))
	}
	return Frontier{size, append([]entry.Hash(nil), hashes...)}, nil
}

// Append adds a leaf, given its hash.
func (f *Frontier) Append(leafHash entry.Hash) {
	h := leafHash
	for n := f.size; n&1 == 1; n >>= 1 {
		h = NodeHash(f.hashes[len(f.hashes)-1], h)
		f.hashes = f.hashes[:len(f.hashes)-1]
	}
	f.hashes = append(f.hashes, h)
	f.size++
}

// Subtree returns the n-th perfect subtree with 2^level leaves, if it is one of the roots.
func (f Frontier) Subtree(level int, n uint64) (root entry.Hash, ok bool) {
	if n&1 == 1 || f.size>>level != n+1 {
		return entry.Hash{}, false
	}
	return f.hashes[bits.OnesCount64(f.size>>(level+1))], true
}

// Completed returns the root of the perfect subtree with 2^level leaves of which the next leaf is
// the last one. The size after that leaf must be a multiple of 2^level.
func (f Frontier) Completed(level int, leafHash entry.Hash) entry.Hash {
	root := leafHash
	for i := 1; i <= level; i++ {
		root = NodeHash(f.hashes[len(f.hashes)-i], root)
	}
	return root
}

// Size returns the number of leaves.
func (f Frontier) Size() uint64 { return f.size }

// at returns the root of the perfect subtree of 2^level leaves, if the frontier has one.
func (f Frontier) at(level int) (entry.Hash, bool) {
	if f.size>>level&1 == 0 {
		return entry.Hash{}, false
	}
	return f.hashes[bits.OnesCount64(f.size>>(level+1))], true
}

// Root returns the root of the tree. It computes one hash per subtree.
func (f Frontier) Root() entry.Hash {
	if f.size == 0 {
		return EmptyRoot
	}
	root := f.hashes[len(f.hashes)-1]
	for i := len(f.hashes) - 2; i >= 0; i-- {
		root = NodeHash(f.hashes[i], root)
	}
	return root
}

// Hashes returns a copy of the roots of the perfect subtrees, largest first.
func (f Frontier) Hashes() []entry.Hash { return append([]entry.Hash(nil), f.hashes...) }

// Clone returns a frontier that shares nothing with f.
func (f Frontier) Clone() Frontier { return Frontier{f.size, f.Hashes()} }

// NodeHash returns the hash of the inner node over two subtrees: SHA-256(0x01 || left || right)
// (RFC 6962 section 2.1).
func NodeHash(left, right entry.Hash) entry.Hash {
	return entry.Hash(tlog.NodeHash(tlog.Hash(left), tlog.Hash(right)))
}

// PerfectRoot returns the root over a row of hashes of one level, whose number is a power of two.
func PerfectRoot(row []entry.Hash) entry.Hash {
	switch half := len(row) / 2; len(row) {
	case 0:
		return EmptyRoot
	case 1:
		return row[0]
	default:
		return NodeHash(PerfectRoot(row[:half]), PerfectRoot(row[half:]))
	}
}
