package proof_test

import (
	"testing"

	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

func BenchmarkFrontierAppend(b *testing.B) {
	var f merkle.Frontier
	h := entry.LeafHash([]byte("leaf"))
	b.ReportAllocs()
	for b.Loop() {
		f.Append(h)
	}
}

func BenchmarkFrontierRoot(b *testing.B) {
	_, f := treeOf(leafHashes(1<<16 - 1)) // sixteen subtrees
	b.ReportAllocs()
	for b.Loop() {
		f.Root()
	}
}

// BenchmarkInclusionOfAMillion: a proof takes the logarithm of the log's size (case 60 of conformance/cases_test.go).
func BenchmarkInclusionOfAMillion(b *testing.B) {
	const n = 1_000_000
	tree, f := treeOf(leafHashes(n))
	root := f.Root()
	b.Run("make", func(b *testing.B) {
		b.ReportAllocs()
		for i := uint64(0); b.Loop(); i = (i + 7919) % n {
			if _, err := proof.Inclusion(i, n, tree); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("check", func(b *testing.B) {
		p, err := proof.Inclusion(12345, n, tree)
		if err != nil {
			b.Fatal(err)
		}
		leaf, err := tree.Leaf(12345)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if err := proof.CheckInclusion(leaf, 12345, n, p, root); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkSign(b *testing.B) {
	s := signer(1)
	for b.Loop() {
		if _, err := s.Sign(1000, entry.Hash{}); err != nil {
			b.Fatal(err)
		}
	}
}
