package proof

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/sealstream/sealstream/pkg/entry"
)

// TileWidth is how many hashes a full tile holds, and how many leaves a full entry bundle.
const TileWidth = 256

// BundleLevel is the Level of a Tile that is an entry bundle.
const BundleLevel = -1

// maxTileLevel is the highest level that a path may name (c2sp.org/tlog-tiles).
const maxTileLevel = 63

// Tile names a tile of hashes, or an entry bundle: which of its level, and how wide.
type Tile struct {
	Level int    // 0 to 63, or BundleLevel
	N     uint64 // the N-th of its level
	Width int    // 1 to 256
}

// Path is the tile's path below the prefix of its log.
func (t Tile) Path() string {
	if t.Level == BundleLevel {
		return BundlePath(t.N, t.Width)
	}
	return TilePath(t.Level, t.N, t.Width)
}

// ParseTilePath reads the path of a tile or a bundle. It takes no other spelling than Path writes.
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

// First is the index, within its level, of the tile's first hash; of a bundle that of its first leaf.
func (t Tile) First() uint64 { return t.N * TileWidth }

// In says whether a tree of that size has all of the tile.
func (t Tile) In(size uint64) bool {
	return t.First()+uint64(t.Width) <= size>>(8*max(t.Level, 0)) // N has 53 bits at most
}

// FormatTile writes the hashes of a tile, one after the other.
func FormatTile(row []entry.Hash) []byte {
	b := make([]byte, 0, len(row)*len(entry.Hash{}))
	for _, h := range row {
		b = append(b, h[:]...)
	}
	return b
}

// ParseTile reads a tile of that width.
func ParseTile(raw []byte, width int) ([]entry.Hash, error) {
	const size = len(entry.Hash{})
	if len(raw) != width*size {
		return nil, fmt.Errorf("tile of width %d has %d bytes", width, len(raw))
	}
	row := make([]entry.Hash, width)
	for i := range row {
		row[i] = entry.Hash(raw[i*size:])
	}
	return row, nil
}

// AppendBundle adds a leaf to an entry bundle: its length in two bytes, and the leaf. It must not be longer than a leaf may be.
func AppendBundle(dst, leaf []byte) []byte {
	if len(leaf) > entry.MaxLeafBytes {
		panic("proof: a leaf that is too long for a bundle")
	}
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(leaf))), leaf...)
}

// ParseBundle reads an entry bundle of that width. The leaves are parts of raw, and nothing but their lengths is looked at.
func ParseBundle(raw []byte, width int) ([][]byte, error) {
	leaves := make([][]byte, 0, width)
	for len(raw) > 0 {
		if len(raw) < 2 || len(raw)-2 < int(binary.BigEndian.Uint16(raw)) {
			return nil, errors.New("bundle ends within an entry")
		}
		n := 2 + int(binary.BigEndian.Uint16(raw))
		leaves, raw = append(leaves, raw[2:n:n]), raw[n:]
	}
	if len(leaves) != width {
		return nil, fmt.Errorf("bundle of width %d holds %d entries", width, len(leaves))
	}
	return leaves, nil
}

// TileRows makes the tiles of a tree leaf by leaf: by level, it keeps the hashes of the tile that is not full yet. The zero TileRows is that
// of an empty tree.
type TileRows struct{ rows [][]entry.Hash }

// Add takes the n-th hash of a level; below level 0 are the leaves' hashes. full is told of the tile that it fills, and of those above that
// that one fills, lowest first. After an error of full nothing has changed, and the same hash may be added again.
func (r *TileRows) Add(level int, n uint64, h entry.Hash, full func(t Tile, row []entry.Hash) error) error {
	for len(r.rows) <= level {
		r.rows = append(r.rows, make([]entry.Hash, 0, TileWidth))
	}
	row := append(r.rows[level], h)
	if len(row) == TileWidth {
		if err := full(Tile{level, n / TileWidth, TileWidth}, row); err != nil {
			return err
		}
		if err := r.Add(level+1, n/TileWidth, PerfectRoot(row), full); err != nil {
			return err
		}
		row = row[:0]
	}
	r.rows[level] = row
	return nil
}

// Partial yields the tiles that are not full, lowest first, of a tree of that size, which is the number of leaves added.
func (r *TileRows) Partial(size uint64, yield func(t Tile, row []entry.Hash) error) error {
	for level, row := range r.rows {
		if n := size >> (8 * level); len(row) > 0 {
			if err := yield(Tile{level, n / TileWidth, len(row)}, row); err != nil {
				return err
			}
		}
	}
	return nil
}
