package access

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"
)

// ErrRules is wrapped by every error that says what is wrong with rules of access.
var ErrRules = errors.New("rules of access")

// MaxFileBytes limits the text of rules: that of an entry sealstream.access (SPEC-rules4 5).
const MaxFileBytes = 262_144

// Rules is the content of access.yaml. Compile checks it.
//
// The text of a file has no secrets, so it can be sealed as it is. It names a token by the SHA-256
// of its text. That helps nobody to guess it, since a token has 256 random bits and the gate takes
// nothing in any other form.
type Rules struct {
	Issuers    []Issuer // of OpenID Connect
	Identities []Identity
}

// Limits of rules.
const (
	MaxIdentities  = 4096
	MaxCredentials = 256 // of one kind, in one identity
	MaxIssuers     = 16
)

// Identity is one party: a person, a program or a group. It can prove itself in several ways.
type Identity struct {
	// ID is what entries show as publisher: 1 to 128 characters of A-Z a-z 0-9 . _ : @ + -
	ID     string
	Tokens []TokenHash // bearer tokens
	OIDC   []ClaimRule // JWTs of the issuers
	// MTLS are names in client certificates: spiffe://DOMAIN/PATH, or dns:NAME for a DNS name.
	MTLS []string
	// NKeys are public keys of NATS users: U and 55 characters.
	NKeys  []string
	Grants Grants
}

// TokenHash is a bearer token as the rules know it.
type TokenHash struct {
	Name    string            // 1 to 64 characters of A-Z a-z 0-9 . _ -; unique in its identity
	Hash    [sha256.Size]byte // SHA-256 of the token's text
	Expires time.Time         // zero if never
}

// Issuer is a party whose JWTs are accepted.
type Issuer struct {
	URL        string   // https://HOST/PATH, exactly as in the claim iss
	Audience   string   // the claim aud must contain it
	Algorithms []string // of EdDSA, ES256 and RS256; empty means all three
	CAFile     string   // PEM file of the authorities to trust for URL; "" means those of the system
}

// ClaimRule says which JWTs prove an identity.
type ClaimRule struct {
	Issuer string            // URL of one of the issuers
	Claims map[string]string // each claim equals the text, or is a list that contains it
	// Name is a claim whose text is added to the identity's id after a slash, as in
	// auditors/alice. So the members of a group are told apart. "" adds nothing.
	Name string
}

// check checks what can be wrong with one identity alone.
func (d *Identity) check() error {
	if err := checkID(d.ID); err != nil {
		return err
	}
	for _, n := range []int{len(d.Tokens), len(d.OIDC), len(d.MTLS), len(d.NKeys)} {
		if n > MaxCredentials {
			return fmt.Errorf("%w: %d credentials of one kind, more than %d", ErrRules, n, MaxCredentials)
		}
	}
	names := map[string]bool{}
	for _, t := range d.Tokens {
		if err := CheckTokenName(t.Name); err != nil {
			return err
		}
		if names[t.Name] {
			return fmt.Errorf("%w: two tokens are named %q", ErrRules, t.Name)
		}
		names[t.Name] = true
	}
	for _, name := range d.MTLS {
		if err := checkSubject(name); err != nil {
			return err
		}
	}
	for _, key := range d.NKeys {
		if err := checkNKey(key); err != nil {
			return err
		}
	}
	return d.Grants.check()
}
