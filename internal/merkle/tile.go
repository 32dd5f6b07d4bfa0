package merkle

import (
	"fmt"
	"strconv"
	"strings"
)

// TileWidth is the number of hashes in a full tile, and of leaves in a full entry bundle.
const TileWidth = 256

// BundleLevel is the Level of a Tile that is an entry bundle.
const BundleLevel = -1

// maxTileLevel is the highest level that a path may name (c2sp.org/tlog-tiles).
const maxTileLevel = 63

// Tile names a tile of hashes, or an entry bundle (c2sp.org/tlog-tiles).
type Tile struct {
	Level int    // 0 to 63, or BundleLevel
	N     uint64 // number of the tile within its level, from 0
	Width int    // number of hashes or leaves, 1 to 256
}

// Path returns the tile's path below the prefix of its log.
func (t Tile) Path() string {
	if t.Level == BundleLevel {
		return BundlePath(t.N, t.Width)
	}
	return TilePath(t.Level, t.N, t.Width)
}

// ParseTilePath reads the path of a tile or a bundle. It accepts only the spelling that Path
// writes.
func ParseTilePath(path string) (Tile, bool) {
	rest, ok := strings.CutPrefix(path, "tile/")
	if !ok || len(path) > 64 {
		return Tile{}, false
	}
	level, rest, _ := strings.Cut(rest, "/")
	number, width, partial := strings.Cut(rest, ".p/")
	t := Tile{BundleLevel, 0, TileWidth}
	var err error
	if level != "entries" {
		if t.Level, err = strconv.Atoi(level); err != nil || t.Level < 0 || t.Level > maxTileLevel {
			return Tile{}, false
		}
	}
	if partial {
		if t.Width, err = strconv.Atoi(width); err != nil || t.Width < 1 || t.Width >= TileWidth {
			return Tile{}, false
		}
	}
	digits := strings.ReplaceAll(strings.ReplaceAll(number, "x", ""), "/", "")
	if t.N, err = strconv.ParseUint(digits, 10, 53); err != nil || t.Path() != path {
		return Tile{}, false
	}
	return t, true
}

// First returns the index, within its level, of the tile's first hash, or of a bundle's first leaf.
func (t Tile) First() uint64 { return t.N * TileWidth }

// In reports whether a tree of the given size has all of the tile.
func (t Tile) In(size uint64) bool {
	return t.First()+uint64(t.Width) <= size>>(8*max(t.Level, 0)) // N has 53 bits at most
}

// TilePath returns the path of a tile of hashes (c2sp.org/tlog-tiles). Width 0 or 256 is a full
// tile. tlog.Tile.Path does not serve here: it also names the height, which this format does not.
func TilePath(level int, n uint64, width int) string {
	return fmt.Sprintf("tile/%d/%s", level, tileNumber(n, width))
}

// BundlePath returns the path of an entry bundle (c2sp.org/tlog-tiles). Width 0 or 256 is a full
// bundle.
func BundlePath(n uint64, width int) string { return "tile/entries/" + tileNumber(n, width) }

func tileNumber(n uint64, width int) string {
	s := fmt.Sprintf("%03d", n%1000)
	for n >= 1000 {
		n /= 1000
		s = fmt.Sprintf("x%03d/%s", n%1000, s)
	}
	if width > 0 && width < 256 {
		s += fmt.Sprintf(".p/%d", width)
	}
	return s
}
