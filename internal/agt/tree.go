package agt

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// padding stands where the toolkit's tree has no leaf.
var padding = strings.Repeat("0", 64)

// Step is one sibling of a proof, from the leaf up.
type Step struct {
	Hash string
	Left bool // the sibling stands on the left
}

// parent hashes the hexadecimal text of two nodes: no byte tells a leaf from an inner node, which
// is why an inner node passes for an entry.
func parent(left, right string) string {
	h := sha256.Sum256([]byte(left + right))
	return hex.EncodeToString(h[:])
}

// levels are the tree's nodes from the leaves up. The toolkit has two trees: the one that grows
// with each entry puts the padding itself at every level, the one that is built anew hashes it.
func levels(leaves []string, anew bool) [][]string {
	width := 1
	for width < len(leaves) {
		width *= 2
	}
	pad, all := padding, [][]string{leaves}
	for ; width > 1; width /= 2 {
		below := all[len(all)-1]
		above := make([]string, 0, (len(below)+1)/2)
		for i := 0; i < len(below); i += 2 {
			right := pad
			if i+1 < len(below) {
				right = below[i+1]
			}
			above = append(above, parent(below[i], right))
		}
		if anew {
			pad = parent(pad, pad)
		}
		all = append(all, above)
	}
	return all
}

// Root is the root over entry hashes that the toolkit's tree has once they were added one by one;
// "" for none.
func Root(entryHashes []string) string { return root(entryHashes, false) }

// RebuiltRoot is the root that the same class gives when it builds its tree anew. For most sizes it
// is another one.
func RebuiltRoot(entryHashes []string) string { return root(entryHashes, true) }

func root(entryHashes []string, anew bool) string {
	if len(entryHashes) == 0 {
		return ""
	}
	all := levels(entryHashes, anew)
	return all[len(all)-1][0]
}

// Proof is the toolkit's proof of the entry at an index, against Root; nil if there is no such
// entry.
func Proof(entryHashes []string, index int) []Step {
	if index < 0 || index >= len(entryHashes) {
		return nil
	}
	all := levels(entryHashes, false)
	proof := []Step{}
	for _, level := range all[:len(all)-1] {
		sibling := padding
		if s := index ^ 1; s < len(level) {
			sibling = level[s]
		}
		proof = append(proof, Step{sibling, index%2 == 1})
		index /= 2
	}
	return proof
}

// CheckProof says whether a proof leads from an entry hash to a root. That is all it says: the
// toolkit's proofs name neither index nor size, and an inner node passes for an entry.
func CheckProof(entryHash string, proof []Step, root string) bool {
	h := entryHash
	for _, s := range proof {
		if s.Left {
			h = parent(s.Hash, h)
		} else {
			h = parent(h, s.Hash)
		}
	}
	return h == root
}
