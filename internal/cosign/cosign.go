// Package cosign makes and checks the keys and signatures of witnesses: Ed25519 cosignatures of
// checkpoints (c2sp.org/tlog-cosignature). It does no I/O. The rules by which cosignatures count
// are those of proof.Policy.
package cosign

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Err is wrapped by every error of a cosignature and of a cosigner's key.
var Err = errors.New("cosignature does not hold")

// algCosignature is the type of Ed25519 cosignatures (c2sp.org/tlog-cosignature).
const algCosignature = 0x04

// Size is the number of bytes of a cosignature: a POSIX time and an Ed25519 signature.
const Size = 8 + ed25519.SignatureSize

// GenerateKey makes a witness's key pair: a signer key, which is secret, and the verifier key for
// everyone. The name must have no space and no plus sign.
func GenerateKey(name string) (skey, vkey string, err error) {
	if !validKeyName(name) {
		return "", "", fmt.Errorf("generate cosigner key: %q is no key name", name)
	}
	pub, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", "", fmt.Errorf("generate cosigner key: %w", err)
	}
	return cosignerText("PRIVATE+KEY+", name, pub, private.Seed()), cosignerText("", name, pub, pub), nil
}

func cosignerText(prefix, name string, pub, material []byte) string {
	return fmt.Sprintf(
		"%s%s+%08x+%s",
		prefix,
		name,
		cosignerID(name, pub),
		base64.StdEncoding.EncodeToString(append([]byte{algCosignature}, material...)),
	)
}

// cosignerID is the key ID that stands in signature lines: of name, type and public key.
func cosignerID(name string, pub []byte) uint32 {
	h := sha256.New()
	h.Write([]byte(name + "\n"))
	h.Write([]byte{algCosignature})
	h.Write(pub)
	return binary.BigEndian.Uint32(h.Sum(nil))
}

func validKeyName(name string) bool {
	return name != "" && utf8.ValidString(name) && !strings.ContainsFunc(name, unicode.IsSpace) &&
		!strings.Contains(name, "+")
}

// Cosigner signs other logs' checkpoints as a witness does.
type Cosigner struct {
	name    string
	private ed25519.PrivateKey
	vkey    string
}

// New returns the Cosigner of a signer key that GenerateKey made. Errors never show the key.
func New(skey string) (*Cosigner, error) {
	rest, ok := strings.CutPrefix(skey, "PRIVATE+KEY+")
	name, id, seed, err := splitKey(rest, ed25519.SeedSize)
	if !ok || err != nil {
		return nil, fmt.Errorf("%w: signer key: malformed", Err) // whatever is wrong with it, it is not shown
	}
	c := &Cosigner{name: name, private: ed25519.NewKeyFromSeed(seed)}
	pub := c.private.Public().(ed25519.PublicKey)
	if id != cosignerID(name, pub) {
		return nil, fmt.Errorf("%w: signer key: its id is not the key's", Err)
	}
	c.vkey = cosignerText("", name, pub, pub)
	return c, nil
}

// splitKey takes <name>+<id>+<base64 of type and key> apart.
func splitKey(text string, size int) (name string, id uint32, key []byte, err error) {
	parts := strings.SplitN(text, "+", 3)
	if len(parts) != 3 || !validKeyName(parts[0]) || len(parts[1]) != 8 {
		return "", 0, nil, fmt.Errorf("%w: malformed key", Err)
	}
	if _, err := fmt.Sscanf(parts[1], "%08x", &id); err != nil || fmt.Sprintf("%08x", id) != parts[1] {
		return "", 0, nil, fmt.Errorf("%w: malformed key id", Err)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(parts[2])
	switch {
	case err != nil || len(raw) == 0:
		return "", 0, nil, fmt.Errorf("%w: malformed key", Err)
	case raw[0] != algCosignature:
		return "", 0, nil, fmt.Errorf("%w: key of type %#02x, where an Ed25519 cosigner has 0x04", Err, raw[0])
	case len(raw) != 1+size:
		return "", 0, nil, fmt.Errorf("%w: key of %d bytes", Err, len(raw)-1)
	}
	return parts[0], id, raw[1:], nil
}

// Name returns the name of the cosigner's key.
func (c *Cosigner) Name() string { return c.name }

// VerifierKey returns the public key, as policies name it.
func (c *Cosigner) VerifierKey() string { return c.vkey }

// Cosign returns the signature line of a checkpoint, with its line feed, for the POSIX time at in
// seconds. It does not look at the checkpoint: whether to sign is the caller's decision.
func (c *Cosigner) Cosign(signed []byte, at uint64) ([]byte, error) {
	end := strings.LastIndex(string(signed), "\n\n")
	if end < 0 || at > math.MaxInt64 {
		return nil, fmt.Errorf("%w: no note, or no time", Err)
	}
	text := string(signed[:end])
	pub := c.private.Public().(ed25519.PublicKey)
	b := binary.BigEndian.AppendUint32(nil, cosignerID(c.name, pub))
	b = binary.BigEndian.AppendUint64(b, at)
	b = append(b, ed25519.Sign(c.private, cosignedMessage(at, text+"\n"))...)
	return fmt.Appendf(nil, "\u2014 %s %s\n", c.name, base64.StdEncoding.EncodeToString(b)), nil
}

func cosignedMessage(at uint64, text string) []byte {
	return fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at, text)
}

// Key verifies the cosignatures of one witness. It is a note.Verifier.
type Key struct {
	name string
	id   uint32
	pub  ed25519.PublicKey
}

// ParseKey reads the verifier key of an Ed25519 cosigner.
func ParseKey(vkey string) (*Key, error) {
	name, id, pub, err := splitKey(vkey, ed25519.PublicKeySize)
	if err != nil {
		return nil, err
	}
	if id != cosignerID(name, pub) {
		return nil, fmt.Errorf("%w: the id in the verifier key is not the key's", Err)
	}
	return &Key{name, id, pub}, nil
}

// Name implements note.Verifier.
func (k *Key) Name() string { return k.name }

// KeyHash implements note.Verifier.
func (k *Key) KeyHash() uint32 { return k.id }

// Verify implements note.Verifier.
func (k *Key) Verify(msg, sig []byte) bool {
	if len(sig) != Size {
		return false
	}
	at := binary.BigEndian.Uint64(sig)
	return at <= math.MaxInt64 && ed25519.Verify(k.pub, cosignedMessage(at, string(msg)), sig[8:])
}
