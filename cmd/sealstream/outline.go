package main

import (
	"encoding/json"
	"errors"
	"slices"

	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/pkg/entry"
)

// maxOutline is the largest number of blocks of an outline: 64 KiB of hashes.
const maxOutline = 2048

// outline summarizes a tree: the root of each full block of 2^level leaves, and the frontier of the
// leaves after the last full block. It is remembered of each log that was verified, so that an
// older copy can be compared with it: entry by entry up to maxOutline entries, block by block
// beyond. The zero outline is that of the empty tree.
type outline struct {
	size   uint64          // leaves of the tree
	level  uint            // a block has 2^level leaves
	blocks []entry.Hash    // roots of the full blocks
	rest   merkle.Frontier // leaves after the last full block
}

// append adds the next leaf hash.
func (o *outline) append(h entry.Hash) {
	o.rest.Append(h)
	o.size++
	if o.rest.Size() < 1<<o.level {
		return
	}
	o.blocks, o.rest = append(o.blocks, o.rest.Root()), merkle.Frontier{}
	if len(o.blocks) == maxOutline {
		o.raise(o.level + 1)
	}
}

// raise merges pairs of blocks until they are of a higher level. A block without a partner goes to
// the start of the rest.
func (o *outline) raise(level uint) {
	for ; o.level < level; o.level++ {
		var pairs []entry.Hash
		for pair := range slices.Chunk(o.blocks, 2) {
			if len(pair) == 2 {
				pairs = append(pairs, merkle.PerfectRoot(pair))
			} else {
				rest, err := merkle.NewFrontier(1<<o.level+o.rest.Size(), append(pair, o.rest.Hashes()...))
				if err != nil {
					panic(err) // cannot happen: the rest is shorter than a block
				}
				o.rest = rest
			}
		}
		o.blocks = pairs
	}
}

// root returns the root of the tree's prefix of a size. It returns false if the size is not a
// multiple of the blocks, or is larger than the tree.
func (o *outline) root(size uint64) (root entry.Hash, ok bool) {
	full, rest := size>>o.level, merkle.Frontier{}
	if full<<o.level != size && size != o.size || full > uint64(len(o.blocks)) {
		return root, false
	}
	if size == o.size {
		rest = o.rest
	}
	var hashes []entry.Hash
	for at, bit := uint64(0), uint(63); at < full; bit-- {
		if n := uint64(1) << bit; full&n != 0 {
			hashes = append(hashes, merkle.PerfectRoot(o.blocks[at:at+n]))
			at += n
		}
	}
	f, err := merkle.NewFrontier(size, append(hashes, rest.Hashes()...))
	return f.Root(), err == nil
}

// compare compares the outline with that of an older copy. compared is the number of entries that
// are known to be the same. If same is false, at is the first index of the first block that
// differs.
func (o *outline) compare(older *outline) (compared, at uint64, same bool) {
	a, b := *o, *older
	a.raise(b.level)
	b.raise(a.level)
	n := min(len(a.blocks), len(b.blocks))
	for i := range n {
		if a.blocks[i] != b.blocks[i] {
			return 0, uint64(i) << a.level, false
		}
	}
	return uint64(n) << a.level, 0, true
}

// outlineJSON is the form of an outline in the state file.
type outlineJSON struct {
	Size   uint64 `json:"size"`
	Level  uint   `json:"level"`
	Blocks []byte `json:"blocks"` // hashes, concatenated
	Rest   []byte `json:"rest"`   // hashes of the frontier, concatenated
}

// MarshalJSON implements json.Marshaler.
func (o *outline) MarshalJSON() ([]byte, error) {
	return json.Marshal(outlineJSON{o.size, o.level, join(o.blocks), join(o.rest.Hashes())})
}

// UnmarshalJSON implements json.Unmarshaler.
func (o *outline) UnmarshalJSON(raw []byte) (err error) {
	var j outlineJSON
	if err := json.Unmarshal(raw, &j); err != nil {
		return err
	}
	rest, blocks := split(j.Rest), split(j.Blocks)
	if j.Level > 52 || len(blocks) > maxOutline || j.Size>>j.Level != uint64(len(blocks)) {
		return errors.New("outline: its number of blocks does not fit its size")
	}
	*o = outline{size: j.Size, level: j.Level, blocks: blocks}
	o.rest, err = merkle.NewFrontier(j.Size-uint64(len(blocks))<<j.Level, rest)
	return err
}

func join(hashes []entry.Hash) []byte {
	raw := make([]byte, 0, len(hashes)*len(entry.Hash{}))
	for _, h := range hashes {
		raw = append(raw, h[:]...)
	}
	return raw
}

// split leaves out an incomplete hash at the end. UnmarshalJSON then finds one too few.
func split(raw []byte) (hashes []entry.Hash) {
	for n := len(entry.Hash{}); len(raw) >= n; raw = raw[n:] {
		hashes = append(hashes, entry.Hash(raw[:n]))
	}
	return hashes
}
