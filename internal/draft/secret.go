package draft

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"sync"

	"github.com/sealstream/sealstream/internal/canonical"
)

// DeriveSalt makes the salt of an event whose sender gave none (SPEC 1). It depends on nothing but
// the event and the log secret, so that a repeated event opens the same commitment, and nobody
// without the secret can guess data from it.
func DeriveSalt(secret []byte, source, id string, data []byte) [32]byte {
	digest := sha256.Sum256(data)
	m := keyed(secret)
	defer macs.Put(m)
	m.buf = canonical.AppendLP(canonical.AppendLP(canonical.AppendLP(m.buf[:0], source), id), digest[:])
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

// SecretFingerprint tells log secrets apart without giving them away (SPEC 1).
func SecretFingerprint(secret []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("sealstream/v1/secret"))
	s := sum(mac)
	return hex.EncodeToString(s[:16])
}

func sum(h hash.Hash) (s [32]byte) {
	h.Sum(s[:0])
	return s
}
