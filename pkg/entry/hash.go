package entry

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"

	"github.com/sealstream/sealstream/internal/canonical"
)

// Hash is a SHA-256. It prints and marshals itself as 64 lower-case hexadecimal digits. Its
// underlying type is that of tlog.Hash. The zero value is the previous_hash of index 0.
type Hash [sha256.Size]byte

// The domain prefixes of SPEC 1: no leaf, inner node or data commitment can stand for another.
const (
	leafPrefix   = 0x00
	dataPrefix   = 0x02
	besidePrefix = 0x03 // docs/SPEC-rules4.md, 1.2
)

// LeafHash returns the EntryHash of a leaf: SHA-256(0x00 ‖ leaf), RFC 6962 section 2.1.
func LeafHash(leaf []byte) Hash {
	h := sha256.New()
	h.Write([]byte{leafPrefix})
	h.Write(leaf)
	return sum(h)
}

// DataHash returns the commitment to data under a salt: SHA-256(0x02 ‖ salt ‖ data).
func DataHash(salt [32]byte, data []byte) Hash {
	h := sha256.New()
	h.Write([]byte{dataPrefix})
	h.Write(salt[:])
	h.Write(data)
	return sum(h)
}

// ParseHash reads exactly 64 lower-case hexadecimal digits.
func ParseHash(s string) (Hash, error) {
	if h, ok := canonical.ParseHash(s); ok {
		return h, nil
	}
	return Hash{}, fmt.Errorf("hash %.80q: not 64 lower-case hexadecimal digits", s)
}

// String returns the 64 lower-case hexadecimal digits in which every format of the log writes a
// hash.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText writes what String returns.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads what MarshalText writes. Its errors are those of ParseHash.
func (h *Hash) UnmarshalText(text []byte) (err error) {
	*h, err = ParseHash(string(text))
	return err
}

func sum(h hash.Hash) (s Hash) {
	h.Sum(s[:0])
	return s
}
