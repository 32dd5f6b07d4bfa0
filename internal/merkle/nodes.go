package merkle

import (
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sealstream/sealstream/pkg/entry"
)

// Nodes returns the hash of a perfect subtree: the n-th of those with 2^level leaves. It lets a
// tree that is stored in any form serve as a tlog.HashReader, which RootAt, proof.Inclusion and
// proof.Consistency read.
type Nodes func(level int, n uint64) (entry.Hash, error)

// ReadHashes implements tlog.HashReader.
func (f Nodes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		if x < 0 {
			return nil, fmt.Errorf("no stored hash %d", x)
		}
		level, n := tlog.SplitStoredHashIndex(x)
		h, err := f(level, uint64(n))
		if err != nil {
			return nil, err
		}
		hashes[i] = tlog.Hash(h)
	}
	return hashes, nil
}

// RootAt returns the root of the tree of the given size. It reads r once.
func RootAt(size uint64, r tlog.HashReader) (entry.Hash, error) {
	if size > MaxSize {
		return entry.Hash{}, errors.New("tree size out of range")
	}
	if size == 0 {
		return EmptyRoot, nil
	}
	h, err := tlog.TreeHash(int64(size), r)
	return entry.Hash(h), err
}
