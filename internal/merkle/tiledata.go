package merkle

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
)

// FormatTile returns the content of a tile: its hashes, one after the other.
func FormatTile(row []entry.Hash) []byte {
	b := make([]byte, 0, len(row)*len(entry.Hash{}))
	for _, h := range row {
		b = append(b, h[:]...)
	}
	return b
}

// ParseTile reads the content of a tile of the given width.
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

// AppendBundle adds a leaf to an entry bundle: its length in two bytes, then the leaf. It panics if
// the leaf is longer than ruleset.MaxLeafBytes.
func AppendBundle(dst, leaf []byte) []byte {
	if len(leaf) > ruleset.MaxLeafBytes {
		panic("proof: a leaf that is too long for a bundle")
	}
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(leaf))), leaf...)
}

// ParseBundle reads an entry bundle of the given width. The leaves are slices of raw. Only their
// lengths are checked.
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
