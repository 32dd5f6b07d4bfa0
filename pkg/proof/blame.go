package proof

import (
	"errors"

	"github.com/sealstream/sealstream/pkg/entry"
)

// blame names the leaf at fault where the chain breaks within a batch. That entry i is chained to another entry than the one before it
// says that one of the two was altered. If the batch's root is right with the hash that entry i names, it was the one before.
func (c *Chain) blame(p Parsed, i int, err error) error {
	m, ok := errors.AsType[*MismatchError](err)
	if !ok || m.What != "chain" || i == 0 {
		return err
	}
	f := Frontier{}
	if c.any {
		if f, ok = frontierOf(c.batch); !ok {
			return err
		}
	}
	for j := range p.Entries {
		text := p.Entries[j].EntryHash
		if j == i-1 {
			text = p.Entries[i].PreviousHash
		}
		h, bad := entry.ParseHash(text)
		if bad != nil {
			return err
		}
		f.Append(h)
	}
	if f.Root() != p.Batch.Root {
		return err
	}
	return mismatch(m.Index-1, "leaf", "it was altered: the entry after it and the root of its batch name another hash")
}

func frontierOf(b Batch) (Frontier, bool) {
	f, err := NewFrontier(b.Size, b.Frontier)
	return f, err == nil
}
