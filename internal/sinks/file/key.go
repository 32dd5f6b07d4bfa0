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

// Key is an HMAC key, as the toolkit uses it.
type Key struct {
	ID     string // 16 hexadecimal digits, derived from the key without revealing it
	Secret []byte
}

// NewKey returns a key with its ID.
func NewKey(secret []byte) Key {
	m := hmac.New(sha256.New, secret)
	m.Write([]byte("sealstream sink key id"))
	return Key{hex.EncodeToString(m.Sum(nil)[:8]), secret}
}

// signer computes the two MACs of a line. It hashes the key only once.
type signer struct {
	id string
	h  hash.Hash
}

func (k Key) signer() *signer { return &signer{k.ID, hmac.New(sha256.New, k.Secret)} }

// append appends the MAC of two joined texts in hexadecimal digits.
func (s *signer) append(dst []byte, before string, text []byte) []byte {
	s.h.Reset()
	io.WriteString(s.h, before)
	s.h.Write(text)
	var sum [sha256.Size]byte
	return hex.AppendEncode(dst, s.h.Sum(sum[:0]))
}

// mac returns the MAC of a line, a manifest or a head. of separates these kinds, so that none
// passes for another.
func (k Key) mac(of string, text []byte) string {
	return string(k.signer().append(nil, macPrefix+of+"\n", text))
}

// Ring is a key ring. The first key signs, and all of them verify. To change the key, add a new one
// at the start. Files under older keys stay valid.
type Ring []Key

// find returns the key with an ID, or nil.
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

// ReadKey reads a file that contains the raw key. It ignores one trailing newline.
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

// ReadKeys reads a key from each of several files, whose paths are separated by commas.
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
