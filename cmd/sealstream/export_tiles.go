package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// tiles writes the log as a directory of tiles (c2sp.org/tlog-tiles). It reads only the bundles
// from the server and computes the tiles from their leaves. So the directory holds exactly the log
// that the checkpoint signs, or it gets no new checkpoint.
func (c *exportCmd) tiles(a *app) error {
	filters, err := c.values()
	if err != nil {
		return err
	}
	switch {
	case c.Dir == "":
		return errors.New("--format tiles writes a directory: sealstream export --format tiles DIR")
	case c.Out != "":
		return errors.New("--format tiles writes a directory and cannot be combined with --out")
	case len(filters) > 0:
		return errors.New("--format tiles exports the whole log and cannot be combined with filters")
	}
	cp, checked, err := a.checkpoint(c.Key)
	if err != nil {
		return err
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
		return a.print(map[string]any{
			"directory":         c.Dir,
			"tree_size":         cp.Size,
			"root":              cp.Root.String(),
			"written":           len(e.dir.created),
			"signature_checked": checked,
		})
	}
	fmt.Fprintf(a.err, "wrote %d files to %s: size %d, root %s\n", len(e.dir.created), c.Dir, cp.Size, cp.Root.String())
	if !checked {
		fmt.Fprintln(a.err, "the checkpoint's signature was not checked; give --key to check it")
	}
	return nil
}

// tileExport is one run of an export of tiles.
type tileExport struct {
	*app
	dir      tileDir
	old      proof.Checkpoint // of the previous run; its size is 0 on the first run
	cp       proof.Checkpoint // to be written
	rows     merkle.TileRows
	frontier merkle.Frontier // of the leaves that were added
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
		return failed("the leaves have the root %s, but the checkpoint of size %d has %s",
			root.String(), e.cp.Size, e.cp.Root.String())
	}
	if err := e.rows.Partial(e.cp.Size, e.put); err != nil {
		return err
	}
	if err := e.dir.sync(); err != nil {
		return err
	}
	// A crash before this line leaves tiles that no checkpoint covers yet. The next run continues
	// with them.
	if err := e.dir.write("checkpoint", e.cp.Note); err != nil {
		return err
	}
	return e.dir.sweep(e.old.Size, e.cp.Size)
}

// add adds the leaves of one bundle to the tree.
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
			return failed("the log does not continue the checkpoint in %s: it has another root of size %d; "+
				"one of the two was rewritten", e.dir.path, e.old.Size)
		}
	}
	return nil
}

func (e *tileExport) put(t merkle.Tile, row []entry.Hash) error {
	return e.dir.create(t.Path(), merkle.FormatTile(row))
}

// stretch is the leaves of one bundle.
type stretch struct {
	tile   merkle.Tile
	bundle []byte       // nil if the directory has it already
	hashes []entry.Hash // of the leaves
	err    error
}

// stretches yields the bundles of the tree in order. It reads a few of them concurrently.
func (e *tileExport) stretches(ctx context.Context) <-chan chan stretch {
	const atOnce = 4
	out := make(chan chan stretch, atOnce)
	go func() {
		defer close(out)
		for first := uint64(0); first < e.cp.Size; first += merkle.TileWidth {
			tile := merkle.Tile{
				Level: merkle.BundleLevel,
				N:     first / merkle.TileWidth,
				Width: int(min(merkle.TileWidth, e.cp.Size-first)),
			}
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

// stretch reads a bundle's hashes from the directory, or else the bundle from the server. Hashes in
// the directory are believed until the root is compared at the end.
func (e *tileExport) stretch(t merkle.Tile) stretch {
	s := stretch{tile: t}
	if s.hashes = e.dir.hashes(t); s.hashes != nil {
		return s
	}
	if s.bundle, s.err = e.bytes("/"+t.Path(), merkle.TileWidth*(2+ruleset.MaxLeafBytes)); s.err != nil {
		return s
	}
	leaves, err := merkle.ParseBundle(s.bundle, t.Width)
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
