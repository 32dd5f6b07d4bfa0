// Package keytest makes the keys of tests. It needs nothing but keys, so that the tests of every
// package can import it.
package keytest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"testing"

	"github.com/sealstream/sealstream/pkg/proof"
)

// Signer is a new key of a log.
func Signer(t testing.TB, host, log string) *proof.Signer {
	t.Helper()
	key, _, err := proof.GenerateKey(host, log)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := proof.NewSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// Fixed is a key of a log that is the same at every run. Its seed is fill, repeated.
func Fixed(host, log string, fill byte) *proof.Signer {
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{fill}, ed25519.SeedSize))
	public := private.Public().(ed25519.PublicKey)
	origin := proof.Origin(host, log, public)
	// c2sp.org/signed-note: 1 is Ed25519.
	id := sha256.Sum256(append([]byte(origin+"\n\x01"), public...))
	seed := base64.StdEncoding.EncodeToString(append([]byte{1}, private.Seed()...))
	signer, err := proof.NewSigner(fmt.Sprintf("PRIVATE+KEY+%s+%x+%s", origin, id[:4], seed))
	if err != nil {
		panic(err)
	}
	return signer
}
