package proof

import (
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/pkg/entry"
)

// ErrProof is wrapped by every error of a proof that does not hold.
var ErrProof = errors.New("proof does not hold")

// ErrForm reports a proof that is malformed. Errors that wrap it wrap ErrProof, too.
var ErrForm = errors.New("malformed")

// Step is one sibling on the way from a leaf to the root.
type Step struct {
	Hash entry.Hash // hash of the sibling
	Left bool       // whether the sibling is on the left
}

// Path is an inclusion proof: the siblings from the leaf up to the root. Its JSON is [[hex,
// "left"|"right"], …] (SPEC 8), and [] in a tree of one leaf.
type Path []Step

// MarshalJSON writes the form of SPEC 8.
func (p Path) MarshalJSON() ([]byte, error) {
	list := make([][2]string, len(p))
	for i, s := range p {
		list[i] = [2]string{s.Hash.String(), "right"}
		if s.Left {
			list[i][1] = "left"
		}
	}
	return json.Marshal(list)
}

// UnmarshalJSON reads the form of SPEC 8 and refuses any other.
func (p *Path) UnmarshalJSON(raw []byte) error {
	var list [][]string
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	if list == nil {
		return errors.New("merkle_proof is null")
	}
	if len(list) > 64 {
		return errors.New("merkle_proof has more than 64 steps")
	}
	*p = make(Path, len(list))
	for i, s := range list {
		if len(s) != 2 || s[1] != "left" && s[1] != "right" {
			return fmt.Errorf("merkle_proof step %d is not [hash, left or right]", i)
		}
		h, err := entry.ParseHash(s[0])
		if err != nil {
			return fmt.Errorf("merkle_proof step %d: %w", i, err)
		}
		(*p)[i] = Step{h, s[1] == "left"}
	}
	return nil
}

// sides reports for each step of index's path in a tree of size whether the sibling is on the left.
func sides(index, size uint64) []bool {
	var down []bool
	for lo, hi := uint64(0), size; hi-lo > 1; {
		k := uint64(1)
		for k*2 < hi-lo {
			k *= 2
		}
		if index < lo+k {
			down, hi = append(down, false), lo+k
		} else {
			down, lo = append(down, true), lo+k
		}
	}
	for i, j := 0, len(down)-1; i < j; i, j = i+1, j-1 {
		down[i], down[j] = down[j], down[i]
	}
	return down
}

func checkRange(index, size uint64) error {
	if size == 0 || size > merkle.MaxSize || index >= size {
		return fmt.Errorf("%w: index %d in a tree of size %d", ErrProof, index, size)
	}
	return nil
}

// Inclusion proves that the leaf at index is in the tree of the given size. It reads r once, for
// about log2(size) hashes.
func Inclusion(index, size uint64, r tlog.HashReader) (Path, error) {
	if err := checkRange(index, size); err != nil {
		return nil, err
	}
	hashes, err := tlog.ProveRecord(int64(size), int64(index), r)
	if err != nil {
		return nil, fmt.Errorf("prove index %d in size %d: %w", index, size, err)
	}
	return pathOf(index, size, hashList(hashes))
}

// pathOf gives the hashes of an inclusion proof the sides that follow from index and size.
func pathOf(index, size uint64, hashes []entry.Hash) (Path, error) {
	left := sides(index, size)
	if len(left) != len(hashes) {
		return nil, fmt.Errorf(
			"%w: %d hashes where index %d in size %d needs %d",
			ErrProof,
			len(hashes),
			index,
			size,
			len(left),
		)
	}
	p := make(Path, len(hashes))
	for i, h := range hashes {
		p[i] = Step{h, left[i]}
	}
	return p, nil
}

// CheckInclusion checks that a leaf hash is at index in the tree of the given size and root. Number
// and sides of the steps must be those that index and size require, so that a proof of another
// place, or of an inner node, does not pass. Every error wraps ErrProof.
func CheckInclusion(leafHash entry.Hash, index, size uint64, p Path, root entry.Hash) error {
	if err := checkRange(index, size); err != nil {
		return err
	}
	left := sides(index, size)
	if len(left) != len(p) {
		return fmt.Errorf("%w: %d steps where index %d in size %d needs %d", ErrProof, len(p), index, size, len(left))
	}
	hashes := make(tlog.RecordProof, len(p))
	for i, s := range p {
		if s.Left != left[i] {
			return fmt.Errorf("%w: step %d stands on the wrong side", ErrProof, i)
		}
		hashes[i] = tlog.Hash(s.Hash)
	}
	if err := tlog.CheckRecord(hashes, int64(size), tlog.Hash(root), int64(index), tlog.Hash(leafHash)); err != nil {
		return fmt.Errorf("%w: index %d is not in the tree of size %d and this root", ErrProof, index, size)
	}
	return nil
}

// Check checks only that the path leads from entryHash to root. It says nothing about index and
// size. Where they are known, use CheckInclusion, which checks more. Every error wraps ErrProof.
func (p Path) Check(entryHash, root entry.Hash) error {
	h := entryHash
	for _, s := range p {
		if s.Left {
			h = merkle.NodeHash(s.Hash, h)
		} else {
			h = merkle.NodeHash(h, s.Hash)
		}
	}
	if h != root {
		return fmt.Errorf("%w: the steps lead to %s, not to the root", ErrProof, h.String())
	}
	return nil
}

// Consistency proves that the tree of size from is a prefix of the tree of size to. It reads r
// once, for about log2(to) hashes.
func Consistency(from, to uint64, r tlog.HashReader) ([]entry.Hash, error) {
	if from > to || to > merkle.MaxSize {
		return nil, fmt.Errorf("%w: sizes %d to %d", ErrProof, from, to)
	}
	if from == 0 || from == to {
		return []entry.Hash{}, nil
	}
	hashes, err := tlog.ProveTree(int64(to), int64(from), r)
	if err != nil {
		return nil, fmt.Errorf("prove size %d in size %d: %w", from, to, err)
	}
	return hashList(hashes), nil
}

func hashList(hashes []tlog.Hash) []entry.Hash {
	list := make([]entry.Hash, len(hashes))
	for i, h := range hashes {
		list[i] = entry.Hash(h)
	}
	return list
}

// CheckConsistency checks that the tree of size from and fromRoot is a prefix of the tree of size
// to and toRoot. The empty tree is a prefix of every tree, but fromRoot must then be the empty root
// (RFC 6962 section 2.1). Every error wraps ErrProof.
func CheckConsistency(from, to uint64, fromRoot, toRoot entry.Hash, proof []entry.Hash) error {
	switch {
	case from > to || to > merkle.MaxSize:
		return fmt.Errorf("%w: sizes %d to %d", ErrProof, from, to)
	case from == 0 && (fromRoot != merkle.EmptyRoot || len(proof) != 0):
		return fmt.Errorf("%w: size 0 has the empty root and the empty proof", ErrProof)
	case from == to && (fromRoot != toRoot || len(proof) != 0):
		return fmt.Errorf("%w: two roots for size %d, or a proof where none is needed", ErrProof, to)
	case from == 0 || from == to:
		return nil
	}
	hashes := make(tlog.TreeProof, len(proof))
	for i, h := range proof {
		hashes[i] = tlog.Hash(h)
	}
	if err := tlog.CheckTree(hashes, int64(to), tlog.Hash(toRoot), int64(from), tlog.Hash(fromRoot)); err != nil {
		return fmt.Errorf("%w: size %d with this root is not a prefix of size %d", ErrProof, from, to)
	}
	return nil
}
