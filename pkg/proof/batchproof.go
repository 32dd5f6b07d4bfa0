package proof

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"sort"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/pkg/entry"
)

// BatchProof proves many entries of one tree at once (SPEC 8.1). It does not hold the entries:
// their leaves are hashed when it is checked.
type BatchProof struct {
	TreeSize   uint64   `json:"tree_size"`  // size of the checkpoint's tree
	Checkpoint string   `json:"checkpoint"` // the signed note
	Hashes     []string `json:"hashes"`     // hex, in the order of ProveBatch
}

// ParseBatchProof reads a batch proof without checking it. Members that SPEC 8.1 does not name are
// refused. Every error wraps ErrProof and ErrForm.
func ParseBatchProof(raw []byte) (BatchProof, error) {
	var p BatchProof
	var members map[string]json.RawMessage
	err := canonical.CheckJSON(raw, 3)
	if err == nil {
		err = errors.Join(json.Unmarshal(raw, &p), json.Unmarshal(raw, &members))
	}
	if err == nil {
		err = checkMembers(members, []string{"tree_size", "checkpoint", "hashes"})
	}
	if err != nil {
		return BatchProof{}, fmt.Errorf("%w: %w: batch proof: %w", ErrProof, ErrForm, err)
	}
	return p, nil
}

// Check proves that the entries are at their indexes in the log of the given verifier keys, and
// returns the checkpoint. Each entry must come from entry.ParseEntry, which sets its leaf. At least
// one key is required. Errors wrap ErrCheckpoint or ErrProof.
func (p BatchProof) Check(entries []entry.Entry, vkeys ...string) (Checkpoint, error) {
	c, err := openFor(p.Checkpoint, vkeys)
	if err != nil {
		return Checkpoint{}, err
	}
	return c, p.check(entries, c)
}

// check checks the proof under a checkpoint, which is the one that it names.
func (p BatchProof) check(entries []entry.Entry, c Checkpoint) error {
	if c.Size != p.TreeSize {
		return fmt.Errorf("%w: tree_size %d is not the checkpoint's %d", ErrProof, p.TreeSize, c.Size)
	}
	hashes, err := p.hashes()
	if err != nil {
		return err
	}
	indexes, leaves := leavesOf(entries)
	return CheckBatch(leaves, indexes, c.Size, hashes, c.Root)
}

func (p BatchProof) hashes() ([]entry.Hash, error) {
	hashes := make([]entry.Hash, len(p.Hashes))
	for i, s := range p.Hashes {
		var err error
		if hashes[i], err = entry.ParseHash(s); err != nil {
			return nil, fmt.Errorf("%w: %w: hashes: %w", ErrProof, ErrForm, err)
		}
	}
	return hashes, nil
}

func leavesOf(entries []entry.Entry) (indexes []uint64, leaves []entry.Hash) {
	indexes, leaves = make([]uint64, len(entries)), make([]entry.Hash, len(entries))
	for i := range entries {
		indexes[i], leaves[i] = entries[i].Index, entry.LeafHash(entries[i].Leaf)
	}
	return indexes, leaves
}

// ProveBatch proves that the leaves at the given ascending indexes are in the tree of the given
// size. It returns the hash of each largest subtree that holds none of them, from left to right.
// For indexes without gaps these are at most about 2·log2(size) hashes.
func ProveBatch(indexes []uint64, size uint64, r tlog.HashReader) ([]entry.Hash, error) {
	if err := checkIndexes(indexes, size); err != nil {
		return nil, err
	}
	hashes := []entry.Hash{}
	err := walkBatch(indexes, 0, size, func(lo, hi uint64) (err error) {
		h, err := rangeHash(lo, hi, r)
		hashes = append(hashes, h)
		return err
	}, func() {}, func(uint64, uint64, uint64) {})
	if err != nil {
		return nil, fmt.Errorf("prove %d entries in size %d: %w", len(indexes), size, err)
	}
	return hashes, nil
}

// CheckBatch checks that leaf hashes are at the given indexes in the tree of the given size and
// root. The indexes must ascend, and the number of hashes must be the one that they require, so
// that a proof of other places, or of an inner node, does not pass. Every error wraps ErrProof.
func CheckBatch(leaves []entry.Hash, indexes []uint64, size uint64, hashes []entry.Hash, root entry.Hash) error {
	leads, err := foldBatch(leaves, indexes, size, hashes, func(uint64, uint64, uint64, entry.Hash, entry.Hash) {})
	if err == nil && leads != root {
		err = fmt.Errorf("%w: the entries and hashes lead to another root", ErrProof)
	}
	return err
}

// Path returns the inclusion proof of one of the entries, which are those that the batch proof was
// checked with. The error wraps ErrProof if it is none of them.
func (p BatchProof) Path(entries []entry.Entry, index uint64) (Path, error) {
	indexes, leaves := leavesOf(entries)
	hashes, err := p.hashes()
	if err != nil {
		return nil, err
	}
	path, found := Path{}, false
	for _, x := range indexes {
		found = found || x == index
	}
	if !found {
		return nil, fmt.Errorf("%w: index %d is none of the entries", ErrProof, index)
	}
	_, err = foldBatch(leaves, indexes, p.TreeSize, hashes, func(lo, middle, hi uint64, left, right entry.Hash) {
		switch {
		case index >= lo && index < middle:
			path = append(path, Step{right, false})
		case index >= middle && index < hi:
			path = append(path, Step{left, true})
		}
	})
	if err != nil {
		return nil, err
	}
	return path, nil
}

// EntryProofs returns a proof of each of the entries, which are those that the batch proof was
// checked with. Errors wrap ErrProof.
func (p BatchProof) EntryProofs(entries []entry.Entry) ([]EntryProof, error) {
	indexes, leaves := leavesOf(entries)
	hashes, err := p.hashes()
	if err != nil {
		return nil, err
	}
	paths := make([]Path, len(entries))
	root, err := foldBatch(leaves, indexes, p.TreeSize, hashes, func(lo, middle, hi uint64, left, right entry.Hash) {
		first, _ := slices.BinarySearch(indexes, lo)
		for i := first; i < len(indexes) && indexes[i] < hi; i++ {
			step := Step{right, false}
			if indexes[i] >= middle {
				step = Step{left, true}
			}
			paths[i] = append(paths[i], step)
		}
	})
	if err != nil {
		return nil, err
	}
	list := make([]EntryProof, len(entries))
	for i, e := range entries {
		shown, err := e.MarshalJSON()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrProof, err)
		}
		list[i] = EntryProof{
			Entry: shown, Leaf: string(e.Leaf), LeafIndex: e.Index, TreeSize: p.TreeSize, MerkleProof: paths[i],
			MerkleRoot: root.String(), Checkpoint: p.Checkpoint, Verified: true,
		}
		if paths[i] == nil {
			list[i].MerkleProof = Path{}
		}
	}
	return list, nil
}

// Prefix returns the root that the tree had at an earlier size, if the hashes of the proof and the
// entries are enough to compute it. The entries are those that the proof was checked with. They are
// enough if size is the index of the first of them, or if all up to size are among them. The
// checkpoint of that size and root is then consistent with that of the proof.
func (p BatchProof) Prefix(entries []entry.Entry, size uint64) (root entry.Hash, ok bool) {
	if size == 0 || size >= p.TreeSize {
		return root, false
	}
	indexes, leaves := leavesOf(entries)
	hashes, err := p.hashes()
	if err != nil {
		return root, false
	}
	edge, known := make([]entry.Hash, bits.OnesCount64(size)), 0
	take := func(lo, hi uint64, h entry.Hash) {
		// one of the perfect subtrees of the tree of that size
		if width := hi - lo; width&(width-1) == 0 && size&width != 0 && lo == size&^(2*width-1) {
			edge[bits.OnesCount64(lo)] = h
			known++
		}
	}
	_, err = foldBatch(leaves, indexes, p.TreeSize, hashes, func(lo, middle, hi uint64, left, right entry.Hash) {
		take(lo, middle, left)
		take(middle, hi, right)
	})
	if err != nil || known < len(edge) {
		return root, false
	}
	f, err := merkle.NewFrontier(size, edge)
	return f.Root(), err == nil
}

// foldBatch returns the root that the leaves and hashes lead to. It calls join for each subtree
// that holds one of the indexes, with its two halves. A subtree comes after those in it.
func foldBatch(
	leaves []entry.Hash,
	indexes []uint64,
	size uint64,
	hashes []entry.Hash,
	join func(lo, middle, hi uint64, left, right entry.Hash),
) (root entry.Hash, err error) {
	if err := checkIndexes(indexes, size); err != nil {
		return root, err
	}
	if len(leaves) != len(indexes) {
		return root, fmt.Errorf("%w: %d leaves for %d indexes", ErrProof, len(leaves), len(indexes))
	}
	var stack []entry.Hash
	take := func(from *[]entry.Hash) {
		stack, *from = append(stack, (*from)[0]), (*from)[1:]
	}
	err = walkBatch(indexes, 0, size, func(lo, hi uint64) error {
		if len(hashes) == 0 {
			return fmt.Errorf("%w: no hash is left for leaves %d to %d", ErrProof, lo, hi-1)
		}
		take(&hashes)
		return nil
	}, func() { take(&leaves) }, func(lo, middle, hi uint64) {
		last := len(stack) - 1
		join(lo, middle, hi, stack[last-1], stack[last])
		stack = append(stack[:last-1], merkle.NodeHash(stack[last-1], stack[last]))
	})
	switch {
	case err != nil:
		return root, err
	case len(hashes) > 0:
		return root, fmt.Errorf("%w: %d hashes too many", ErrProof, len(hashes))
	}
	return stack[0], nil
}

func checkIndexes(indexes []uint64, size uint64) error {
	if size == 0 || size > merkle.MaxSize {
		return fmt.Errorf("%w: a tree of size %d", ErrProof, size)
	}
	for i, x := range indexes {
		if x >= size {
			return fmt.Errorf("%w: index %d in a tree of size %d", ErrProof, x, size)
		}
		if i > 0 && x <= indexes[i-1] {
			return fmt.Errorf("%w: index %d after %d", ErrProof, x, indexes[i-1])
		}
	}
	return nil
}

// walkBatch visits the tree over leaves lo to hi in the order in which its hashes are needed. It
// calls without for a largest subtree that holds none of the indexes, leaf for each index, and join
// after both halves of any other subtree.
func walkBatch(
	indexes []uint64,
	lo, hi uint64,
	without func(lo, hi uint64) error,
	leaf func(),
	join func(lo, middle, hi uint64),
) error {
	switch {
	case len(indexes) == 0:
		return without(lo, hi)
	case hi-lo == 1:
		leaf()
		return nil
	}
	middle := lo + split(hi-lo)
	n := sort.Search(len(indexes), func(i int) bool { return indexes[i] >= middle })
	if err := walkBatch(indexes[:n], lo, middle, without, leaf, join); err != nil {
		return err
	}
	if err := walkBatch(indexes[n:], middle, hi, without, leaf, join); err != nil {
		return err
	}
	join(lo, middle, hi)
	return nil
}

// split returns the largest power of two below n, which must be at least 2 (RFC 6962 section 2.1).
func split(n uint64) uint64 { return 1 << (bits.Len64(n-1) - 1) }

// rangeHash returns the hash of the subtree over leaves lo to hi. Only subtrees at the right edge
// of the tree are not perfect.
func rangeHash(lo, hi uint64, r tlog.HashReader) (entry.Hash, error) {
	var roots []int64
	for lo < hi {
		level := bits.Len64(hi-lo) - 1
		roots = append(roots, tlog.StoredHashIndex(level, int64(lo>>level)))
		lo += 1 << level
	}
	list, err := r.ReadHashes(roots)
	if err != nil {
		return entry.Hash{}, err
	}
	h := entry.Hash(list[len(list)-1])
	for i := len(list) - 2; i >= 0; i-- {
		h = merkle.NodeHash(entry.Hash(list[i]), h)
	}
	return h, nil
}
