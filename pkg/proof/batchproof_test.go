package proof_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

func pick(hashes []entry.Hash, indexes []uint64) (list []entry.Hash) {
	for _, x := range indexes {
		list = append(list, hashes[x])
	}
	return list
}

// TestBatchEverySubset proves each set of leaves of each small tree, at each size that it had.
func TestBatchEverySubset(t *testing.T) {
	leaves := leafHashes(9)
	tree, _ := treeOf(leaves)
	for size := uint64(1); size <= 9; size++ {
		root, err := tree.Root(size)
		if err != nil {
			t.Fatal(err)
		}
		for set := range 1 << size {
			var indexes []uint64
			for i := range size {
				if set>>i&1 == 1 {
					indexes = append(indexes, i)
				}
			}
			hashes, err := proof.ProveBatch(indexes, size, tree)
			if err != nil {
				t.Fatal(err)
			}
			if err := proof.CheckBatch(pick(leaves, indexes), indexes, size, hashes, root); err != nil {
				t.Fatalf("size %d, indexes %v: %v", size, indexes, err)
			}
		}
	}
}

// TestBatchAgreesWithInclusion compares a batch of one with the inclusion proof of the same leaf:
// the same hashes, in the order of the leaves.
func TestBatchAgreesWithInclusion(t *testing.T) {
	tree, _ := treeOf(leafHashes(70))
	for index := range uint64(70) {
		path, err := proof.Inclusion(index, 70, tree)
		if err != nil {
			t.Fatal(err)
		}
		var left, right []entry.Hash
		for _, s := range path {
			if s.Left {
				left = slices.Insert(left, 0, s.Hash)
			} else {
				right = append(right, s.Hash)
			}
		}
		got, err := proof.ProveBatch([]uint64{index}, 70, tree)
		if err != nil || !slices.Equal(got, append(left, right...)) {
			t.Fatalf("index %d: %v %x", index, err, got)
		}
	}
}

// TestBatchIsShort holds a page without gaps to 2·log2(size) hashes.
func TestBatchIsShort(t *testing.T) {
	const size = 5000
	tree, _ := treeOf(leafHashes(size))
	for first := range uint64(size - 100) {
		indexes := make([]uint64, 100)
		for i := range indexes {
			indexes[i] = first + uint64(i)
		}
		if got, err := proof.ProveBatch(indexes, size, tree); err != nil || len(got) > 2*13 {
			t.Fatalf("from %d: %d hashes, %v", first, len(got), err)
		}
	}
}

// TestBatchRefuses changes proofs at random: nothing but what was proven may pass.
func TestBatchRefuses(t *testing.T) {
	const size = 300
	leaves := leafHashes(size)
	tree, _ := treeOf(leaves)
	root, err := tree.Root(size)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var indexes []uint64
		for x := range uint64(size) {
			if rng.IntN(20) == 0 {
				indexes = append(indexes, x)
			}
		}
		if len(indexes) < 2 {
			continue
		}
		hashes, err := proof.ProveBatch(indexes, size, tree)
		if err != nil {
			t.Fatal(err)
		}
		list, at := pick(leaves, indexes), rng.IntN(len(indexes))
		want := uint64(size)
		switch rng.IntN(8) {
		case 0:
			list[at][3] ^= 1
		case 1:
			hashes[rng.IntN(len(hashes))][0] ^= 1
		case 2:
			hashes = slices.Delete(hashes, 0, 1)
		case 3:
			hashes = append(hashes, root)
		case 4:
			indexes, list = slices.Delete(indexes, at, at+1), slices.Delete(list, at, at+1)
		case 5:
			indexes[at] = indexes[(at+1)%len(indexes)]
		case 6:
			i, j := rng.IntN(len(list)), at
			if i == j {
				continue
			}
			list[i], list[j] = list[j], list[i]
		case 7:
			want = indexes[len(indexes)-1]
		}
		if proof.CheckBatch(list, indexes, want, hashes, root) == nil {
			t.Fatalf("a changed proof of %v passes", indexes)
		}
	}
}

// TestBatchPaths compares the path of each entry of a batch with its inclusion proof.
func TestBatchPaths(t *testing.T) {
	const size = 70
	entries, leaves := make([]entry.Entry, size), make([]entry.Hash, size)
	for i := range entries {
		entries[i] = entry.Entry{Index: uint64(i), Leaf: fmt.Append(nil, "leaf ", i)}
		leaves[i] = entry.LeafHash(entries[i].Leaf)
	}
	tree, _ := treeOf(leaves)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		var some []entry.Entry
		var indexes []uint64
		for i, e := range entries {
			if rng.IntN(8) == 0 {
				some, indexes = append(some, e), append(indexes, uint64(i))
			}
		}
		hashes, err := proof.ProveBatch(indexes, size, tree)
		if err != nil {
			t.Fatal(err)
		}
		batch := proof.BatchProof{TreeSize: size}
		for _, h := range hashes {
			batch.Hashes = append(batch.Hashes, h.String())
		}
		for index := range uint64(size) {
			got, err := batch.Path(some, index)
			if !slices.Contains(indexes, index) {
				if !errors.Is(err, proof.ErrProof) {
					t.Fatalf("index %d is not in %v: %v", index, indexes, err)
				}
				continue
			}
			want, err2 := proof.Inclusion(index, size, tree)
			if err := errors.Join(err, err2); err != nil || !slices.Equal(got, want) {
				t.Fatalf("index %d of %v: %v", index, indexes, err)
			}
		}
	}
}

// TestBatchPrefix: the root of an earlier size that a batch proof gives is the one that the tree had,
// and it is given where an entry stands there that follows the tree of that size, or where all from
// there on do.
func TestBatchPrefix(t *testing.T) {
	const most = 70
	entries, leaves := make([]entry.Entry, most), make([]entry.Hash, most)
	for i := range entries {
		entries[i] = entry.Entry{Index: uint64(i), Leaf: fmt.Append(nil, "leaf ", i)}
		leaves[i] = entry.LeafHash(entries[i].Leaf)
	}
	tree, _ := treeOf(leaves)
	rng := rand.New(rand.NewPCG(3, 4))
	for range 400 {
		size := 2 + rng.Uint64N(most-1)
		first := rng.Uint64N(size)
		some, indexes := []entry.Entry{}, []uint64{}
		run := first // all from first up to it are there
		for x := first; x < size; x++ {
			if x == first || rng.IntN(3) == 0 {
				if some, indexes = append(some, entries[x]), append(indexes, x); run == x {
					run++
				}
			}
		}
		hashes, err := proof.ProveBatch(indexes, size, tree)
		if err != nil {
			t.Fatal(err)
		}
		batch := proof.BatchProof{TreeSize: size}
		for _, h := range hashes {
			batch.Hashes = append(batch.Hashes, h.String())
		}
		for at := range uint64(most + 2) {
			got, ok := batch.Prefix(some, at)
			if must := at > 0 && at < size && at >= first && at <= run; must && !ok || ok && (at == 0 || at >= size) {
				t.Fatalf("size %d of %v in %d: %v", at, indexes, size, ok)
			}
			if want, _ := tree.Root(at); ok && got != want {
				t.Fatalf("size %d of %v in %d: another root", at, indexes, size)
			}
		}
		proofs, err := batch.EntryProofs(some)
		if err != nil || len(proofs) != len(some) {
			t.Fatal(err)
		}
		root, _ := tree.Root(size)
		for i, p := range proofs {
			if err := proof.CheckInclusion(leaves[indexes[i]], p.LeafIndex, p.TreeSize, p.MerkleProof, root); err != nil ||
				p.LeafIndex != indexes[i] || p.MerkleRoot != root.String() {
				t.Fatalf("index %d of %v in %d: %v", indexes[i], indexes, size, err)
			}
		}
	}
}
