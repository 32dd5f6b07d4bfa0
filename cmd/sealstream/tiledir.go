package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// tileDir is a directory with a checkpoint, tiles and bundles under their paths, as any file server can show it. A full tile is written once;
// partial ones stay until the full one is there, since whoever holds an older checkpoint may ask for them.
type tileDir struct {
	path string
	made []string // files that this run created, by their paths in the directory
}

// openTileDir makes the directory, or reads the checkpoint of the run before, which the new one must go on from.
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
		return old, failed("%s is of %s, the server's log is %s", path, old.Origin, cp.Origin)
	case old.Size > cp.Size:
		return old, failed("the server's log has %d entries, %s has %d of it: it was rolled back, or the directory is ahead", cp.Size, path, old.Size)
	}
	return old, nil
}

// hashes are those of a bundle's leaves, if the directory has the bundle and the tile of them, both full; nil: it has not.
func (d *tileDir) hashes(bundle proof.Tile) []entry.Hash {
	if bundle.Width < proof.TileWidth {
		return nil
	}
	if _, err := os.Stat(d.join(bundle.Path())); err != nil {
		return nil
	}
	raw, err := os.ReadFile(d.join(proof.Tile{Level: 0, N: bundle.N, Width: proof.TileWidth}.Path()))
	if err != nil {
		return nil
	}
	row, err := proof.ParseTile(raw, proof.TileWidth)
	if err != nil {
		return nil // made anew, and then compared
	}
	return row
}

func (d *tileDir) join(path string) string { return filepath.Join(d.path, filepath.FromSlash(path)) }

// create writes a file that never changes. One that is there already stays, and must be the same.
func (d *tileDir) create(path string, data []byte) error {
	old, err := os.ReadFile(d.join(path))
	if err == nil {
		if !bytes.Equal(old, data) {
			return failed("%s is another than the log's: it was altered, or is of another log", d.join(path))
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
	d.made = append(d.made, path)
	return nil
}

// write writes a file durably: after a crash there is all of it, or what was there before.
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

// sync makes the names of what was created durable, before a checkpoint covers them.
func (d *tileDir) sync() error {
	done := map[string]bool{}
	for _, path := range d.made {
		for dir := filepath.Dir(d.join(path)); !done[dir]; dir = filepath.Dir(dir) {
			done[dir] = true
			f, err := os.Open(dir)
			if err != nil {
				return err
			}
			err = f.Sync()
			f.Close()
			if err != nil {
				return err
			}
			if dir == filepath.Clean(d.path) {
				break
			}
		}
	}
	return nil
}

// sweep removes partial tiles where the full ones are there now: those of the size before, which a run that crashed may have left, and those of what
// this run has filled.
func (d *tileDir) sweep(before, size uint64) error {
	var full []proof.Tile
	for level := proof.BundleLevel; before>>(8*max(level, 0)) > 0; level++ {
		full = append(full, proof.Tile{Level: level, N: before >> (8 * max(level, 0)) / proof.TileWidth, Width: proof.TileWidth})
	}
	for _, path := range d.made {
		if t, ok := proof.ParseTilePath(path); ok && t.Width == proof.TileWidth {
			full = append(full, t)
		}
	}
	for _, t := range full {
		if !t.In(size) {
			continue
		}
		if err := os.RemoveAll(d.join(t.Path() + ".p")); err != nil {
			return fmt.Errorf("partial tiles: %w", err)
		}
	}
	return nil
}

// undo removes what this run created: it may not be the log's.
func (d *tileDir) undo() {
	for _, path := range d.made {
		os.Remove(d.join(path))
	}
}
