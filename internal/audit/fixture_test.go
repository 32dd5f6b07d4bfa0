package audit_test

import (
	"github.com/sealstream/sealstream/internal/logtest/keytest"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// signer is a log's signer whose key is made of one byte.
func signer(fill byte) *proof.Signer { return keytest.Fixed("log.example", "default", fill) }

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
