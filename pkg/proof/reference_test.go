package proof_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/transparency-dev/merkle/compact"
	tdproof "github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// The naive tree of RFC 6962 section 2.1, as its text says it, by recursion.

func split(n int) int {
	k := 1
	for k*2 < n {
		k *= 2
	}
	return k
}

func naiveNode(a, b entry.Hash) entry.Hash {
	return sha256.Sum256(append(append([]byte{1}, a[:]...), b[:]...))
}

func naiveRoot(leaves []entry.Hash) entry.Hash {
	switch n := len(leaves); n {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return leaves[0]
	default:
		k := split(n)
		return naiveNode(naiveRoot(leaves[:k]), naiveRoot(leaves[k:]))
	}
}

func naivePath(m int, leaves []entry.Hash) proof.Path {
	if len(leaves) == 1 {
		return proof.Path{}
	}
	k := split(len(leaves))
	if m < k {
		return append(naivePath(m, leaves[:k]), proof.Step{Hash: naiveRoot(leaves[k:])})
	}
	return append(naivePath(m-k, leaves[k:]), proof.Step{Hash: naiveRoot(leaves[:k]), Left: true})
}

func naiveConsistency(m int, leaves []entry.Hash, whole bool) []entry.Hash {
	n := len(leaves)
	if m == n {
		if whole {
			return nil
		}
		return []entry.Hash{naiveRoot(leaves)}
	}
	k := split(n)
	if m <= k {
		return append(naiveConsistency(m, leaves[:k], whole), naiveRoot(leaves[k:]))
	}
	return append(naiveConsistency(m-k, leaves[k:], false), naiveRoot(leaves[:k]))
}

// naiveRoots are the roots of all sizes.
func naiveRoots(leaves []entry.Hash) (roots []entry.Hash) {
	for n := range len(leaves) + 1 {
		roots = append(roots, naiveRoot(leaves[:n]))
	}
	return roots
}

func leafHashes(n int) []entry.Hash {
	list := make([]entry.Hash, n)
	for i := range list {
		list[i] = entry.LeafHash(fmt.Appendf(nil, "leaf %d", i))
	}
	return list
}

// treeOf is the tree and the frontier over leaves.
func treeOf(leaves []entry.Hash) (*merkle.Tree, merkle.Frontier) {
	var t merkle.Tree
	var f merkle.Frontier
	for _, h := range leaves {
		t.Append(h)
		f.Append(h)
	}
	return &t, f
}

func TestTreeIsRFC6962(t *testing.T) {
	leaves := leafHashes(128)
	tree, _ := treeOf(leaves)
	var f merkle.Frontier
	ranges := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	other := ranges.NewEmptyRange(0)
	for n := range 129 {
		want := naiveRoot(leaves[:n])
		root, err := tree.Root(uint64(n))
		if err != nil || root != want || f.Root() != want || f.Size() != uint64(n) {
			t.Fatalf("size %d: tree %s (%v), frontier %s, want %s", n, root, err, f.Root(), want)
		}
		if n > 0 {
			if r, err := other.GetRootHash(nil); err != nil || !bytes.Equal(r, want[:]) {
				t.Fatalf("size %d: transparency-dev %s, want %s", n, r, want)
			}
		}
		again, err := merkle.NewFrontier(uint64(n), f.Hashes())
		if err != nil || again.Root() != want {
			t.Fatalf("size %d: frontier read back: %s, %v", n, again.Root(), err)
		}
		for i, h := range other.Hashes() {
			if !bytes.Equal(h, f.Hashes()[i][:]) {
				t.Fatalf("size %d: frontier hash %d differs from that of transparency-dev", n, i)
			}
		}
		if n == 128 {
			break
		}
		f.Append(leaves[n])
		if err := other.Append(leaves[n][:], nil); err != nil {
			t.Fatal(err)
		}
		if h, err := tree.Leaf(uint64(n)); err != nil || h != leaves[n] {
			t.Fatalf("leaf %d: %s, %v", n, h, err)
		}
	}
	if merkle.PerfectRoot(leaves) != naiveRoot(leaves) || merkle.EmptyRoot != naiveRoot(nil) {
		t.Error("PerfectRoot or EmptyRoot")
	}
	for _, n := range []uint64{129, 1 << 60} {
		if _, err := tree.Root(n); err == nil {
			t.Errorf("root of size %d", n)
		}
		if _, err := tree.Leaf(n); err == nil {
			t.Errorf("leaf %d", n)
		}
	}
	if _, err := merkle.NewFrontier(3, f.Hashes()); err == nil {
		t.Error("a frontier of another size")
	}
}

// TestFrontierIsACopy: what is appended to a clone is not in the original, whatever they share.
func TestFrontierIsACopy(t *testing.T) {
	leaves := leafHashes(8)
	_, f := treeOf(leaves[:6])
	want, c := f.Root(), f.Clone()
	c.Append(leaves[6])
	c.Append(leaves[7])
	hashes := f.Hashes()
	hashes[0] = entry.Hash{}
	if f.Root() != want || f.Size() != 6 || c.Root() != naiveRoot(leaves) {
		t.Error("the frontier changed with its clone")
	}
}

// allSizes is up to which size all trees are compared.
func allSizes() int {
	if testing.Short() {
		return 100
	}
	return 300
}

func TestInclusion(t *testing.T) {
	most := allSizes()
	leaves := leafHashes(most)
	tree, _ := treeOf(leaves)
	for n := 1; n <= most; n++ {
		root := naiveRoot(leaves[:n])
		for i := range n {
			p, err := proof.Inclusion(uint64(i), uint64(n), tree)
			// the naive tree is slow; beyond, others check the path
			if err != nil || n <= 100 && !slices.Equal(p, naivePath(i, leaves[:n])) {
				t.Fatalf("index %d of %d: %v, %v", i, n, p, err)
			}
			if err := proof.CheckInclusion(leaves[i], uint64(i), uint64(n), p, root); err != nil {
				t.Fatalf("index %d of %d: %v", i, n, err)
			}
			if err := p.Check(leaves[i], root); err != nil {
				t.Fatalf("index %d of %d: %v", i, n, err)
			}
			checkElsewhere(t, i, n, leaves[i], p, root)
		}
	}
	for _, c := range [][2]uint64{{0, 0}, {uint64(most), uint64(most)}, {5, 5}, {1 << 60, 1 << 61}, {0, 1 << 54}} {
		if p, err := proof.Inclusion(c[0], c[1], tree); !errors.Is(err, proof.ErrProof) {
			t.Errorf("index %d of %d: %v, %v", c[0], c[1], p, err)
		}
	}
	if p, err := proof.Inclusion(3, uint64(most)+1, tree); err == nil {
		t.Errorf("of a tree that has not grown so far: %v", p)
	}
}

// checkElsewhere checks our proof with two other implementations.
func checkElsewhere(t *testing.T, i, n int, leaf entry.Hash, p proof.Path, root entry.Hash) {
	t.Helper()
	record, hashes := make(tlog.RecordProof, len(p)), make([][]byte, len(p))
	for j, s := range p {
		record[j], hashes[j] = tlog.Hash(s.Hash), s.Hash[:]
	}
	if err := tlog.CheckRecord(record, int64(n), tlog.Hash(root), int64(i), tlog.Hash(leaf)); err != nil {
		t.Fatalf("tlog, index %d of %d: %v", i, n, err)
	}
	if err := tdproof.VerifyInclusion(rfc6962.DefaultHasher, uint64(i), uint64(n), leaf[:], hashes,
		root[:]); err != nil {
		t.Fatalf("merkle, index %d of %d: %v", i, n, err)
	}
}

func TestConsistency(t *testing.T) {
	most := allSizes()
	leaves := leafHashes(most)
	tree, _ := treeOf(leaves)
	roots := naiveRoots(leaves)
	for n := range most + 1 {
		to := roots[n]
		for m := range n + 1 {
			from := roots[m]
			list, err := proof.Consistency(uint64(m), uint64(n), tree)
			want := []entry.Hash{}
			if n > 100 { // the naive tree is slow; beyond, merkle checks the proof
				want = list
			} else if m > 0 && m < n {
				want = naiveConsistency(m, leaves[:n], true)
			}
			if err != nil || !slices.Equal(list, want) || list == nil {
				t.Fatalf("%d to %d: %v, %v", m, n, list, err)
			}
			if err := proof.CheckConsistency(uint64(m), uint64(n), from, to, list); err != nil {
				t.Fatalf("%d to %d: %v", m, n, err)
			}
			if m == 0 { // merkle v0.0.2 takes any roots from size 0 on
				continue
			}
			hashes := make([][]byte, len(list))
			for i := range list {
				hashes[i] = list[i][:]
			}
			if err := tdproof.VerifyConsistency(rfc6962.DefaultHasher, uint64(m), uint64(n), hashes, from[:],
				to[:]); err != nil {
				t.Fatalf("merkle, %d to %d: %v", m, n, err)
			}
		}
	}
	for _, c := range [][2]uint64{{2, 1}, {1, 1 << 54}} {
		if _, err := proof.Consistency(c[0], c[1], tree); !errors.Is(err, proof.ErrProof) {
			t.Errorf("%d to %d: %v", c[0], c[1], err)
		}
		if err := proof.CheckConsistency(c[0], c[1], entry.Hash{}, entry.Hash{}, nil); !errors.Is(err, proof.ErrProof) {
			t.Errorf("check %d to %d: %v", c[0], c[1], err)
		}
	}
}

// TestKnownTree is a root that another implementation made.
func TestKnownTree(t *testing.T) {
	var f merkle.Frontier
	for i := 1; i <= 3; i++ {
		f.Append(entry.LeafHash(fmt.Appendf(nil, "hello %d", i)))
	}
	root := f.Root()
	// made with tessera v1.0.4
	if got := base64.StdEncoding.EncodeToString(root[:]); got != "UHWHAEweZmI39cCQ+FZCkbdeCa5EAKOyh73LU3cX8lg=" {
		t.Errorf("root %s", got)
	}
}

func TestTilePaths(t *testing.T) {
	for _, c := range []struct {
		level int
		n     uint64
		width int
		want  string
	}{
		{0, 0, 0, "tile/0/000"}, {0, 0, 256, "tile/0/000"}, {0, 273, 112, "tile/0/273.p/112"}, {1, 999, 1, "tile/1/999.p/1"}, {0, 1000, 0, "tile/0/x001/000"}, {0, 1234067, 0, "tile/0/x001/x234/067"},
		{2, 1234067, 255, "tile/2/x001/x234/067.p/255"},
	} {
		if got := merkle.TilePath(c.level, c.n, c.width); got != c.want {
			t.Errorf("TilePath(%d, %d, %d) = %s, want %s", c.level, c.n, c.width, got, c.want)
		}
	}
	if got := merkle.BundlePath(1234067, 8); got != "tile/entries/x001/x234/067.p/8" {
		t.Error(got)
	}
}
