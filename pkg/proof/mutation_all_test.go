package proof_test

import (
	"fmt"
	"os"
	"slices"
	"testing"

	merkle "github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// mutatedSizes are the sizes of trees, to 300, whose every proof is mutated: with SEALSTREAM_EXHAUSTIVE set, all.
func mutatedSizes() (sizes []int) {
	for n := 1; n <= 300; n++ {
		near := n&(n-1) == 0 || n&(n+1) == 0 || (n-1)&(n-2) == 0 // a power of two, or beside one
		if os.Getenv("SEALSTREAM_EXHAUSTIVE") != "" || n <= 20 || !testing.Short() && (near || n%41 == 0) {
			sizes = append(sizes, n)
		}
	}
	return sizes
}

// listMutations are the ways in which a list of hashes is spoiled. What leaves it as it was is none.
func listMutations(list []entry.Hash, other entry.Hash) (m [][]entry.Hash) {
	for i := range list {
		m = append(m, slices.Delete(slices.Clone(list), i, i+1), slices.Insert(slices.Clone(list), i, list[i]))
		c := slices.Clone(list)
		c[i] = other
		m = append(m, c)
		c = slices.Clone(list)
		c[i][i%32] ^= 1 << (i % 8)
		m = append(m, c)
		for j := range i {
			c := slices.Clone(list)
			c[i], c[j] = c[j], c[i]
			m = append(m, c)
		}
	}
	m = append(m, append(slices.Clone(list), other), append([]entry.Hash{other}, list...))
	if len(list) > 0 {
		m = append(m, nil)
	}
	return m
}

func bytesOf(list []entry.Hash) [][]byte {
	b := make([][]byte, len(list))
	for i := range list {
		b[i] = list[i][:]
	}
	return b
}

// TestEveryMutatedInclusion: of every proof of every size, each mutation is refused: of its hashes,
// of its index, and of its size with the root of that size. A root alone does not say what size it
// is of, where the paths have one shape: there the answer is merkle's.
func TestEveryMutatedInclusion(t *testing.T) {
	leaves := leafHashes(310)
	tree, _ := treeOf(leaves)
	roots, other, count := naiveRoots(leaves), entry.LeafHash([]byte("other")), 0
	for _, n := range mutatedSizes() {
		for i := range n {
			path, err := proof.Inclusion(uint64(i), uint64(n), tree)
			if err != nil {
				t.Fatal(err)
			}
			list := make([]entry.Hash, len(path))
			for j, s := range path {
				list[j] = s.Hash
			}
			taken := func(what string, index, size int, list []entry.Hash, root entry.Hash) bool {
				count++
				p, err := proof.PathOf(uint64(index), uint64(size), list)
				ours := err == nil && proof.CheckInclusion(leaves[i], uint64(index), uint64(size), p, root) == nil
				if theirs := merkle.VerifyInclusion(rfc6962.DefaultHasher, uint64(index), uint64(size), leaves[i][:],
					bytesOf(list), root[:]) == nil; ours != theirs {
					t.Fatalf("index %d of %d, %s: we say %v, merkle %v", i, n, what, ours, theirs)
				}
				return ours
			}
			if !taken("as it is", i, n, list, roots[n]) {
				t.Fatalf("index %d of %d is refused", i, n)
			}
			for k, m := range listMutations(list, other) {
				if taken(fmt.Sprint("mutation ", k), i, n, m, roots[n]) {
					t.Fatalf("index %d of %d, mutation %d is taken", i, n, k)
				}
			}
			for j := range n + 2 {
				if j != i && taken("another index", j, n, list, roots[n]) {
					t.Fatalf("index %d of %d is taken for %d", i, n, j)
				}
			}
			for size := range n + 9 {
				if size == n {
					continue
				}
				if taken("another size and its root", i, size, list, roots[size]) {
					t.Fatalf("index %d of %d is taken for one of %d", i, n, size)
				}
				taken("another size", i, size, list, roots[n])
			}
		}
	}
	t.Logf("%d mutations", count)
}

// TestEveryMutatedConsistency is the same for the proofs between all sizes.
func TestEveryMutatedConsistency(t *testing.T) {
	leaves := leafHashes(310)
	tree, _ := treeOf(leaves)
	roots, other, count := naiveRoots(leaves), entry.LeafHash([]byte("other")), 0
	for _, n := range mutatedSizes() {
		for m := 1; m <= n; m++ {
			list, err := proof.Consistency(uint64(m), uint64(n), tree)
			if err != nil {
				t.Fatal(err)
			}
			taken := func(what string, m2, n2 int, list []entry.Hash, from, to entry.Hash) bool {
				count++
				ours := proof.CheckConsistency(uint64(m2), uint64(n2), from, to, list) == nil
				if m2 == 0 { // merkle v0.0.2 takes any roots from size 0 on
					return ours
				}
				if theirs := merkle.VerifyConsistency(rfc6962.DefaultHasher, uint64(m2), uint64(n2), bytesOf(list),
					from[:], to[:]) == nil; ours != theirs {
					t.Fatalf("%d to %d, %s: we say %v, merkle %v", m, n, what, ours, theirs)
				}
				return ours
			}
			if !taken("as it is", m, n, list, roots[m], roots[n]) {
				t.Fatalf("%d to %d is refused", m, n)
			}
			for k, c := range listMutations(list, other) {
				if taken(fmt.Sprint("mutation ", k), m, n, c, roots[m], roots[n]) {
					t.Fatalf("%d to %d, mutation %d is taken", m, n, k)
				}
			}
			if taken("another old root", m, n, list, other, roots[n]) ||
				taken("another new root", m, n, list, roots[m], other) {
				t.Fatalf("%d to %d: another root is taken", m, n)
			}
			for size := range n + 9 {
				if size != m && size > 0 && size != n &&
					taken("another old size and its root", size, n, list, roots[size], roots[n]) {
					t.Fatalf("%d to %d is taken from %d", m, n, size)
				}
				if size != n && size != m && taken("another size and its root", m, size, list, roots[m], roots[size]) {
					t.Fatalf("%d to %d is taken to %d", m, n, size)
				}
			}
		}
	}
	t.Logf("%d mutations", count)
}
