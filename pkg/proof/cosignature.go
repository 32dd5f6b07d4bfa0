package proof

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

	"golang.org/x/mod/sumdb/note"
)

// ErrCosignature is wrapped by every error of a cosignature, and of a cosigner's key.
var ErrCosignature = errors.New("cosignature does not hold")

// algCosignature is the type of Ed25519 cosignatures (c2sp.org/tlog-cosignature).
const algCosignature = 0x04

// cosignatureSize is that of a cosignature: a POSIX time and an Ed25519 signature.
const cosignatureSize = 8 + ed25519.SignatureSize

// Cosignature is what one witness says of a checkpoint: at that time, it was the largest that this log had shown it, and consistent with
// all that it had shown before.
type Cosignature struct {
	Name string // of the cosigner's key
	Time uint64 // POSIX seconds

	id uint32 // of the key
}

func (c Cosignature) sameKey(other Cosignature) bool { return c.Name == other.Name && c.id == other.id }

// GenerateCosignerKey makes a witness's key pair: a signer key, which is secret, and the verifier key for everyone.
func GenerateCosignerKey(name string) (skey, vkey string, err error) {
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
	return fmt.Sprintf("%s%s+%08x+%s", prefix, name, cosignerID(name, pub), base64.StdEncoding.EncodeToString(append([]byte{algCosignature}, material...)))
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
	return name != "" && utf8.ValidString(name) && !strings.ContainsFunc(name, unicode.IsSpace) && !strings.Contains(name, "+")
}

// Cosigner signs other logs' checkpoints as a witness.
type Cosigner struct {
	name    string
	private ed25519.PrivateKey
	vkey    string
}

// NewCosigner takes a signer key as GenerateCosignerKey makes it.
func NewCosigner(skey string) (*Cosigner, error) {
	rest, ok := strings.CutPrefix(skey, "PRIVATE+KEY+")
	name, id, seed, err := splitKey(rest, ed25519.SeedSize)
	if !ok || err != nil {
		return nil, fmt.Errorf("%w: signer key: malformed", ErrCosignature) // whatever is wrong with it, it is not shown
	}
	c := &Cosigner{name: name, private: ed25519.NewKeyFromSeed(seed)}
	pub := c.private.Public().(ed25519.PublicKey)
	if id != cosignerID(name, pub) {
		return nil, fmt.Errorf("%w: signer key: its id is not the key's", ErrCosignature)
	}
	c.vkey = cosignerText("", name, pub, pub)
	return c, nil
}

// splitKey takes <name>+<id>+<base64 of type and key> apart.
func splitKey(text string, size int) (name string, id uint32, key []byte, err error) {
	parts := strings.SplitN(text, "+", 3)
	if len(parts) != 3 || !validKeyName(parts[0]) || len(parts[1]) != 8 {
		return "", 0, nil, fmt.Errorf("%w: malformed key", ErrCosignature)
	}
	if _, err := fmt.Sscanf(parts[1], "%08x", &id); err != nil || fmt.Sprintf("%08x", id) != parts[1] {
		return "", 0, nil, fmt.Errorf("%w: malformed key id", ErrCosignature)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(parts[2])
	switch {
	case err != nil || len(raw) == 0:
		return "", 0, nil, fmt.Errorf("%w: malformed key", ErrCosignature)
	case raw[0] != algCosignature:
		return "", 0, nil, fmt.Errorf("%w: key of type %#02x, where an Ed25519 cosigner has 0x04", ErrCosignature, raw[0])
	case len(raw) != 1+size:
		return "", 0, nil, fmt.Errorf("%w: key of %d bytes", ErrCosignature, len(raw)-1)
	}
	return parts[0], id, raw[1:], nil
}

// Name is the name of the cosigner's key.
func (c *Cosigner) Name() string { return c.name }

// VerifierKey is the public key, as policies name it.
func (c *Cosigner) VerifierKey() string { return c.vkey }

// Cosign makes the signature line of a checkpoint, line feed included, as of a POSIX time. Whether to sign is the caller's decision: what
// the checkpoint says is not looked at.
func (c *Cosigner) Cosign(signed []byte, at uint64) ([]byte, error) {
	end := strings.LastIndex(string(signed), "\n\n")
	if end < 0 || at > math.MaxInt64 {
		return nil, fmt.Errorf("%w: no note, or no time", ErrCosignature)
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

// cosignerKey verifies the cosignatures of one witness. It is a note.Verifier.
type cosignerKey struct {
	name string
	id   uint32
	pub  ed25519.PublicKey
}

func parseCosignerKey(vkey string) (*cosignerKey, error) {
	name, id, pub, err := splitKey(vkey, ed25519.PublicKeySize)
	if err != nil {
		return nil, err
	}
	if id != cosignerID(name, pub) {
		return nil, fmt.Errorf("%w: the id in the verifier key is not the key's", ErrCosignature)
	}
	return &cosignerKey{name, id, pub}, nil
}

// CheckCosignerKey says whether a text is the verifier key of an Ed25519 cosigner.
func CheckCosignerKey(vkey string) error {
	_, err := parseCosignerKey(vkey)
	return err
}

// Name implements note.Verifier.
func (k *cosignerKey) Name() string { return k.name }

// KeyHash implements note.Verifier.
func (k *cosignerKey) KeyHash() uint32 { return k.id }

// Verify implements note.Verifier.
func (k *cosignerKey) Verify(msg, sig []byte) bool {
	if len(sig) != cosignatureSize {
		return false
	}
	at := binary.BigEndian.Uint64(sig)
	return at <= math.MaxInt64 && ed25519.Verify(k.pub, cosignedMessage(at, string(msg)), sig[8:])
}

// cosignatures opens a note with cosigners' keys. That none has signed is no error, but a signature of theirs that is wrong is one.
func cosignatures(signed []byte, keys []note.Verifier) ([]Cosignature, error) {
	if len(signed) > maxNote {
		return nil, fmt.Errorf("%w: note of %d bytes", ErrCosignature, len(signed))
	}
	n, err := note.Open(signed, note.VerifierList(keys...))
	if _, unsigned := errors.AsType[*note.UnverifiedNoteError](err); unsigned {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCosignature, err)
	}
	list := make([]Cosignature, len(n.Sigs))
	for i, s := range n.Sigs {
		raw, err := base64.StdEncoding.Strict().DecodeString(s.Base64) // note.Open overlooks the bits left over
		if err != nil || len(raw) != 4+cosignatureSize {
			return nil, fmt.Errorf("%w: signature of %.80q", ErrCosignature, s.Name)
		}
		list[i] = Cosignature{s.Name, binary.BigEndian.Uint64(raw[4:]), s.Hash}
	}
	return list, nil
}
