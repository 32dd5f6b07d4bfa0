package sealer

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/store"
)

// tiler writes full tiles of hashes to TILES, each once. They are derived: anyone can make them from the leaves. It is told the hashes of
// every batch; what it was not told, or could not keep, it reads from the log.
type tiler struct {
	s     *Sealer
	size  uint64 // leaves taken in
	rows  proof.TileRows
	ready bool

	mu    sync.Mutex
	first uint64 // index of queue[0]
	queue []entry.Hash
}

const maxQueue = 1 << 17 // hashes, 4 MiB

func (t *tiler) took(c committed) {
	t.mu.Lock()
	defer t.mu.Unlock()
	end := t.first + uint64(len(t.queue))
	switch {
	case len(t.queue) == 0 || len(t.queue) > maxQueue || c.batch.First > end:
		t.first, t.queue = c.batch.First, append([]entry.Hash(nil), c.hashes...)
	case c.batch.Size > end:
		t.queue = append(t.queue, c.hashes[end-c.batch.First:]...)
	}
}

// next takes the queued hashes from index t.size on; without any, it says where they begin.
func (t *tiler) next() (hashes []entry.Hash, begin uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	end := t.first + uint64(len(t.queue))
	if len(t.queue) == 0 || t.size < t.first {
		return nil, t.first
	}
	if t.size < end {
		hashes = t.queue[t.size-t.first:]
	}
	t.first, t.queue = end, nil
	return hashes, end
}

func (t *tiler) write(ctx context.Context, c committed) error {
	if !t.ready {
		if err := t.begin(ctx); err != nil {
			return err
		}
	}
	for t.size < c.batch.Size {
		hashes, begin := t.next()
		if hashes == nil {
			if begin <= t.size {
				begin = c.batch.Size
			}
			if err := t.read(ctx, min(begin, c.batch.Size)); err != nil {
				return err
			}
		}
		if err := t.addAll(ctx, hashes); err != nil {
			return err
		}
	}
	return nil
}

// read takes leaves from the log up to an index.
func (t *tiler) read(ctx context.Context, end uint64) error {
	f := store.Follower{Log: t.s.cfg.Log, Keys: t.s.keys, From: t.size, Stop: true}
	for b, err := range f.Batches(ctx) {
		if err != nil {
			return err
		}
		if b.Batch.First > t.size {
			break
		}
		for _, e := range b.Entries[t.size-b.Batch.First:] {
			h, err := entry.ParseHash(e.EntryHash)
			if err != nil {
				return err
			}
			if err := t.addAll(ctx, []entry.Hash{h}); err != nil {
				return err
			}
		}
		if t.size >= end {
			return nil
		}
	}
	return fmt.Errorf("the log cannot be followed from index %d", t.size)
}

func (t *tiler) addAll(ctx context.Context, hashes []entry.Hash) error {
	for _, h := range hashes {
		if err := t.rows.Add(0, t.size, h, t.put(ctx)); err != nil {
			return err
		}
		t.size++
	}
	return nil
}

// begin finds how many full tiles of the lowest level are written, and reads back what the levels above need of them.
func (t *tiler) begin(ctx context.Context) error {
	t.rows, t.size = proof.TileRows{}, 0
	for {
		value, _, err := t.s.cfg.Log.Tiles.Get(ctx, t.key(proof.Tile{Level: 0, N: t.size / proof.TileWidth, Width: proof.TileWidth}))
		if errors.Is(err, store.ErrNotFound) {
			t.ready = true
			return nil
		} else if err != nil {
			return err
		}
		row, err := proof.ParseTile(value, proof.TileWidth)
		if err != nil {
			return err
		}
		if err := t.rows.Add(1, t.size/proof.TileWidth, proof.PerfectRoot(row), t.put(ctx)); err != nil {
			return err
		}
		t.size += proof.TileWidth
	}
}

// put writes a tile once. Another one under its key means that someone has another log, or that bytes have changed.
func (t *tiler) put(ctx context.Context) func(proof.Tile, []entry.Hash) error {
	return func(tile proof.Tile, row []entry.Hash) error {
		key, value := t.key(tile), proof.FormatTile(row)
		err := t.s.cfg.Log.Tiles.Create(ctx, key, value)
		if !errors.Is(err, store.ErrExists) {
			return err
		}
		old, _, err := t.s.cfg.Log.Tiles.Get(ctx, key)
		if err != nil {
			return err
		}
		if string(old) != string(value) {
			t.s.log.ErrorContext(ctx, "a tile differs from the log", "log", t.s.identity.log, "tile", key)
			return fmt.Errorf("tile %s differs from the log", key)
		}
		return nil
	}
}

func (t *tiler) key(tile proof.Tile) string { return t.s.identity.log + "/" + tile.Path() }
