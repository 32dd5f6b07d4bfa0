package merkle

import "github.com/sealstream/sealstream/pkg/entry"

// TileRows makes the tiles of a tree leaf by leaf. For each level it keeps the hashes of the tile
// that is not full yet. The zero TileRows is that of an empty tree.
type TileRows struct{ rows [][]entry.Hash }

// Add adds the n-th hash of a level. Level 0 takes the hashes of leaves. Add calls full for the
// tile that the hash completes, and then for the tiles above that this completes, lowest first.
// After an error of full nothing has changed, and the same hash may be added again.
func (r *TileRows) Add(level int, n uint64, h entry.Hash, full func(t Tile, row []entry.Hash) error) error {
	for len(r.rows) <= level {
		r.rows = append(r.rows, make([]entry.Hash, 0, TileWidth))
	}
	row := append(r.rows[level], h)
	if len(row) == TileWidth {
		if err := full(Tile{level, n / TileWidth, TileWidth}, row); err != nil {
			return err
		}
		if err := r.Add(level+1, n/TileWidth, PerfectRoot(row), full); err != nil {
			return err
		}
		row = row[:0]
	}
	r.rows[level] = row
	return nil
}

// Partial calls yield for each tile that is not full, lowest first. size is the size of the tree,
// which is the number of leaves added.
func (r *TileRows) Partial(size uint64, yield func(t Tile, row []entry.Hash) error) error {
	for level, row := range r.rows {
		if n := size >> (8 * level); len(row) > 0 {
			if err := yield(Tile{level, n / TileWidth, len(row)}, row); err != nil {
				return err
			}
		}
	}
	return nil
}
