package proof

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/sealstream/sealstream/pkg/entry"
)

// ErrCheckpoint is wrapped by every error of a checkpoint: of its form, or of its signature.
var ErrCheckpoint = errors.New("checkpoint does not hold")

// maxNote bounds what is taken for a signed note.
const maxNote = 16 << 10

// Checkpoint is a c2sp.org/tlog-checkpoint: the root of a log at a size.
type Checkpoint struct {
	Origin string
	Size   uint64
	Root   entry.Hash
	Note   []byte // signed, verbatim
}

// Origin names a log: <host>/<log>/<8 hex of SHA-256 of its public key> (SPEC 8). Two logs never share one.
func Origin(host, log string, pub ed25519.PublicKey) string {
	h := sha256.Sum256(pub)
	return host + "/" + log + "/" + hex.EncodeToString(h[:4])
}

// GenerateKey makes a log's key pair: a note signer key, which is secret, and the verifier key for everyone.
func GenerateKey(host, log string) (skey, vkey string, err error) {
	if host == "" || strings.ContainsAny(host, "+ \t\n/") || !entry.ValidLog(log) {
		return "", "", fmt.Errorf("generate key: %q and %q make no origin", host, log)
	}
	pub, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", "", fmt.Errorf("generate key: %w", err)
	}
	name := Origin(host, log, pub)
	if vkey, err = note.NewEd25519VerifierKey(name, pub); err != nil {
		return "", "", fmt.Errorf("generate key: %w", err)
	}
	keyID := strings.Split(vkey, "+")[1]
	skey = "PRIVATE+KEY+" + name + "+" + keyID + "+" + base64.StdEncoding.EncodeToString(append([]byte{1}, private.Seed()...))
	return skey, vkey, nil
}

// Signer signs checkpoints. Ed25519 is deterministic: the same size and root give the same bytes, at every start.
type Signer struct {
	signer note.Signer
	vkey   string
}

// NewSigner takes a signer key as GenerateKey makes it.
func NewSigner(skey string) (*Signer, error) {
	s, err := note.NewSigner(skey)
	if err != nil {
		return nil, fmt.Errorf("signer key: %w", err)
	}
	parts := strings.Split(skey, "+") // the key holds the seed; NewSigner has checked its form
	seed, err := base64.StdEncoding.DecodeString(strings.Join(parts[4:], "+"))
	if err != nil || len(seed) != 1+ed25519.SeedSize {
		return nil, errors.New("signer key: malformed")
	}
	pub := ed25519.NewKeyFromSeed(seed[1:]).Public().(ed25519.PublicKey)
	vkey, err := note.NewEd25519VerifierKey(s.Name(), pub)
	if err != nil {
		return nil, fmt.Errorf("signer key: %w", err)
	}
	return &Signer{s, vkey}, nil
}

// Origin is the name of the key, and of the log.
func (s *Signer) Origin() string { return s.signer.Name() }

// VerifierKey is the public key, as others need it.
func (s *Signer) VerifierKey() string { return s.vkey }

// Sign makes the signed checkpoint of a size and root.
func (s *Signer) Sign(size uint64, root entry.Hash) ([]byte, error) {
	return note.Sign(&note.Note{Text: checkpointText(s.Origin(), size, root)}, s.signer)
}

func checkpointText(origin string, size uint64, root entry.Hash) string {
	return fmt.Sprintf("%s\n%d\n%s\n", origin, size, base64.StdEncoding.EncodeToString(root[:]))
}

// CheckKey says whether a text is a verifier key.
func CheckKey(vkey string) error {
	if _, err := note.NewVerifier(vkey); err != nil {
		return fmt.Errorf("%w: verifier key %.80q: %w", ErrCheckpoint, vkey, err)
	}
	return nil
}

// OpenCheckpoint reads a signed checkpoint. At least one of the keys must have signed it, and its origin must be that
// key's name; signatures by others are ignored.
func OpenCheckpoint(signed []byte, vkeys ...string) (Checkpoint, error) {
	verifiers := make([]note.Verifier, len(vkeys))
	for i, k := range vkeys {
		v, err := note.NewVerifier(k)
		if err != nil {
			return Checkpoint{}, fmt.Errorf("%w: verifier key %.80q: %w", ErrCheckpoint, k, err)
		}
		verifiers[i] = v
	}
	return openCheckpoint(signed, note.VerifierList(verifiers...))
}

func openCheckpoint(signed []byte, verifiers note.Verifiers) (Checkpoint, error) {
	if len(signed) > maxNote {
		return Checkpoint{}, fmt.Errorf("%w: %d bytes", ErrCheckpoint, len(signed))
	}
	n, err := note.Open(signed, verifiers)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: signature: %w", ErrCheckpoint, err)
	}
	c, err := parseText(n.Text)
	if err != nil {
		return Checkpoint{}, err
	}
	for _, sig := range n.Sigs {
		if _, err := base64.StdEncoding.Strict().DecodeString(sig.Base64); err != nil { // note.Open overlooks the bits left over
			return Checkpoint{}, fmt.Errorf("%w: signature: %w", ErrCheckpoint, err)
		}
		if sig.Name == c.Origin {
			c.Note = signed
			return c, nil
		}
	}
	return Checkpoint{}, fmt.Errorf("%w: not signed by its origin %.80q", ErrCheckpoint, c.Origin)
}

// OpenForeignCheckpoint reads a signed checkpoint of a log that may not be sealstream's: it may have extension lines, which are not looked at.
// One of the keys must have signed it, under the name of its origin.
func OpenForeignCheckpoint(signed []byte, vkeys ...string) (Checkpoint, error) {
	verifiers, err := newVerifiers(vkeys)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	if len(signed) > maxNote {
		return Checkpoint{}, fmt.Errorf("%w: %d bytes", ErrCheckpoint, len(signed))
	}
	n, err := note.Open(signed, verifiers)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: signature: %w", ErrCheckpoint, err)
	}
	if strings.Contains(n.Text, "\n\n") {
		return Checkpoint{}, fmt.Errorf("%w: an empty line in its text", ErrCheckpoint)
	}
	c, err := ParseForeignCheckpoint(signed)
	if err != nil {
		return Checkpoint{}, err
	}
	for _, sig := range n.Sigs {
		if sig.Name == c.Origin {
			return c, nil
		}
	}
	return Checkpoint{}, fmt.Errorf("%w: not signed by its origin %.80q", ErrCheckpoint, c.Origin)
}

// ParseForeignCheckpoint is ParseCheckpointUnverified for a log that may not be sealstream's.
func ParseForeignCheckpoint(signed []byte) (Checkpoint, error) {
	text, _, ok := strings.Cut(string(signed), "\n\n")
	if !ok || len(signed) > maxNote {
		return Checkpoint{}, fmt.Errorf("%w: not a signed note", ErrCheckpoint)
	}
	if lines := strings.SplitN(text, "\n", 4); len(lines) == 4 { // no line of the rest is empty, or the note would end there
		text = strings.Join(lines[:3], "\n")
	}
	c, err := parseText(text + "\n")
	c.Note = signed
	return c, err
}

// ParseCheckpointUnverified reads a checkpoint without looking at its signatures. It proves nothing.
func ParseCheckpointUnverified(signed []byte) (Checkpoint, error) {
	text, _, ok := strings.Cut(string(signed), "\n\n")
	if !ok || len(signed) > maxNote {
		return Checkpoint{}, fmt.Errorf("%w: not a signed note", ErrCheckpoint)
	}
	c, err := parseText(text + "\n")
	c.Note = signed
	return c, err
}

// parseText takes just what checkpointText writes: no extension lines, no other spelling of a number.
func parseText(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[0] == "" || lines[3] != "" {
		return Checkpoint{}, fmt.Errorf("%w: not the three lines of a checkpoint", ErrCheckpoint)
	}
	size, err := strconv.ParseUint(lines[1], 10, 64)
	root, err2 := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || err2 != nil || size > maxSize || len(root) != len(entry.Hash{}) {
		return Checkpoint{}, fmt.Errorf("%w: bad size or root", ErrCheckpoint)
	}
	c := Checkpoint{Origin: lines[0], Size: size, Root: entry.Hash(root)}
	if checkpointText(c.Origin, c.Size, c.Root) != text {
		return Checkpoint{}, fmt.Errorf("%w: not in canonical form", ErrCheckpoint)
	}
	return c, nil
}
