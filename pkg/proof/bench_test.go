package proof_test

import (
	"testing"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

func BenchmarkFrontierAppend(b *testing.B) {
	var f proof.Frontier
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

// BenchmarkInclusionOfAMillion: a proof takes the logarithm of the log's size (case 60 of pkg/cases_test.go).
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
	s := signer(b, 1)
	for b.Loop() {
		if _, err := s.Sign(1000, entry.Hash{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkChainNext reads a log batch by batch, 128 entries each, and tells of entries.
func BenchmarkChainNext(b *testing.B) {
	w := newWriter(b)
	for seq := uint64(2); seq < 66; seq++ {
		for p := range uint64(128) {
			w.plain(seq, p)
		}
		w.cut(seq, proof.PlaceEnd)
	}
	key := w.signer.VerifierKey()
	entries := 0
	b.ReportAllocs()
	for b.Loop() {
		c := proof.NewChain(key)
		for _, m := range w.sealed {
			list, err := c.Next(m)
			if err != nil {
				b.Fatal(err)
			}
			entries += len(list)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(entries), "ns/entry")
}
