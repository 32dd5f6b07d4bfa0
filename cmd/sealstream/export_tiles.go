package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// tiles writes the log as a directory of tiles (c2sp.org/tlog-tiles). Bundles alone are read from the server; the tiles are made of their
// leaves, so that the directory is the log that the checkpoint signs, or there is no new checkpoint in it.
func (c *exportCmd) tiles(a *app) error {
	switch {
	case c.Dir == "":
		return errors.New("--format tiles writes a directory: sealstream export --format tiles DIR")
	case c.Out != "":
		return errors.New("--format tiles takes a directory, and no --out")
	case len(c.values()) > 0:
		return errors.New("--format tiles is of the whole log: it takes no filters")
	}
	note, err := a.bytes("/checkpoint", 64<<10)
	if err != nil {
		return err
	}
	cp, err := c.checkpoint(note)
	if err != nil {
		return failed("%v", err)
	}
	old, err := openTileDir(c.Dir, cp)
	if err != nil {
		return err
	}
	e := &tileExport{app: a, dir: tileDir{path: c.Dir}, old: old, cp: cp, bar: a.progress("entries", cp.Size)}
	err = e.run()
	e.bar.done()
	if err != nil {
		e.dir.undo()
		return brokenExport(err)
	}
	if a.json {
		return a.print(map[string]any{"directory": c.Dir, "tree_size": cp.Size, "root": hexHash(cp.Root), "written": len(e.dir.made), "signature_checked": c.Key != ""})
	}
	fmt.Fprintf(a.err, "wrote %d files to %s: size %d, root %s\n", len(e.dir.made), c.Dir, cp.Size, hexHash(cp.Root))
	if c.Key == "" {
		fmt.Fprintln(a.err, "the checkpoint's signature was not checked; give --key to check it")
	}
	return nil
}

func (c *exportCmd) checkpoint(note []byte) (proof.Checkpoint, error) {
	if c.Key == "" {
		return proof.ParseCheckpointUnverified(note)
	}
	keys, err := readKeys(c.Key)
	if err != nil {
		return proof.Checkpoint{}, err
	}
	return proof.OpenCheckpoint(note, keys...)
}

// bytes reads a short answer whole.
func (a *app) bytes(path string, most int64) ([]byte, error) {
	body, err := a.open(path, nil, "")
	if err != nil {
		return nil, err
	}
	defer body.Close()
	b, err := io.ReadAll(io.LimitReader(body, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("the answer to %s is longer than %d bytes", path, most)
	}
	return b, err
}

// tileExport is one run.
type tileExport struct {
	*app
	dir      tileDir
	old, cp  proof.Checkpoint // old: that of the run before; of size 0 there was none
	rows     proof.TileRows
	frontier proof.Frontier
	bar      *progress
}

func (e *tileExport) run() error {
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	for s := range e.stretches(ctx) {
		got := <-s
		if got.err != nil {
			return got.err
		}
		if err := e.add(got); err != nil {
			return err
		}
		e.bar.at(e.frontier.Size())
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if root := e.frontier.Root(); e.frontier.Size() != e.cp.Size || root != e.cp.Root {
		return failed("the leaves make another root of size %d than the checkpoint has: %s, not %s", e.cp.Size, hexHash(root), hexHash(e.cp.Root))
	}
	if err := e.rows.Partial(e.cp.Size, e.put); err != nil {
		return err
	}
	if err := e.dir.sync(); err != nil {
		return err
	}
	// A crash before this line leaves tiles that no checkpoint covers yet; the next run goes on with them.
	if err := e.dir.write("checkpoint", e.cp.Note); err != nil {
		return err
	}
	return e.dir.sweep(e.old.Size, e.cp.Size)
}

// add takes the leaves of one bundle into the tree.
func (e *tileExport) add(s stretch) error {
	if s.bundle != nil {
		if err := e.dir.create(s.tile.Path(), s.bundle); err != nil {
			return err
		}
	}
	for _, h := range s.hashes {
		if err := e.rows.Add(0, e.frontier.Size(), h, e.put); err != nil {
			return err
		}
		if e.frontier.Append(h); e.frontier.Size() == e.old.Size && e.frontier.Root() != e.old.Root {
			return failed("the log does not go on from the checkpoint in %s: it has another root of size %d; one of the two was rewritten", e.dir.path, e.old.Size)
		}
	}
	return nil
}

func (e *tileExport) put(t proof.Tile, row []entry.Hash) error {
	return e.dir.create(t.Path(), proof.FormatTile(row))
}

// stretch is the leaves of one bundle: their hashes, and the bundle itself if it is not in the directory yet.
type stretch struct {
	tile   proof.Tile
	bundle []byte
	hashes []entry.Hash
	err    error
}

// stretches yields the bundles of the tree in order, a few of them being read at the same time.
func (e *tileExport) stretches(ctx context.Context) <-chan chan stretch {
	const atOnce = 4
	out := make(chan chan stretch, atOnce)
	go func() {
		defer close(out)
		for first := uint64(0); first < e.cp.Size; first += proof.TileWidth {
			tile := proof.Tile{Level: proof.BundleLevel, N: first / proof.TileWidth, Width: int(min(proof.TileWidth, e.cp.Size-first))}
			one := make(chan stretch, 1)
			select {
			case out <- one:
				go func() { one <- e.stretch(tile) }()
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// stretch takes what the directory has, or else asks the server. Hashes that the directory has are believed until the root is compared.
func (e *tileExport) stretch(t proof.Tile) stretch {
	s := stretch{tile: t}
	if s.hashes = e.dir.hashes(t); s.hashes != nil {
		return s
	}
	if s.bundle, s.err = e.bytes("/"+t.Path(), proof.TileWidth*(2+entry.MaxLeafBytes)); s.err != nil {
		return s
	}
	leaves, err := proof.ParseBundle(s.bundle, t.Width)
	if err != nil {
		s.err = failed("%s: %v", t.Path(), err)
		return s
	}
	s.hashes = make([]entry.Hash, len(leaves))
	for i, leaf := range leaves {
		s.hashes[i] = entry.LeafHash(leaf)
	}
	return s
}
