package draft

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"strings"
	"sync"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
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

// ownSalt makes the salt of data of one of the log's own entries (SPEC 5.2, 13.5; rules 4: 1.2).
// kind is the type of the entry, and what it is for.
func ownSalt(src Source, kind, id string, whole []byte) [32]byte {
	digest := sha256.Sum256(whole)
	m := keyed(src.Secret)
	defer macs.Put(m)
	m.buf = m.buf[:0]
	if src.blinded() {
		m.buf = append(m.buf, "sealstream/v4/own"...)
		kind = strings.TrimPrefix(kind, ruleset.OwnPrefix)
	}
	m.buf = canonical.AppendLP(canonical.AppendLP(canonical.AppendLP(m.buf, kind), id), digest[:])
	m.mac.Write(m.buf)
	return sum(m.mac)
}

// besideSalt makes the salt of a payload without data (docs/SPEC-rules4.md, 1.2).
func besideSalt(secret []byte, source, id string, beside []byte) [32]byte {
	digest := sha256.Sum256(beside)
	m := keyed(secret)
	defer macs.Put(m)
	m.buf = append(m.buf[:0], "sealstream/v4/beside"...)
	m.buf = canonical.AppendLP(canonical.AppendLP(canonical.AppendLP(m.buf, source), id), digest[:])
	m.mac.Write(m.buf)
	return sum(m.mac)
}

// blindOf makes the blind of an entry (docs/SPEC-rules4.md, 1.2). It follows from the place in
// EVENTS and the kind of entry.
func blindOf(secret []byte, e *entry.Entry) string {
	kind, own := strings.CutPrefix(e.EventType, ruleset.OwnPrefix)
	if !own {
		kind = "event"
	}
	m := keyed(secret)
	defer macs.Put(m)
	m.buf = append(m.buf[:0], "sealstream/v4/blind"...)
	m.buf = binary.BigEndian.AppendUint64(m.buf, e.InputEpoch)
	m.buf = binary.BigEndian.AppendUint64(m.buf, e.InputSeq)
	m.buf = binary.BigEndian.AppendUint64(m.buf, e.Position)
	m.mac.Write(append(m.buf, kind...))
	s := sum(m.mac)
	return hex.EncodeToString(s[:16])
}

// InputDigest returns the digest of an EVENTS message as a batch names it, if the config that the
// batch names is of these rules (SPEC 6; rules 4: 1.3).
func InputDigest(secret []byte, rules uint64, digest entry.Hash) entry.Hash {
	if rules < ruleset.Blinding {
		return digest
	}
	m := keyed(secret)
	defer macs.Put(m)
	m.mac.Write(append(append(m.buf[:0], "sealstream/v4/input"...), digest[:]...))
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
