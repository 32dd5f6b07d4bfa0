package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// tileDir is a directory with a checkpoint, tiles and bundles under their paths, which any file
// server can serve. A full tile is written once. Partial tiles stay until the full tile exists,
// because a client with an older checkpoint may request them.
type tileDir struct {
	path    string
	created []string // files that this run created, by their paths in the directory
}

// openTileDir creates the directory, or returns the checkpoint of the previous run. It fails if the
// new checkpoint is of another log or of a shorter one.
func openTileDir(path string, cp proof.Checkpoint) (old proof.Checkpoint, err error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return old, err
	}
	note, err := os.ReadFile(filepath.Join(path, "checkpoint"))
	if errors.Is(err, fs.ErrNotExist) {
		return old, nil
	} else if err != nil {
		return old, err
	}
	if old, err = proof.ParseCheckpointUnverified(note); err != nil {
		return old, failed("%s: %v", filepath.Join(path, "checkpoint"), err)
	}
	switch {
	case old.Origin != cp.Origin:
		return old, failed("%s contains the log %s, but the server's log is %s", path, old.Origin, cp.Origin)
	case old.Size > cp.Size:
		return old, failed("the server's log has %d entries, but %s has %d of it: "+
			"the log was rolled back, or the directory is ahead", cp.Size, path, old.Size)
	}
	return old, nil
}

// hashes returns the hashes of a bundle's leaves. It returns nil unless the directory has both the
// bundle and its level-0 tile, and both are full.
func (d *tileDir) hashes(bundle merkle.Tile) []entry.Hash {
	if bundle.Width < merkle.TileWidth {
		return nil
	}
	if _, err := os.Stat(d.join(bundle.Path())); err != nil {
		return nil
	}
	raw, err := os.ReadFile(d.join(merkle.Tile{Level: 0, N: bundle.N, Width: merkle.TileWidth}.Path()))
	if err != nil {
		return nil
	}
	row, err := merkle.ParseTile(raw, merkle.TileWidth)
	if err != nil {
		return nil // create compares the tile with the new one
	}
	return row
}

func (d *tileDir) join(path string) string { return filepath.Join(d.path, filepath.FromSlash(path)) }

// create writes a file that never changes. It fails if the file exists with another content.
func (d *tileDir) create(path string, data []byte) error {
	old, err := os.ReadFile(d.join(path))
	if err == nil {
		if !bytes.Equal(old, data) {
			return failed("%s differs from the log: it was altered, or is of another log", d.join(path))
		}
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(d.join(path)), 0o755); err != nil {
		return err
	}
	if err := d.write(path, data); err != nil {
		return err
	}
	d.created = append(d.created, path)
	return nil
}

// write writes a file and syncs it. A crash leaves the whole new file, or the old one.
func (d *tileDir) write(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(d.join(path)), ".tmp-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), d.join(path))
	}
	return err
}

// sync syncs the directories of the created files. It must run before a checkpoint covers the
// files.
func (d *tileDir) sync() error {
	done := map[string]bool{}
	for _, path := range d.created {
		for dir := filepath.Dir(d.join(path)); !done[dir]; dir = filepath.Dir(dir) {
			done[dir] = true
			if err := datadir.SyncDir(dir); err != nil {
				return err
			}
			if dir == filepath.Clean(d.path) {
				break
			}
		}
	}
	return nil
}

// sweep removes partial tiles of which the full tile exists now. It looks at the full tiles that
// this run created, and at the last ones of the previous size, where a crashed run may have left
// some.
func (d *tileDir) sweep(before, size uint64) error {
	var full []merkle.Tile
	for level := merkle.BundleLevel; before>>(8*max(level, 0)) > 0; level++ {
		n := before >> (8 * max(level, 0)) / merkle.TileWidth
		full = append(full, merkle.Tile{Level: level, N: n, Width: merkle.TileWidth})
	}
	for _, path := range d.created {
		if t, ok := merkle.ParseTilePath(path); ok && t.Width == merkle.TileWidth {
			full = append(full, t)
		}
	}
	for _, t := range full {
		if !t.In(size) {
			continue
		}
		if err := os.RemoveAll(d.join(t.Path() + ".p")); err != nil {
			return fmt.Errorf("remove partial tiles: %w", err)
		}
	}
	return nil
}

// undo removes the files that this run created, after it failed: they may not be the log's.
func (d *tileDir) undo() {
	for _, path := range d.created {
		os.Remove(d.join(path))
	}
}
