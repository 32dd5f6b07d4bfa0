package query

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/bits"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Tile is a tile of hashes or an entry bundle (c2sp.org/tlog-tiles), of any width that the log has. Its bytes are always those of the tree
// that was verified here: what TILES and SEALED hold is compared with it. ErrNotFound says that the log is not that long.
func (q *Query) Tile(ctx context.Context, t proof.Tile) ([]byte, error) {
	return q.encodedTile(ctx, t, false)
}

// encodedTile is Tile, perhaps under gzip. What was made once is kept for a while: it can never be another.
func (q *Query) encodedTile(ctx context.Context, t proof.Tile, compress bool) ([]byte, error) {
	snap, _, err := q.view(Filter{})
	if err != nil {
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

func (r reader) tile(ctx context.Context, t proof.Tile) ([]byte, error) {
	switch {
	case t.Level > 0:
		return r.upper(ctx, t)
	case t.Level == 0 && t.Width == proof.TileWidth:
		if b := r.kept(ctx, t); b != nil {
			return b, nil
		}
	}
	leaves, hashes, err := r.stretch(ctx, t.First(), t.First()+uint64(t.Width))
	if err != nil {
		return nil, err
	}
	if t.Level == 0 {
		return proof.FormatTile(hashes), nil
	}
	size := 0
	for _, leaf := range leaves {
		size += 2 + len(leaf)
	}
	b := make([]byte, 0, size)
	for _, leaf := range leaves {
		b = proof.AppendBundle(b, leaf)
	}
	return b, nil
}

// upper makes a tile above the lowest level from the nodes of the tree.
func (r reader) upper(ctx context.Context, t proof.Tile) ([]byte, error) {
	row, node := make([]entry.Hash, t.Width), r.nodes(ctx)
	for i := range row {
		var err error
		if row[i], err = node(8*t.Level, t.First()+uint64(i)); err != nil {
			return nil, err
		}
	}
	return proof.FormatTile(row), nil
}

// kept reads a full tile of leaf hashes from TILES, which is derived: one that is not there, or is not the log's, is made from the leaves.
func (r reader) kept(ctx context.Context, t proof.Tile) []byte {
	value, _, err := r.cfg.Log.Tiles.Get(ctx, r.cfg.Log.Name+"/"+t.Path())
	if err != nil {
		return nil
	}
	row, err := proof.ParseTile(value, t.Width)
	if err == nil {
		if err = r.agree(ctx, t.First(), row); err != nil && !errors.Is(err, errDiffers) {
			return nil // trouble of the store
		}
	}
	if err != nil {
		r.log.ErrorContext(ctx, "a tile in TILES differs from the log; serving it from the leaves", "log", r.cfg.Log.Name, "tile", t.Path(), "cause", err)
		return nil
	}
	return value
}

// stretch reads the leaves of indexes from first to below end, and their hashes. All of them are compared with the tree together.
func (r reader) stretch(ctx context.Context, first, end uint64) (leaves [][]byte, hashes []entry.Hash, err error) {
	leaves, hashes = make([][]byte, 0, end-first), make([]entry.Hash, 0, end-first)
	for x := first; x < end; {
		ref, over := r.batchOf(x)
		m, err := r.sealed(ctx, ref)
		if err != nil {
			return nil, nil, err
		}
		lines := bytes.Split(bytes.TrimSuffix(m.body, []byte("\n")), []byte("\n"))
		over = min(over, end)
		if ref.first+uint64(len(lines)) < over {
			return nil, nil, r.other(x)
		}
		leaves, x = append(leaves, lines[x-ref.first:over-ref.first]...), over
	}
	for _, leaf := range leaves {
		hashes = append(hashes, entry.LeafHash(leaf))
	}
	if err = r.agree(ctx, first, hashes); errors.Is(err, errDiffers) {
		err = r.other(r.firstOther(ctx, first, hashes))
	}
	return leaves, hashes, err
}

// other is the error of a message that has changed since it was verified.
func (r reader) other(index uint64) error {
	ref, _ := r.batchOf(index)
	r.cache.drop(cacheKey{seq: ref.seq})
	return corrupt(index, "leaf", "SEALED sequence %d holds another leaf than the one that was verified", ref.seq)
}

var errDiffers = errors.New("not the hashes of the tree")

// agree compares the hashes of leaves from first on with the tree, by the largest subtrees that they make.
func (r reader) agree(ctx context.Context, first uint64, hashes []entry.Hash) error {
	node := r.nodes(ctx)
	for len(hashes) > 0 {
		level := min(bits.TrailingZeros64(first), bits.Len(uint(len(hashes)))-1)
		want, err := node(level, first>>level)
		if err != nil {
			return err
		}
		n := 1 << level
		if proof.PerfectRoot(hashes[:n]) != want {
			return fmt.Errorf("indexes %d to %d: %w", first, first+uint64(n)-1, errDiffers)
		}
		first, hashes = first+uint64(n), hashes[n:]
	}
	return nil
}

// firstOther is the first index whose hash is not that of the tree, or cannot be compared with it.
func (r reader) firstOther(ctx context.Context, first uint64, hashes []entry.Hash) uint64 {
	node := r.nodes(ctx)
	for i, h := range hashes {
		if want, err := node(0, first+uint64(i)); err != nil || want != h {
			return first + uint64(i)
		}
	}
	return first
}
