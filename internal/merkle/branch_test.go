package merkle_test

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// TestBranch: the branch of every split of every small tree has the root and the proofs of the whole
// tree, and knows nothing else.
func TestBranch(t *testing.T) {
	const most = 70
	var whole merkle.Tree
	var leaves []entry.Hash
	for i := range most {
		leaves = append(leaves, sha256.Sum256(fmt.Append(nil, i)))
		whole.Append(leaves[i])
	}
	for first := range uint64(most) {
		var before merkle.Frontier
		for _, h := range leaves[:first] {
			before.Append(h)
		}
		for size := first + 1; size <= most; size++ {
			b := merkle.NewBranch(before, leaves[first:size])
			root, err := merkle.RootAt(size, merkle.Nodes(b.Node))
			if want, _ := whole.Root(size); err != nil || root != want || b.Size() != size {
				t.Fatalf("%d leaves behind %d: root %s, %v", size-first, first, root, err)
			}
			all := span(first, size)
			for _, indexes := range [][]uint64{all[:1], all[len(all)-1:], all[len(all)/2:][:1], all, all[:1+len(all)/2]} {
				hashes, err := proof.ProveBatch(indexes, size, merkle.Nodes(b.Node))
				want, _ := proof.ProveBatch(indexes, size, &whole)
				if err != nil || fmt.Sprint(hashes) != fmt.Sprint(want) {
					t.Fatalf("%d leaves behind %d, %v: %v %v, want %v", size-first, first, indexes, hashes, err, want)
				}
			}
			if first > 1 {
				if _, err := b.Node(0, first-2); err == nil {
					t.Fatalf("a leaf before %d is known", first)
				}
			}
		}
	}
}

func span(from, to uint64) (list []uint64) {
	for x := from; x < to; x++ {
		list = append(list, x)
	}
	return list
}
