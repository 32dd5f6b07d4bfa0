package merkle_test

import (
	"fmt"
	"testing"

	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/pkg/entry"
)

// TestFrontierSubtrees: a frontier gives the perfect subtrees that it has, no others, and those that
// its next leaf completes.
func TestFrontierSubtrees(t *testing.T) {
	var tree merkle.Tree
	var f merkle.Frontier
	for size := range uint64(130) {
		own := map[string]bool{}
		for end, level := size, 0; level < 8; level++ {
			if end>>level&1 == 1 {
				own[fmt.Sprint(level, end>>level-1)] = true
			}
		}
		for level := range 9 {
			for n := range uint64(131) {
				h, ok := f.Subtree(level, n)
				if ok != own[fmt.Sprint(level, n)] {
					t.Fatalf("size %d, level %d, %d: %v", size, level, n, ok)
				}
				if want, err := tree.Node(level, n); ok && (err != nil || h != want) {
					t.Fatalf("size %d, level %d, %d: another hash", size, level, n)
				}
			}
		}
		leaf := entry.LeafHash(fmt.Appendf(nil, "%d", size))
		tree.Append(leaf)
		for level := 0; (size+1)%(1<<level) == 0; level++ {
			if want, err := tree.Node(level, size>>level); err != nil || f.Completed(level, leaf) != want {
				t.Fatalf("leaf %d completes another subtree of level %d: %v", size, level, err)
			}
			if level == 8 {
				break
			}
		}
		f.Append(leaf)
	}
}
