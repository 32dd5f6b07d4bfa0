package entry

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"
	"sync"
)

// Hash is a SHA-256. Its underlying type is that of tlog.Hash.
type Hash = [sha256.Size]byte

// The domain prefixes of SPEC 1: no leaf, inner node or data commitment can stand for another.
const (
	leafPrefix = 0x00
	dataPrefix = 0x02
)

// ZeroHash is the previous_hash of index 0, in text.
const ZeroHash = "0000000000000000000000000000000000000000000000000000000000000000"

// LeafHash is the entry_hash of a leaf: SHA-256(0x00 ‖ leaf), RFC 6962 section 2.1.
func LeafHash(leaf []byte) Hash {
	h := sha256.New()
	h.Write([]byte{leafPrefix})
	h.Write(leaf)
	return sum(h)
}

// DataHash is the commitment to data under a salt: SHA-256(0x02 ‖ salt ‖ data).
func DataHash(salt [32]byte, data []byte) Hash {
	h := sha256.New()
	h.Write([]byte{dataPrefix})
	h.Write(salt[:])
	h.Write(data)
	return sum(h)
}

// DeriveSalt makes the salt of an event whose sender gave none (SPEC 1). It depends on nothing but the event and the
// log secret, so that a repeated event opens the same commitment, and nobody without the secret can guess data from it.
func DeriveSalt(secret []byte, source, id string, data []byte) [32]byte {
	digest := sha256.Sum256(data)
	m := keyed(secret)
	defer macs.Put(m)
	m.buf = appendLP(appendLP(appendLP(m.buf[:0], source), id), digest[:])
	m.mac.Write(m.buf)
	return sum(m.mac)
}

// keyedMAC is an HMAC under a secret: to make one costs as much as to use it.
type keyedMAC struct {
	secret []byte
	mac    hash.Hash
	buf    []byte
}

var macs sync.Pool // of *keyedMAC

// keyed is an HMAC under secret that nothing was written to yet.
func keyed(secret []byte) *keyedMAC {
	if m, ok := macs.Get().(*keyedMAC); ok && hmac.Equal(m.secret, secret) {
		m.mac.Reset()
		return m
	}
	return &keyedMAC{secret: bytes.Clone(secret), mac: hmac.New(sha256.New, secret)}
}

// appendLP appends lp(x) of SPEC: four bytes of length, big-endian, then x.
func appendLP[T string | []byte](dst []byte, x T) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(x)))
	return append(dst, x...)
}

// SecretFingerprint tells log secrets apart without giving them away (SPEC 1).
func SecretFingerprint(secret []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("sealstream/v1/secret"))
	s := sum(mac)
	return hex.EncodeToString(s[:16])
}

// AgentToken is the subject token of an agent: the first 26 characters of the lower-case base32 of SHA-256(source).
// It is never the DID itself, whose dots and wildcards would speak NATS.
func AgentToken(source string) string {
	s := sha256.Sum256([]byte(source))
	return strings.ToLower(base32.StdEncoding.EncodeToString(s[:]))[:26]
}

// ParseHash reads 64 lower-case hexadecimal digits, and nothing else.
func ParseHash(s string) (Hash, error) {
	var h Hash
	if len(s) == 2*len(h) {
		bad := byte(0)
		for i := range h {
			high, low := hexDigits[s[2*i]], hexDigits[s[2*i+1]]
			h[i] = high<<4 | low
			bad |= high | low
		}
		if bad <= 15 {
			return h, nil
		}
	}
	return Hash{}, fmt.Errorf("hash %.80q: not 64 lower-case hexadecimal digits", s)
}

// hexDigits is the value of each lower-case hexadecimal digit, and 255 of all else.
var hexDigits = func() (values [256]byte) {
	for c := range values {
		values[c] = 255
	}
	for i, c := range []byte("0123456789abcdef") {
		values[c] = byte(i)
	}
	return values
}()

// FormatHash is the inverse of ParseHash.
func FormatHash(h Hash) string { return hex.EncodeToString(h[:]) }

// writeLP writes lp(x) of SPEC: four bytes of length, big-endian, then x.
func writeLP(w hash.Hash, x []byte) {
	var n [4]byte
	binary.BigEndian.PutUint32(n[:], uint32(len(x)))
	w.Write(n[:])
	w.Write(x)
}

func sum(h hash.Hash) (s Hash) {
	h.Sum(s[:0])
	return s
}
