package proof_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/logtest/keytest"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// signer is a log's signer whose key is made of one byte.
func signer(fill byte) *proof.Signer { return keytest.Fixed("log.example", "default", fill) }

// TestKnownNote is the signed note of c2sp.org/signed-note's own example.
func TestKnownNote(t *testing.T) {
	const vkey = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
	signed := "This is an example message.\n\n— example.com/foo " +
		"Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
	_, err := proof.OpenCheckpoint([]byte(signed), vkey)
	if !errors.Is(err, proof.ErrCheckpoint) || strings.Contains(err.Error(), "signature") {
		t.Errorf("the signature verifies, but the text is no checkpoint: %v", err)
	}
	if _, err := proof.OpenCheckpoint([]byte(strings.Replace(signed, "foo", "fop", 1)), vkey); err == nil ||
		!strings.Contains(err.Error(), "signature") {
		t.Errorf("%v", err)
	}
}

func TestCheckpointRoundTrip(t *testing.T) {
	s := signer(1)
	for _, size := range []uint64{0, 1, 10, 1<<53 - 1} {
		root := entry.LeafHash(fmt.Append(nil, size))
		signed, err := s.Sign(size, root)
		if err != nil {
			t.Fatal(err)
		}
		again, err := s.Sign(size, root)
		if err != nil || !bytes.Equal(signed, again) {
			t.Errorf("size %d: signed twice, two notes (%v)", size, err)
		}
		c, err := proof.OpenCheckpoint(signed, s.VerifierKey())
		if err != nil || c.Origin != s.Origin() || c.Size != size || c.Root != root || !bytes.Equal(c.Note, signed) {
			t.Errorf("size %d: %+v, %v", size, c, err)
		}
		if c, err := proof.ParseCheckpointUnverified(signed); err != nil || c.Origin != s.Origin() || c.Size != size ||
			c.Root != root {
			t.Errorf("size %d: %+v, %v", size, c, err)
		}
	}
	if other, err := signer(1).Sign(7, entry.Hash{}); err != nil {
		t.Error(err)
	} else if mine, _ := s.Sign(7, entry.Hash{}); !bytes.Equal(mine, other) {
		t.Error("one key, two signers, two notes")
	}
}

// TestNoFlippedBit: of a checkpoint no bit can change, also where the unchanged one was opened before.
func TestNoFlippedBit(t *testing.T) {
	s := signer(1)
	signed, err := s.Sign(1234, entry.LeafHash([]byte("root")))
	if err != nil {
		t.Fatal(err)
	}
	v, err := proof.NewVerifier(s.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(signed) * 8 {
		b := bytes.Clone(signed)
		for range 2 { // it is checked, and then remembered
			if c, by, err := v.Open(b); err != nil || c.Size != 1234 || len(by) != 1 {
				t.Fatalf("%+v by %v, %v", c, by, err)
			}
		}
		b[i/8] ^= 1 << (i % 8)
		if c, _, err := v.Open(b); !errors.Is(err, proof.ErrCheckpoint) {
			t.Errorf("verifier: bit %d of byte %d (%q): %+v, %v", i%8, i/8, signed[i/8], c, err)
		}
		if c, err := proof.OpenCheckpoint(b, s.VerifierKey()); !errors.Is(err, proof.ErrCheckpoint) {
			t.Errorf("bit %d of byte %d (%q): %+v, %v", i%8, i/8, signed[i/8], c, err)
		}
	}
	for i := range len(signed) {
		if _, err := proof.OpenCheckpoint(signed[:i], s.VerifierKey()); !errors.Is(err, proof.ErrCheckpoint) {
			t.Errorf("cut at %d: %v", i, err)
		}
	}
}

func TestCheckpointKeys(t *testing.T) {
	s, other := signer(1), signer(2)
	signed, err := s.Sign(5, entry.Hash{1})
	if err != nil {
		t.Fatal(err)
	}
	for name, keys := range map[string][]string{"no key": nil, "another key": {other.VerifierKey()},
		"no verifier key": {"x"}, "a signer key": {"PRIVATE+KEY+x+00000000+AQ=="}, "a good key and a bad one": {s.VerifierKey(), "x"},
		"a key of another name": {strings.Replace(s.VerifierKey(), "log.example", "log.exampl", 1)}} {
		if c, err := proof.OpenCheckpoint(signed, keys...); !errors.Is(err, proof.ErrCheckpoint) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	if _, err := proof.OpenCheckpoint(signed, other.VerifierKey(), s.VerifierKey()); err != nil {
		t.Error(err)
	}
	if _, err := proof.OpenCheckpoint(bytes.Repeat([]byte("x"), 1<<20), s.VerifierKey()); !errors.Is(err,
		proof.ErrCheckpoint) {
		t.Errorf("a note of a megabyte: %v", err)
	}
}

func TestGenerateKey(t *testing.T) {
	skey, vkey, err := proof.GenerateKey("log.example", "default")
	if err != nil {
		t.Fatal(err)
	}
	s, err := proof.NewSigner(skey)
	if err != nil || s.VerifierKey() != vkey {
		t.Fatalf("%v: %s, %s", err, s.VerifierKey(), vkey)
	}
	if !strings.HasPrefix(s.Origin(), "log.example/default/") || len(s.Origin()) != len("log.example/default/")+8 {
		t.Errorf("origin %s", s.Origin())
	}
	signed, err := s.Sign(3, entry.Hash{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := proof.OpenCheckpoint(signed, vkey); err != nil {
		t.Error(err)
	}
	if _, second, err := proof.GenerateKey("log.example", "default"); err != nil || second == vkey {
		t.Errorf("the same key again: %v", err)
	}
	for _, c := range [][2]string{
		{"", "default"}, {"a b", "default"}, {"a+b", "default"}, {"a/b", "default"}, {"a\nb", "default"}, {"a", ""},
		{"a", "Default"}, {"a", strings.Repeat("x", 33)},
	} {
		if _, _, err := proof.GenerateKey(c[0], c[1]); err == nil {
			t.Errorf("a key of %q and %q", c[0], c[1])
		}
	}
	for _, bad := range []string{
		"", "x", vkey, strings.Replace(skey, "default", "other", 1), skey[:len(skey)-4], skey + "AAAA",
	} {
		if _, err := proof.NewSigner(bad); err == nil {
			t.Errorf("a signer of %.30q", bad)
		}
	}
}
