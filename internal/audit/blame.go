package audit

import (
	"errors"

	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/sealedlog"
)

// blame names the leaf at fault if the chain breaks within a batch. If entry i names another
// previous hash than that of the entry before, one of the two was altered. If the batch's root is
// right with the hash that entry i names, it was the one before.
func (c *Chain) blame(p Parsed, i int, err error) error {
	m, ok := errors.AsType[*MismatchError](err)
	if !ok || m.What != CheckChain || i == 0 {
		return err
	}
	f := merkle.Frontier{}
	if c.any {
		if f, ok = frontierOf(c.batch); !ok {
			return err
		}
	}
	for j := range p.Entries {
		h := p.Entries[j].EntryHash
		if j == i-1 {
			h = p.Entries[i].PreviousHash
		}
		f.Append(h)
	}
	if f.Root() != p.Batch.Root {
		return err
	}
	return mismatch(m.Index-1, CheckLeaf,
		"it was altered: the entry after it and the root of its batch name another hash")
}

func frontierOf(b sealedlog.Batch) (merkle.Frontier, bool) {
	f, err := merkle.NewFrontier(b.Size, b.Frontier)
	return f, err == nil
}
