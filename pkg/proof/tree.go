package proof

import (
	"errors"
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sealstream/sealstream/pkg/entry"
)

// maxSize keeps sizes within what tlog's signed integers and JSON's exact ones hold.
const maxSize = 1<<53 - 1

// EmptyRoot is the root of a tree without leaves: SHA-256 of nothing (RFC 6962 section 2.1).
var EmptyRoot = entry.Hash{0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
	0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55}

// Frontier is the right edge of a tree: the roots of the perfect subtrees that it is made of, largest first. It is all that is
// needed to append leaves and to know the root. The zero Frontier is the empty tree.
type Frontier struct {
	size   uint64
	hashes []entry.Hash
}

// NewFrontier takes a frontier from a batch; their number must be that of the ones in size's binary form.
func NewFrontier(size uint64, hashes []entry.Hash) (Frontier, error) {
	if size > maxSize || len(hashes) != bits.OnesCount64(size) {
		return Frontier{}, fmt.Errorf("frontier of size %d has %d hashes", size, len(hashes))
	}
	return Frontier{size, append([]entry.Hash(nil), hashes...)}, nil
}

// Append adds a leaf by its hash.
func (f *Frontier) Append(leafHash entry.Hash) {
	h := leafHash
	for n := f.size; n&1 == 1; n >>= 1 {
		h = node(f.hashes[len(f.hashes)-1], h)
		f.hashes = f.hashes[:len(f.hashes)-1]
	}
	f.hashes = append(f.hashes, h)
	f.size++
}

// Size is the number of leaves.
func (f Frontier) Size() uint64 { return f.size }

// Root is the root of the tree. It costs one hash for each subtree.
func (f Frontier) Root() entry.Hash {
	if f.size == 0 {
		return EmptyRoot
	}
	root := f.hashes[len(f.hashes)-1]
	for i := len(f.hashes) - 2; i >= 0; i-- {
		root = node(f.hashes[i], root)
	}
	return root
}

// Hashes returns a copy of the roots of the perfect subtrees, largest first.
func (f Frontier) Hashes() []entry.Hash { return append([]entry.Hash(nil), f.hashes...) }

// Clone returns a frontier that shares nothing with f.
func (f Frontier) Clone() Frontier { return Frontier{f.size, f.Hashes()} }

func node(left, right entry.Hash) entry.Hash {
	return entry.Hash(tlog.NodeHash(tlog.Hash(left), tlog.Hash(right)))
}

// PerfectRoot is the root over a power of two of hashes of one level.
func PerfectRoot(row []entry.Hash) entry.Hash {
	var f Frontier
	for _, h := range row {
		f.Append(h)
	}
	return f.Root()
}

// Tree keeps every hash of a growing tree, 64 bytes a leaf, and makes proofs for any size it ever had. It may be read by
// many goroutines, but not while Append runs. The zero Tree is empty.
type Tree struct {
	size   int64
	stored []tlog.Hash // in tlog's order, which is append-only
}

// Append adds a leaf by its hash.
func (t *Tree) Append(leafHash entry.Hash) {
	hashes, err := tlog.StoredHashesForRecordHash(t.size, tlog.Hash(leafHash), t)
	if err != nil {
		panic("proof: a tree cannot read its own hashes: " + err.Error())
	}
	t.stored = append(t.stored, hashes...)
	t.size++
}

// Size is the number of leaves.
func (t *Tree) Size() uint64 { return uint64(t.size) }

// Root is the root that the tree had at a size up to the present one.
func (t *Tree) Root(size uint64) (entry.Hash, error) {
	if size > uint64(t.size) {
		return entry.Hash{}, fmt.Errorf("root of size %d in a tree of %d", size, t.size)
	}
	return RootAt(size, t)
}

// Leaf is the hash of a leaf.
func (t *Tree) Leaf(index uint64) (entry.Hash, error) {
	h, err := t.ReadHashes([]int64{tlog.StoredHashIndex(0, int64(min(index, maxSize)))})
	if err != nil {
		return entry.Hash{}, err
	}
	return entry.Hash(h[0]), nil
}

// ReadHashes is tlog.HashReader.
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

// RootAt reads the root of a tree of the given size.
func RootAt(size uint64, r tlog.HashReader) (entry.Hash, error) {
	if size > maxSize {
		return entry.Hash{}, errors.New("tree size out of range")
	}
	if size == 0 {
		return EmptyRoot, nil
	}
	h, err := tlog.TreeHash(int64(size), r)
	return entry.Hash(h), err
}

// TilePath is the C2SP path of a tile of hashes (c2sp.org/tlog-tiles); width 0 or 256 is a full one. tlog.Tile.Path would name the
// height too, which that format does not.
func TilePath(level int, n uint64, width int) string {
	return fmt.Sprintf("tile/%d/%s", level, tileNumber(n, width))
}

// BundlePath is the C2SP path of an entry bundle.
func BundlePath(n uint64, width int) string { return "tile/entries/" + tileNumber(n, width) }

func tileNumber(n uint64, width int) string {
	s := fmt.Sprintf("%03d", n%1000)
	for n >= 1000 {
		n /= 1000
		s = fmt.Sprintf("x%03d/%s", n%1000, s)
	}
	if width > 0 && width < 256 {
		s += fmt.Sprintf(".p/%d", width)
	}
	return s
}
