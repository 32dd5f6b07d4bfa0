package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams/subject"
)

// Subtrees returns the roots of perfect subtrees. It reads them from the full tiles, or from the
// leaves where tiles are not written yet. Nothing of it is verified: check proofs made of them
// against checkpoints.
func Subtrees(ctx context.Context, log *Log) merkle.Nodes {
	r := &subtrees{ctx: ctx, log: log, tiles: map[tileAt][]entry.Hash{}}
	return r.root
}

// subtrees keeps what it has read, because a proof needs several hashes of the same tiles.
type subtrees struct {
	ctx   context.Context
	log   *Log
	tiles map[tileAt][]entry.Hash
	leaf  At // the batch read last
}

type tileAt struct {
	level int
	n     uint64
}

const tileWidth = 256

// root returns the n-th hash of a level. It is the root over a part of a row of its tile.
func (r *subtrees) root(level int, n uint64) (entry.Hash, error) {
	tile, width := level/8, uint64(1)<<(level%8)
	row, err := r.row(tile, n*width, width)
	if err != nil {
		return entry.Hash{}, err
	}
	return merkle.PerfectRoot(row), nil
}

// row returns a number of hashes of a tile level from first on. They are in one tile.
func (r *subtrees) row(tile int, first, count uint64) ([]entry.Hash, error) {
	full, err := r.full(tileAt{tile, first / tileWidth})
	if err != nil {
		return nil, err
	}
	if full != nil {
		return full[first%tileWidth : first%tileWidth+count], nil
	}
	row := make([]entry.Hash, count)
	for i := range row {
		if tile == 0 {
			row[i], err = r.leafHash(first + uint64(i))
		} else {
			row[i], err = r.below(tile, first+uint64(i))
		}
		if err != nil {
			return nil, err
		}
	}
	return row, nil
}

// below computes a hash of a row from the whole tile below it.
func (r *subtrees) below(tile int, n uint64) (entry.Hash, error) {
	row, err := r.row(tile-1, n*tileWidth, tileWidth)
	if err != nil {
		return entry.Hash{}, err
	}
	return merkle.PerfectRoot(row), nil
}

// full reads a tile. It returns nil if the tile is not written.
func (r *subtrees) full(at tileAt) ([]entry.Hash, error) {
	if row, ok := r.tiles[at]; ok {
		return row, nil
	}
	value, _, err := r.log.Tiles.Get(r.ctx, subject.Tile(r.log.Name, merkle.TilePath(at.level, at.n, 0)))
	if errors.Is(err, ErrNotFound) {
		r.tiles[at] = nil
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if len(value) != tileWidth*len(entry.Hash{}) {
		return nil, fmt.Errorf("tile %d of level %d has %d bytes", at.n, at.level, len(value))
	}
	row := make([]entry.Hash, tileWidth)
	for i := range row {
		row[i] = entry.Hash(value[i*len(entry.Hash{}):])
	}
	r.tiles[at] = row
	return row, nil
}

// leafHash reads a leaf from its batch. Batches are mostly read one after the other.
func (r *subtrees) leafHash(index uint64) (entry.Hash, error) {
	if b := r.leaf.Batch; index < b.First || index >= b.Size {
		at, err := r.batch(index)
		if err != nil {
			return entry.Hash{}, err
		}
		r.leaf = at
	}
	return entry.LeafHash(r.leaf.Batch.Leaves[index-r.leaf.Batch.First]), nil
}

// batch finds the batch of an index: the next one on SEALED, or else by a search.
func (r *subtrees) batch(index uint64) (At, error) {
	if r.leaf.Seq > 0 && index == r.leaf.Batch.Size {
		if m, err := r.log.Sealed.Get(r.ctx, r.leaf.Seq+1); err == nil {
			if b, err := sealedlog.ParseBatch(m); err == nil && b.First == index && b.Size > index {
				return At{m.Seq, b}, nil
			}
		}
	}
	return FindBatch(r.ctx, r.log, index)
}
