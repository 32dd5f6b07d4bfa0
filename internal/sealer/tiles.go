package sealer

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams/subject"
)

// tiler writes full tiles of hashes to TILES, each once. Tiles are derived: anyone can make them
// from the leaves. The tail hands it the hashes of every batch. Those it did not get or could not
// keep, it reads from the log. It uses at most maxQueue hashes of memory between two runs.
type tiler struct {
	s     *Sealer
	size  uint64 // leaves added so far
	rows  merkle.TileRows
	ready bool

	mu    sync.Mutex
	first uint64 // index of queue[0]
	queue []entry.Hash
}

const maxQueue = 1 << 17 // in hashes, 4 MiB

func (t *tiler) addBatch(c committed) {
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

// next takes the queued hashes from index t.size on. If there are none, first is the index at which
// the queue starts.
func (t *tiler) next() (hashes []entry.Hash, start uint64) {
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
		if err := t.resume(ctx); err != nil {
			return err
		}
	}
	for t.size < c.batch.Size {
		hashes, start := t.next()
		if hashes == nil {
			if start <= t.size {
				start = c.batch.Size
			}
			if err := t.read(ctx, min(start, c.batch.Size)); err != nil {
				return err
			}
		}
		if err := t.addAll(ctx, hashes); err != nil {
			return err
		}
	}
	return nil
}

// read adds the leaves from t.size to end, read from the log.
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
			if err := t.addAll(ctx, []entry.Hash{e.EntryHash}); err != nil {
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

// resume finds how many full tiles of the lowest level are written, and reads from them what the
// higher levels need.
func (t *tiler) resume(ctx context.Context) error {
	t.rows, t.size = merkle.TileRows{}, 0
	for {
		value, _, err := t.s.cfg.Log.Tiles.Get(ctx,
			t.key(merkle.Tile{Level: 0, N: t.size / merkle.TileWidth, Width: merkle.TileWidth}))
		if errors.Is(err, store.ErrNotFound) {
			t.ready = true
			return nil
		} else if err != nil {
			return err
		}
		row, err := merkle.ParseTile(value, merkle.TileWidth)
		if err != nil {
			return err
		}
		if err := t.rows.Add(1, t.size/merkle.TileWidth, merkle.PerfectRoot(row), t.put(ctx)); err != nil {
			return err
		}
		t.size += merkle.TileWidth
	}
}

// put writes a tile once. Another value under the same key means that somebody writes another log,
// or that bytes were changed.
func (t *tiler) put(ctx context.Context) func(merkle.Tile, []entry.Hash) error {
	return func(tile merkle.Tile, row []entry.Hash) error {
		key, value := t.key(tile), merkle.FormatTile(row)
		err := t.s.cfg.Log.Tiles.Create(ctx, key, value)
		if !errors.Is(err, store.ErrExists) {
			return err
		}
		old, _, err := t.s.cfg.Log.Tiles.Get(ctx, key)
		if err != nil {
			return err
		}
		if string(old) != string(value) {
			t.s.logger.ErrorContext(ctx, "sealer found a tile that differs from the log", "log", t.s.identity.logName, "tile",
				key)
			return fmt.Errorf("tile %s differs from the log", key)
		}
		return nil
	}
}

func (t *tiler) key(tile merkle.Tile) string { return subject.Tile(t.s.identity.logName, tile.Path()) }
