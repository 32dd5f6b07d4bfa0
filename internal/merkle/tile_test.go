package merkle_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/pkg/entry"
)

func TestParseTilePath(t *testing.T) {
	for path, want := range map[string]merkle.Tile{
		"tile/0/000":                     {Level: 0, N: 0, Width: 256},
		"tile/63/999.p/255":              {Level: 63, N: 999, Width: 255},
		"tile/1/x001/x234/067":           {Level: 1, N: 1234067, Width: 256},
		"tile/entries/x001/000.p/1":      {Level: merkle.BundleLevel, N: 1000, Width: 1},
		"tile/2/x001/x000/x000/x000/000": {Level: 2, N: 1e12, Width: 256},
	} {
		if got, ok := merkle.ParseTilePath(path); !ok || got != want || want.Path() != path {
			t.Errorf("%s: %+v %t; %s", path, got, ok, want.Path())
		}
	}
	for _, path := range strings.Fields(`tile tile/ tile/0 tile/0/ tile/0/0 tile/0/00 tile/0/0000 tile/00/000 tile/+0/000 tile/-1/000 tile/64/000 tile/x/000
		tile/0/x000/000 tile/0/x00/000 tile/0/001/000 tile/0/x001/x000 tile/0/x001000 tile/0/000.p tile/0/000.p/ tile/0/000.p/0 tile/0/000.p/256 tile/0/000.p/01
		tile/0/000.p/1/ tile/0/000/ tile/0//000 tile//0/000 /tile/0/000 tile/8/0/000 tile/entries tile/entries/1 tile/entries/000.p/256 tile/Entries/000
		tile/0/000.P/1 tile/0/x999/x999/x999/x999/x999/999 tile/0/x009/x007/x199/x254/x740/992 tile/0/-01 tile/0/000.p/+1 tile/0/0x0`) {
		if got, ok := merkle.ParseTilePath(path); ok {
			t.Errorf("%s is taken for %+v", path, got)
		}
	}
}

func FuzzParseTilePath(f *testing.F) {
	for _, s := range []string{"tile/0/000", "tile/entries/x001/234.p/7", "tile/1/x001/x234/067.p/255", "tile/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if tile, ok := merkle.ParseTilePath(path); ok && tile.Path() != path {
			t.Fatalf("%q: %+v, whose path is %s", path, tile, tile.Path())
		}
	})
}

func FuzzParseBundle(f *testing.F) {
	f.Add(merkle.AppendBundle(merkle.AppendBundle(nil, []byte("one")), nil), 2)
	f.Add([]byte{0, 2, 1}, 1)
	f.Fuzz(func(t *testing.T, raw []byte, width int) {
		if width < 0 || width > 1<<16 {
			return
		}
		leaves, err := merkle.ParseBundle(raw, width)
		if err != nil {
			return
		}
		var again []byte
		for _, leaf := range leaves {
			again = merkle.AppendBundle(again, leaf)
		}
		if len(leaves) != width || !bytes.Equal(again, raw) {
			t.Fatalf("%d leaves of %d, written again as %x", len(leaves), width, again)
		}
	})
}

// TestTileRows makes the tiles of trees of many sizes, and compares them with those that tlog makes.
func TestTileRows(t *testing.T) {
	var rows merkle.TileRows
	var tree merkle.Tree
	made := map[merkle.Tile][]entry.Hash{}
	keep := func(tile merkle.Tile, row []entry.Hash) error {
		made[tile] = slices.Clone(row)
		return nil
	}
	check := func(tile merkle.Tile, row []entry.Hash) error {
		want, err := tlog.ReadTileData(tlog.Tile{H: 8, L: tile.Level, N: int64(tile.N), W: tile.Width}, &tree)
		if err != nil || !bytes.Equal(merkle.FormatTile(row), want) || !tile.In(tree.Size()) {
			return fmt.Errorf("%+v in a tree of %d: %v", tile, tree.Size(), err)
		}
		if back, err := merkle.ParseTile(want, tile.Width); err != nil || len(back) != tile.Width {
			return fmt.Errorf("%+v: %v", tile, err)
		}
		if wider := (merkle.Tile{Level: tile.Level, N: tile.N, Width: tile.Width + 1}); tile.Width < 256 &&
			wider.In(tree.Size()) {
			return fmt.Errorf("%+v is in a tree of %d", wider, tree.Size())
		}
		return nil
	}
	const size = 66_000 // three levels
	for i := range uint64(size) {
		h := entry.LeafHash(fmt.Appendf(nil, "%d", i))
		tree.Append(h)
		if err := rows.Add(0, i, h, keep); err != nil {
			t.Fatal(err)
		}
		if i%997 == 0 || i > size-3 {
			if err := rows.Partial(i+1, check); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(made) != size/256+1 {
		t.Fatalf("%d full tiles", len(made))
	}
	for tile, row := range made {
		if err := check(tile, row); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTileRowsTrouble: a tile that could not be kept is made again when its last hash comes again.
func TestTileRowsTrouble(t *testing.T) {
	var rows merkle.TileRows
	told, fail := 0, true
	for i := uint64(0); i < 256; {
		err := rows.Add(0, i, entry.Hash{byte(i)}, func(tile merkle.Tile, row []entry.Hash) error {
			if told++; fail {
				fail = false
				return fmt.Errorf("no")
			}
			if tile != (merkle.Tile{Width: 256}) || len(row) != 256 || row[255] != (entry.Hash{255}) {
				return fmt.Errorf("%+v", tile)
			}
			return nil
		})
		if err == nil {
			i++
		} else if err.Error() != "no" {
			t.Fatal(err)
		}
	}
	if told != 2 {
		t.Fatalf("told %d times", told)
	}
}
