package proof

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
)

// ErrCheckpoint is wrapped by every error about a checkpoint's form or signature, and by those
// about verifier keys of logs.
var ErrCheckpoint = errors.New("checkpoint does not hold")

// ErrNotSigned reports that none of the given keys has signed a checkpoint. Errors that wrap it
// wrap ErrCheckpoint, too.
var ErrNotSigned = errors.New("not signed by the key that you gave")

// maxNote is the most bytes that a signed note may have.
const maxNote = 16 << 10

// Checkpoint is a log's statement of the size and the root of its tree (c2sp.org/tlog-checkpoint).
type Checkpoint struct {
	Origin string     // name of the log
	Size   uint64     // number of leaves
	Root   entry.Hash // root of the tree
	Note   []byte     // the signed note, verbatim; nil if the checkpoint was not read from one
}

// Origin returns the name of a log: <host>/<log>/<8 hex digits of SHA-256 of its public key> (SPEC
// 8). The key makes it unique.
func Origin(host, log string, pub ed25519.PublicKey) string {
	h := sha256.Sum256(pub)
	return host + "/" + log + "/" + hex.EncodeToString(h[:4])
}

// GenerateKey makes the first key pair of a log. skey is the note signer key, which is secret. vkey
// is the verifier key, which everyone may know. The host must not be empty nor have a space, a plus
// sign or a slash. The log's name must be valid (SPEC 2).
func GenerateKey(host, log string) (skey, vkey string, err error) {
	if host == "" || strings.ContainsAny(host, "+ \t\n/") || !ruleset.ValidLog(log) {
		return "", "", fmt.Errorf("generate key: %q and %q make no origin", host, log)
	}
	return generateKey(func(pub ed25519.PublicKey) string { return Origin(host, log, pub) })
}

// GenerateNextKey makes a further key pair for a log that has an origin already.
func GenerateNextKey(origin string) (skey, vkey string, err error) {
	return generateKey(func(ed25519.PublicKey) string { return origin })
}

func generateKey(nameOf func(ed25519.PublicKey) string) (skey, vkey string, err error) {
	pub, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", "", fmt.Errorf("generate key: %w", err)
	}
	name := nameOf(pub)
	if vkey, err = note.NewEd25519VerifierKey(name, pub); err != nil {
		return "", "", fmt.Errorf("generate key: %w", err)
	}
	keyID := strings.Split(vkey, "+")[1]
	skey = "PRIVATE+KEY+" + name + "+" + keyID + "+" + base64.StdEncoding.EncodeToString(
		append([]byte{1}, private.Seed()...),
	)
	return skey, vkey, nil
}

// Signer signs the checkpoints and statements of one log. Ed25519 is deterministic: the same size
// and root give the same bytes at every start. Make it with NewSigner. Several goroutines may use
// it at a time.
type Signer struct{ keys []signingKey }

type signingKey struct {
	note.Signer
	vkey string
}

// NewSigner returns the Signer of signer keys that GenerateKey and GenerateNextKey made: the log's
// own key first, then the others that are active while keys overlap. All must have the same origin,
// and at least one is required.
func NewSigner(skeys ...string) (*Signer, error) {
	s := &Signer{}
	for _, skey := range skeys {
		k, err := newSigningKey(skey)
		if err != nil {
			return nil, fmt.Errorf("signer key: %w", err)
		}
		if len(s.keys) > 0 && k.Name() != s.Origin() {
			return nil, fmt.Errorf("signer keys of two logs: %s and %s", s.Origin(), k.Name())
		}
		s.keys = append(s.keys, k)
	}
	if len(s.keys) == 0 {
		return nil, errors.New("no signer key")
	}
	return s, nil
}

func newSigningKey(skey string) (signingKey, error) {
	s, err := note.NewSigner(skey)
	if err != nil {
		return signingKey{}, err
	}
	parts := strings.Split(skey, "+") // the key holds the seed; NewSigner has checked its form
	seed, err := base64.StdEncoding.DecodeString(strings.Join(parts[4:], "+"))
	if err != nil || len(seed) != 1+ed25519.SeedSize {
		return signingKey{}, errors.New("malformed")
	}
	vkey, err := note.NewEd25519VerifierKey(s.Name(), ed25519.NewKeyFromSeed(seed[1:]).Public().(ed25519.PublicKey))
	return signingKey{s, vkey}, err
}

// Origin returns the origin of the log, which is the name of all the keys.
func (s *Signer) Origin() string { return s.keys[0].Name() }

// VerifierKey returns the verifier key of the first signer key.
func (s *Signer) VerifierKey() string { return s.keys[0].vkey }

// VerifierKeys returns the verifier keys of all signer keys.
func (s *Signer) VerifierKeys() []string {
	list := make([]string, len(s.keys))
	for i, k := range s.keys {
		list[i] = k.vkey
	}
	return list
}

// Sign returns the signed checkpoint of a size and root. The keys that vkeys name sign it. Without
// vkeys, all keys do. It is an error to name a key that the Signer does not have.
func (s *Signer) Sign(size uint64, root entry.Hash, vkeys ...string) ([]byte, error) {
	if len(vkeys) == 0 {
		vkeys = s.VerifierKeys()
	}
	signers := make([]note.Signer, len(vkeys))
	for i, vkey := range vkeys {
		at := slices.IndexFunc(s.keys, func(k signingKey) bool { return k.vkey == vkey })
		if at < 0 {
			return nil, fmt.Errorf("the private key of %.120q is not here", vkey)
		}
		signers[i] = s.keys[at]
	}
	return note.Sign(&note.Note{Text: checkpointText(s.Origin(), size, root)}, signers...)
}

func checkpointText(origin string, size uint64, root entry.Hash) string {
	return fmt.Sprintf("%s\n%d\n%s\n", origin, size, base64.StdEncoding.EncodeToString(root[:]))
}

// CheckKey returns an error if a text is not the verifier key of a log.
func CheckKey(vkey string) error {
	if _, err := note.NewVerifier(vkey); err != nil {
		return fmt.Errorf("%w: verifier key %.80q: %w", ErrCheckpoint, vkey, err)
	}
	return nil
}

// OpenCheckpoint reads a signed checkpoint and verifies its signature. At least one of the keys
// must have signed it, and its origin must be that key's name. Signatures by other keys are
// ignored. Every error wraps ErrCheckpoint.
func OpenCheckpoint(signed []byte, vkeys ...string) (Checkpoint, error) {
	verifiers, err := newVerifiers(vkeys)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	return openCheckpoint(signed, verifiers)
}

func openCheckpoint(signed []byte, verifiers note.Verifiers) (Checkpoint, error) {
	c, _, err := openCheckpointBy(signed, verifiers)
	return c, err
}

// openCheckpointBy also returns the ids of the keys that have signed. All of them have the origin's
// name.
func openCheckpointBy(signed []byte, verifiers note.Verifiers) (c Checkpoint, by []uint32, err error) {
	if len(signed) > maxNote {
		return Checkpoint{}, nil, fmt.Errorf("%w: %d bytes", ErrCheckpoint, len(signed))
	}
	n, err := openSigned(signed, verifiers)
	if err != nil {
		return Checkpoint{}, nil, err
	}
	if c, err = parseText(n.Text); err != nil {
		return Checkpoint{}, nil, err
	}
	for _, sig := range n.Sigs {
		if _, err := base64.StdEncoding.Strict().DecodeString(sig.Base64); err != nil {
			// note.Open overlooks the bits left over
			return Checkpoint{}, nil, fmt.Errorf("%w: signature: %w", ErrCheckpoint, err)
		}
		if sig.Name == c.Origin {
			by = append(by, sig.Hash)
		}
	}
	if by == nil {
		return Checkpoint{}, nil, fmt.Errorf("%w: %w: it names the log %.80q", ErrCheckpoint, ErrNotSigned, c.Origin)
	}
	c.Note = signed
	return c, by, nil
}

// openSigned opens a note. Its errors tell a malformed note, a wrong signature and signatures by
// other keys apart.
func openSigned(signed []byte, verifiers note.Verifiers) (*note.Note, error) {
	n, err := note.Open(signed, verifiers)
	if unverified, ok := errors.AsType[*note.UnverifiedNoteError](err); ok {
		by := make([]string, 0, 3)
		for _, s := range unverified.Note.UnverifiedSigs[:min(3, len(unverified.Note.UnverifiedSigs))] {
			by = append(by, fmt.Sprintf("%.80s+%08x", s.Name, s.Hash))
		}
		return nil, fmt.Errorf(
			"%w: %w: it has only signatures of other keys, %s",
			ErrCheckpoint,
			ErrNotSigned,
			strings.Join(by, ", "),
		)
	}
	if bad, ok := errors.AsType[*note.InvalidSignatureError](err); ok {
		return nil, fmt.Errorf(
			"%w: %w: the signature of %.80s+%08x is wrong",
			ErrCheckpoint,
			ErrNotSigned,
			bad.Name,
			bad.Hash,
		)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: not a signed note: %w", ErrCheckpoint, err)
	}
	return n, nil
}

// OpenForeignCheckpoint is OpenCheckpoint for a log of any software. Its checkpoints may have
// extension lines, which are ignored. One of the keys must have signed, under the name of the
// origin.
func OpenForeignCheckpoint(signed []byte, vkeys ...string) (Checkpoint, error) {
	verifiers, err := newVerifiers(vkeys)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	if len(signed) > maxNote {
		return Checkpoint{}, fmt.Errorf("%w: %d bytes", ErrCheckpoint, len(signed))
	}
	n, err := openSigned(signed, verifiers)
	if err != nil {
		return Checkpoint{}, err
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
	return Checkpoint{}, fmt.Errorf("%w: %w: it names the log %.80q", ErrCheckpoint, ErrNotSigned, c.Origin)
}

// ParseForeignCheckpoint is ParseCheckpointUnverified for a log of any software. Extension lines
// are ignored.
func ParseForeignCheckpoint(signed []byte) (Checkpoint, error) {
	text, _, ok := strings.Cut(string(signed), "\n\n")
	if !ok || len(signed) > maxNote {
		return Checkpoint{}, fmt.Errorf("%w: not a signed note", ErrCheckpoint)
	}
	if lines := strings.SplitN(text, "\n", 4); len(lines) == 4 {
		// no line of the rest is empty, or the note would end there
		text = strings.Join(lines[:3], "\n")
	}
	c, err := parseText(text + "\n")
	c.Note = signed
	return c, err
}

// ParseCheckpointUnverified reads a checkpoint without verifying its signatures. The result proves
// nothing. Every error wraps ErrCheckpoint.
func ParseCheckpointUnverified(signed []byte) (Checkpoint, error) {
	text, _, ok := strings.Cut(string(signed), "\n\n")
	if !ok || len(signed) > maxNote {
		return Checkpoint{}, fmt.Errorf("%w: not a signed note", ErrCheckpoint)
	}
	c, err := parseText(text + "\n")
	c.Note = signed
	return c, err
}

// parseText accepts exactly what checkpointText writes: no extension lines, and no other spelling
// of a number.
func parseText(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[0] == "" || lines[3] != "" {
		return Checkpoint{}, fmt.Errorf("%w: not the three lines of a checkpoint", ErrCheckpoint)
	}
	size, err := strconv.ParseUint(lines[1], 10, 64)
	root, err2 := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || err2 != nil || size > merkle.MaxSize || len(root) != len(entry.Hash{}) {
		return Checkpoint{}, fmt.Errorf("%w: bad size or root", ErrCheckpoint)
	}
	c := Checkpoint{Origin: lines[0], Size: size, Root: entry.Hash(root)}
	if checkpointText(c.Origin, c.Size, c.Root) != text {
		return Checkpoint{}, fmt.Errorf("%w: not in canonical form", ErrCheckpoint)
	}
	return c, nil
}
