package query

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/bits"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
)

// Tile returns a tile of hashes or an entry bundle (c2sp.org/tlog-tiles), of any width that the log
// has. Its bytes are always those of the verified tree: what SEALED and the files hold is compared
// with it. The error wraps ErrNotFound if the log is too short.
func (q *Query) Tile(ctx context.Context, t merkle.Tile) ([]byte, error) {
	return q.encodedTile(ctx, t, false)
}

// encodedTile is Tile, optionally compressed with gzip. It caches tiles, which never change.
func (q *Query) encodedTile(ctx context.Context, t merkle.Tile, compress bool) ([]byte, error) {
	snap, _, err := q.view(ctx, api.Filter{})
	if err != nil {
		return nil, err
	}
	if err := q.reader(snap).mustShowTile(ctx, t); err != nil {
		return nil, err
	}
	if !t.In(snap.size) {
		return nil, fmt.Errorf("%s: %w in a log of %d entries", t.Path(), ErrNotFound, snap.size)
	}
	key := tileKey{t, compress}
	if b, there := q.tiles.get(key); there {
		return b, nil
	}
	b, err := q.reader(snap).tile(ctx, t)
	if err != nil {
		return nil, q.remember(err)
	}
	if compress {
		b = compressed(b)
	}
	q.tiles.put(key, b)
	return b, nil
}

// mustShowTile returns an error if the caller may not have a tile or a bundle.
func (r reader) mustShowTile(ctx context.Context, t merkle.Tile) error {
	switch {
	case r.sight == nil:
		return nil
	case t.Level == merkle.BundleLevel:
		return errReadAll
	}
	if err := r.may(ctx, access.Proof); err != nil {
		return err
	}
	h, err := r.hidden(ctx)
	for i := range uint64(t.Width) {
		if err == nil && h.node(8*t.Level, t.First()+i) {
			err = errGuess
		}
	}
	return err
}

func (r reader) tile(ctx context.Context, t merkle.Tile) ([]byte, error) {
	switch {
	case t.Level > 0:
		return r.upper(ctx, t)
	case t.Level == 0:
		if hashes := r.hashesInFiles(t.First(), t.First()+uint64(t.Width)); hashes != nil {
			return merkle.FormatTile(hashes), nil
		}
	}
	leaves, hashes, err := r.leafRange(ctx, t.First(), t.First()+uint64(t.Width))
	if err != nil {
		return nil, err
	}
	if t.Level == 0 {
		return merkle.FormatTile(hashes), nil
	}
	size := 0
	for _, leaf := range leaves {
		size += 2 + len(leaf)
	}
	b := make([]byte, 0, size)
	for _, leaf := range leaves {
		b = merkle.AppendBundle(b, leaf)
	}
	return b, nil
}

// upper makes a tile above the lowest level from the nodes of the tree.
func (r reader) upper(ctx context.Context, t merkle.Tile) ([]byte, error) {
	row, node := make([]entry.Hash, t.Width), r.nodes(ctx)
	for i := range row {
		var err error
		if row[i], err = node(8*t.Level, t.First()+uint64(i)); err != nil {
			return nil, err
		}
	}
	return merkle.FormatTile(row), nil
}

// leafRange reads the leaves from first to before end, and their hashes. It compares all of them
// with the tree at once.
func (r reader) leafRange(ctx context.Context, first, end uint64) (leaves [][]byte, hashes []entry.Hash, err error) {
	leaves, hashes = make([][]byte, 0, end-first), make([]entry.Hash, 0, end-first)
	for x := first; x < end; {
		if list := r.leavesInFiles(x, end); len(list) > 0 {
			leaves, x = append(leaves, list...), x+uint64(len(list))
			continue
		}
		ref, over := r.batchOf(x)
		m, err := r.sealed(ctx, ref)
		if err != nil {
			return nil, nil, err
		}
		lines := bytes.Split(bytes.TrimSuffix(m.body, []byte("\n")), []byte("\n"))
		over = min(over, end)
		if ref.first+uint64(len(lines)) < over {
			return nil, nil, r.changedLeaf(x)
		}
		leaves, x = append(leaves, lines[x-ref.first:over-ref.first]...), over
	}
	for _, leaf := range leaves {
		hashes = append(hashes, entry.LeafHash(leaf))
	}
	if err = r.checkHashes(ctx, first, hashes); errors.Is(err, errDiffers) {
		err = r.changedLeaf(r.firstChanged(ctx, first, hashes))
	}
	return leaves, hashes, err
}

// changedLeaf returns the error for a message that has changed since it was verified.
func (r reader) changedLeaf(index uint64) error {
	ref, _ := r.batchOf(index)
	r.cache.drop(cacheKey{seq: ref.seq})
	return corrupt(index, "leaf", "SEALED sequence %d holds another leaf than the one that was verified", ref.seq)
}

var errDiffers = errors.New("not the hashes of the tree")

// checkHashes compares the hashes of leaves from first on with the tree, by the largest subtrees
// that they make.
func (r reader) checkHashes(ctx context.Context, first uint64, hashes []entry.Hash) error {
	node := r.nodes(ctx)
	for len(hashes) > 0 {
		level := min(bits.TrailingZeros64(first), bits.Len(uint(len(hashes)))-1)
		want, err := node(level, first>>level)
		if err != nil {
			return err
		}
		n := 1 << level
		if merkle.PerfectRoot(hashes[:n]) != want {
			return fmt.Errorf("indexes %d to %d: %w", first, first+uint64(n)-1, errDiffers)
		}
		first, hashes = first+uint64(n), hashes[n:]
	}
	return nil
}

// firstChanged returns the first index whose hash differs from the tree, or cannot be compared with
// it.
func (r reader) firstChanged(ctx context.Context, first uint64, hashes []entry.Hash) uint64 {
	node := r.nodes(ctx)
	for i, h := range hashes {
		if want, err := node(0, first+uint64(i)); err != nil || want != h {
			return first + uint64(i)
		}
	}
	return first
}
