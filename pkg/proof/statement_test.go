package proof_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// TestStatement: a statement holds for its document, kind and key alone, and is never taken for a checkpoint.
func TestStatement(t *testing.T) {
	skey, vkey, err := proof.GenerateKey("proof.example.com", "default")
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := proof.GenerateKey("proof.example.com", "default")
	if err != nil {
		t.Fatal(err)
	}
	s, err := proof.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.SignStatement("attestation", []byte("document"))
	if err != nil {
		t.Fatal(err)
	}
	if by, err := proof.OpenStatement(signed, "attestation", []byte("document"), other, vkey); err != nil ||
		by != vkey {
		t.Fatalf("signed by %q: %v", by, err)
	}
	for name, open := range map[string]func() (string, error){
		"another document": func() (string, error) {
			return proof.OpenStatement(signed, "attestation", []byte("documents"), vkey)
		},
		"another kind": func() (string, error) { return proof.OpenStatement(signed, "manifest", []byte("document"), vkey) },
		"another key":  func() (string, error) { return proof.OpenStatement(signed, "attestation", []byte("document"), other) },
		"no key":       func() (string, error) { return proof.OpenStatement(signed, "attestation", []byte("document")) },
		"a bad key":    func() (string, error) { return proof.OpenStatement(signed, "attestation", []byte("document"), "x") },
		"a number":     func() (string, error) { return proof.OpenStatement(signed, "12", []byte("document"), vkey) },
		"no signature": func() (string, error) { return proof.OpenStatement("", "attestation", []byte("document"), vkey) },
		"much too large": func() (string, error) {
			return proof.OpenStatement(strings.Repeat("x", 1<<20), "attestation", nil, vkey)
		},
	} {
		if _, err := open(); !errors.Is(err, proof.ErrStatement) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := proof.OpenCheckpoint([]byte(signed), vkey); !errors.Is(err, proof.ErrCheckpoint) {
		t.Errorf("a statement opens as a checkpoint: %v", err)
	}
	if _, err := proof.OpenForeignCheckpoint([]byte(signed), vkey); !errors.Is(err, proof.ErrCheckpoint) {
		t.Errorf("a statement opens as a checkpoint of others: %v", err)
	}
	checkpoint, err := s.Sign(1, entry.Hash{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := proof.OpenStatement(string(checkpoint), "attestation", nil, vkey); !errors.Is(err,
		proof.ErrStatement) {
		t.Errorf("a checkpoint opens as a statement: %v", err)
	}
}
