package main

import (
	"bytes"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// tiles EXPORT DIR writes the directory of tiles of a whole export, as any file server could have it.
func tiles(ts *testscript.TestScript, neg bool, args []string) {
	raw, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	lines := bytes.Split(bytes.TrimSuffix(raw, []byte("\n")), []byte("\n"))
	m, err := proof.ParseManifest(lines[0])
	ts.Check(err)
	write := func(path string, content []byte) {
		path = filepath.Join(ts.MkAbs(args[1]), filepath.FromSlash(path))
		ts.Check(os.MkdirAll(filepath.Dir(path), 0o755))
		ts.Check(os.WriteFile(path, content, 0o644))
	}
	write("checkpoint", []byte(m.Checkpoint))
	var row []entry.Hash
	var bundle []byte
	for i, line := range lines[1:] {
		l, _, err := proof.ParseExportLine(line)
		ts.Check(err)
		row, bundle = append(row, entry.LeafHash(l.Leaf)), merkle.AppendBundle(bundle, l.Leaf)
		if n := len(row); n%merkle.TileWidth == 0 || i == len(lines)-2 {
			write(merkle.BundlePath(uint64((n-1)/merkle.TileWidth), (n-1)%merkle.TileWidth+1), bundle)
			bundle = nil
		}
	}
	for level := 0; len(row) > 0; level++ {
		var above []entry.Hash
		for n := uint64(0); len(row) > 0; n++ {
			part := row[:min(len(row), merkle.TileWidth)]
			row = row[len(part):]
			write(merkle.TilePath(level, n, len(part)), bytes.Join(hashBytes(part), nil))
			if len(part) == merkle.TileWidth {
				above = append(above, merkle.PerfectRoot(part))
			}
		}
		row = above
	}
}

func hashBytes(row []entry.Hash) (list [][]byte) {
	for _, h := range row {
		list = append(list, h[:])
	}
	return list
}
