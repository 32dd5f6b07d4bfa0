package proof_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// mutations of an inclusion proof: every one must be refused.
func mutations(p proof.Path, other entry.Hash) map[string]proof.Path {
	m := map[string]proof.Path{}
	for i := range p {
		m[fmt.Sprint("dropped ", i)] = slices.Delete(slices.Clone(p), i, i+1)
		m[fmt.Sprint("doubled ", i)] = slices.Insert(slices.Clone(p), i, p[i])
		c := slices.Clone(p)
		c[i].Left = !c[i].Left
		m[fmt.Sprint("side ", i)] = c
		c = slices.Clone(p)
		c[i].Hash = other
		m[fmt.Sprint("hash ", i)] = c
		c = slices.Clone(p)
		c[i].Hash[31] ^= 1
		m[fmt.Sprint("bit ", i)] = c
		if i > 0 {
			c = slices.Clone(p)
			c[i-1], c[i] = c[i], c[i-1]
			m[fmt.Sprint("swapped ", i)] = c
			c = slices.Clone(p)
			c[i-1].Hash, c[i].Hash = c[i].Hash, c[i-1].Hash
			m[fmt.Sprint("hashes swapped ", i)] = c
		}
	}
	m["a step more at the root"] = append(slices.Clone(p), proof.Step{Hash: other})
	m["a step more at the leaf"] = append(proof.Path{{Hash: other, Left: true}}, p...)
	if len(p) > 0 {
		m["empty"] = proof.Path{}
		reversed := slices.Clone(p)
		slices.Reverse(reversed)
		if len(p) > 1 {
			m["reversed"] = reversed
		}
	}
	return m
}

func TestNoMutatedInclusion(t *testing.T) {
	leaves := leafHashes(33)
	tree, _ := treeOf(leaves)
	for _, n := range []int{1, 2, 3, 5, 7, 8, 13, 32, 33} {
		root, other := naiveRoot(leaves[:n]), entry.LeafHash([]byte("other"))
		for i := range n {
			p, err := proof.Inclusion(uint64(i), uint64(n), tree)
			if err != nil {
				t.Fatal(err)
			}
			check := func(what string, leaf entry.Hash, index, size uint64, p proof.Path, root entry.Hash) {
				t.Helper()
				if err := proof.CheckInclusion(leaf, index, size, p, root); !errors.Is(err, proof.ErrProof) {
					t.Errorf("index %d of %d, %s: %v", i, n, what, err)
				}
			}
			for what, m := range mutations(p, other) {
				check(what, leaves[i], uint64(i), uint64(n), m, root)
			}
			check("another leaf", other, uint64(i), uint64(n), p, root)
			check("zero leaf", entry.Hash{}, uint64(i), uint64(n), p, root)
			check("another root", leaves[i], uint64(i), uint64(n), p, other)
			check("the empty root", leaves[i], uint64(i), uint64(n), p, merkle.EmptyRoot)
			check("size 0", leaves[i], uint64(i), 0, p, root)
			check("the empty tree", leaves[i], 0, 0, nil, merkle.EmptyRoot)
			check("size too large", leaves[i], uint64(i), 1<<63, p, root)
			check("index beyond the size", leaves[i], uint64(n), uint64(n), p, root)
			for j := range n {
				if j != i {
					check(fmt.Sprint("index ", j), leaves[i], uint64(j), uint64(n), p, root)
				}
			}
		}
	}
}

// TestNoInnerNode: nothing but a leaf of the tree can be shown to be in it: no inner node at any
// index and with any part of any path.
func TestNoInnerNode(t *testing.T) {
	leaves := leafHashes(21)
	tree, _ := treeOf(leaves)
	n := uint64(21)
	root := naiveRoot(leaves)
	inner := []entry.Hash{{}, root, merkle.EmptyRoot}
	for size := 2; size <= 16; size *= 2 {
		for at := 0; at+size <= 21; at += size {
			inner = append(inner, naiveRoot(leaves[at:at+size]))
		}
	}
	for i := range n {
		p, err := proof.Inclusion(i, n, tree)
		if err != nil {
			t.Fatal(err)
		}
		for from := range len(p) + 1 {
			for to := from; to <= len(p); to++ {
				for _, h := range inner {
					for index := range n {
						if err := proof.CheckInclusion(h, index, n, p[from:to], root); err == nil {
							t.Fatalf("%x stands at index %d with steps %d to %d of index %d", h[:4], index, from, to, i)
						}
					}
				}
			}
		}
	}
}

func TestNoMutatedConsistency(t *testing.T) {
	leaves := leafHashes(20)
	tree, _ := treeOf(leaves)
	other := entry.LeafHash([]byte("other"))
	for n := 1; n <= 20; n++ {
		to := naiveRoot(leaves[:n])
		for m := range n + 1 {
			from := naiveRoot(leaves[:m])
			list, err := proof.Consistency(uint64(m), uint64(n), tree)
			if err != nil {
				t.Fatal(err)
			}
			check := func(what string, a, b uint64, from, to entry.Hash, list []entry.Hash) {
				t.Helper()
				if err := proof.CheckConsistency(a, b, from, to, list); !errors.Is(err, proof.ErrProof) {
					t.Errorf("%d to %d, %s: %v", m, n, what, err)
				}
			}
			a, b := uint64(m), uint64(n)
			check("a hash more", a, b, from, to, append(slices.Clone(list), other))
			check("a hash more in front", a, b, from, to, append([]entry.Hash{other}, list...))
			check("another old root", a, b, other, to, list)
			if m > 0 {
				check("another new root", a, b, from, other, list)
			}
			for i := range list {
				check(fmt.Sprint("dropped ", i), a, b, from, to, slices.Delete(slices.Clone(list), i, i+1))
				c := slices.Clone(list)
				c[i][0] ^= 1
				check(fmt.Sprint("bit ", i), a, b, from, to, c)
				if i > 0 {
					c := slices.Clone(list)
					c[i-1], c[i] = c[i], c[i-1]
					check(fmt.Sprint("swapped ", i), a, b, from, to, c)
				}
			}
			if m < n && m > 0 {
				check("sizes swapped", b, a, to, from, list)
				check("roots swapped", a, b, to, from, list)
				check("a fork of the same sizes", a, b, from, naiveRoot(append(slices.Clone(leaves[:n-1]), other)),
					list)
			}
		}
	}
}

// TestPathJSON: the form of SPEC 8, and nothing else.
func TestPathJSON(t *testing.T) {
	tree, _ := treeOf(leafHashes(7))
	for i := range uint64(7) {
		p, err := proof.Inclusion(i, 7, tree)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(p)
		var back proof.Path
		if err == nil {
			err = json.Unmarshal(raw, &back)
		}
		if err != nil || !slices.Equal(back, p) {
			t.Errorf("%s: %v", raw, err)
		}
	}
	if raw, err := json.Marshal(proof.Path(nil)); err != nil || string(raw) != "[]" {
		t.Errorf("a tree of one: %s, %v", raw, err)
	}
	h := entry.Hash{}.String()
	long := "[" + fmt.Sprintf(`["%s","left"]`, h)
	for range 64 {
		long += fmt.Sprintf(`,["%s","left"]`, h)
	}
	for _, bad := range []string{"null", "{}", `""`, "[[]]", `[["` + h + `"]]`, `[["` + h + `","left","x"]]`,
		`[["` + h + `","Left"]]`, `[["` + h + `",""]]`, `[["` + h[1:] + `","left"]]`, `[["` + h + `",null]]`,
		`[["A` + h[1:] + `","left"]]`, `[["left","` + h + `"]]`, `[null]`, `["` + h + `"]`, `[["` + h + `",true]]`, long + "]"} {
		var p proof.Path
		if err := json.Unmarshal([]byte(bad), &p); err == nil {
			t.Errorf("taken: %.80s", bad)
		}
	}
}

func TestPathOf(t *testing.T) {
	tree, _ := treeOf(leafHashes(13))
	for i := range uint64(13) {
		p, err := proof.Inclusion(i, 13, tree)
		if err != nil {
			t.Fatal(err)
		}
		hashes := make([]entry.Hash, len(p))
		for j, s := range p {
			hashes[j] = s.Hash
		}
		again, err := proof.PathOf(i, 13, hashes)
		if err != nil || !slices.Equal(again, p) {
			t.Errorf("index %d: %v, %v", i, again, err)
		}
		if _, err := proof.PathOf(i, 13, append(hashes, entry.Hash{})); !errors.Is(err, proof.ErrProof) {
			t.Errorf("index %d with a hash more: %v", i, err)
		}
	}
}
