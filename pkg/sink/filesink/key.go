package filesink

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"
)

// Key is an HMAC key, as the toolkit has it.
type Key struct {
	ID     string // 16 hexadecimal digits, which follow from the key and do not tell it
	Secret []byte
}

// NewKey names a key.
func NewKey(secret []byte) Key {
	m := hmac.New(sha256.New, secret)
	m.Write([]byte("sealstream sink key id"))
	return Key{hex.EncodeToString(m.Sum(nil)[:8]), secret}
}

// signer makes the two MACs of a line, without beginning with the key each time.
type signer struct {
	id string
	h  hash.Hash
}

func (k Key) signer() *signer { return &signer{k.ID, hmac.New(sha256.New, k.Secret)} }

// append writes the MAC of texts that stand behind each other, in hexadecimal digits.
func (s *signer) append(dst []byte, before string, text []byte) []byte {
	s.h.Reset()
	io.WriteString(s.h, before)
	s.h.Write(text)
	var sum [sha256.Size]byte
	return hex.AppendEncode(dst, s.h.Sum(sum[:0]))
}

// mac is under which all of a line stands, or of a manifest. What it is of keeps one from passing for the other.
func (k Key) mac(of string, text []byte) string {
	return string(k.signer().append(nil, macPrefix+of+"\n", text))
}

// Ring is a key ring: the first key signs, and all of them verify. To change keys put a new one in front; files under the old one stay.
type Ring []Key

// find is the key of an id, or nil.
func (r Ring) find(id string) *Key {
	for i := range r {
		if r[i].ID == id {
			return &r[i]
		}
	}
	return nil
}

const macPrefix = "sealstream sink "

var errKey = errors.New("the key is empty")

// ReadKey reads a key file: the raw key, of which one trailing newline is ignored.
func ReadKey(path string) (Key, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Key{}, fmt.Errorf("key file: %w", err)
	}
	b = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
	if len(b) == 0 {
		return Key{}, fmt.Errorf("key file %s: %w", path, errKey)
	}
	return NewKey(b), nil
}

// ReadKeys reads a key from each file; the paths are separated by commas.
func ReadKeys(paths string) (Ring, error) {
	var ring Ring
	for path := range strings.SplitSeq(paths, ",") {
		k, err := ReadKey(path)
		if err != nil {
			return nil, err
		}
		ring = append(ring, k)
	}
	return ring, nil
}
