package access

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sealstream/sealstream/internal/ruleset"
)

// Errors of Judge. A client is told no more than their text.
var (
	// ErrUnknown reports a credential that proves no identity: it was never valid, or was removed
	// from the rules.
	ErrUnknown = errors.New("the credential is not accepted")
	// ErrExpired reports a credential whose time is over.
	ErrExpired = errors.New("the credential has expired")
)

// Kind is a kind of credential.
type Kind string

// The kinds of credentials.
const (
	Token Kind = "token"
	OIDC  Kind = "oidc"
	MTLS  Kind = "mtls"
	NKey  Kind = "nkey"
)

// Credential is what somebody has proven, by whatever means: that they hold a token, the key of a
// certificate or an nkey, or that an issuer has signed claims about them. The caller of Judge must
// have checked this proof, except for tokens, whose hash is the proof.
type Credential struct {
	Kind    Kind
	Token   [sha256.Size]byte // SHA-256 of the token's text
	Names   []string          // names in the certificate, as Identity.MTLS has them
	NKey    string            // public key of the NATS user
	Claims  *Claims           // of a JWT
	Expires time.Time         // of the certificate or the JWT; zero if never
}

// Claims is a verified JWT.
type Claims struct {
	Issuer    string
	Audience  []string
	Algorithm string
	// Values are the claims by name: those that are a text, and the texts in those that are a list.
	Values map[string][]string
}

// Judge says who holds a credential, and what they may do. now is the time by which it may have
// expired. The error is ErrUnknown or ErrExpired, and the Caller is then the zero one.
func (v *Version) Judge(c Credential, now time.Time) (Caller, error) {
	j := v.find(c)
	switch {
	case j == nil:
		return Caller{}, ErrUnknown
	case !j.expires.IsZero() && !now.Before(j.expires):
		return Caller{}, ErrExpired
	}
	return Caller{j}, nil
}

// Rejudge judges a caller of another version by this one, by the same credential. Open stays Open,
// and a stranger a stranger.
func (v *Version) Rejudge(c Caller, now time.Time) (Caller, error) {
	if c.j == nil || c.open() {
		return c, nil
	}
	return v.Judge(c.j.credential, now)
}

func (v *Version) find(c Credential) *judged {
	found := func(d *Identity, id string) *judged {
		return &judged{version: v, identity: d, id: id, expires: c.Expires, credential: c}
	}
	switch c.Kind {
	case Token:
		// The hash of a guess tells nothing of a token, so the time of this look-up may be known.
		return v.tokens[c.Token]
	case NKey:
		if d := v.nkeys[c.NKey]; d != nil {
			return found(d, d.ID)
		}
	case MTLS:
		if d := v.subjectOf(c.Names); d != nil {
			return found(d, d.ID)
		}
	case OIDC:
		if d, id := v.claimant(c.Claims); d != nil {
			return found(d, id)
		}
	}
	return nil
}

// subjectOf returns the identity that the names of a certificate prove. Names of two identities
// prove none.
func (v *Version) subjectOf(names []string) *Identity {
	var found *Identity
	for _, name := range names {
		d := v.subjects[name]
		if d != nil && found != nil && d != found {
			return nil
		}
		if d != nil {
			found = d
		}
	}
	return found
}

// claimant returns the first identity whose rule claims match, with the id to show.
func (v *Version) claimant(c *Claims) (*Identity, string) {
	issuer := v.issuers[c.Issuer]
	if issuer == nil || !slices.Contains(c.Audience, issuer.Audience) || !issuer.accepts(c.Algorithm) {
		return nil, ""
	}
	for i := range v.rules.Identities {
		d := &v.rules.Identities[i]
		for _, rule := range d.OIDC {
			if id, ok := rule.match(d.ID, c); ok {
				return d, id
			}
		}
	}
	return nil, ""
}

func (i *Issuer) accepts(algorithm string) bool {
	if len(i.Algorithms) == 0 {
		return slices.Contains(Algorithms(), algorithm)
	}
	return slices.Contains(i.Algorithms, algorithm)
}

// match reports whether all claims of a rule are there, and returns the id of who has them. A
// person without the claim that gives the name would be anonymous, and does not match.
func (c *ClaimRule) match(id string, claims *Claims) (string, bool) {
	if c.Issuer != claims.Issuer {
		return "", false
	}
	for name, value := range c.Claims {
		if !slices.Contains(claims.Values[name], value) {
			return "", false
		}
	}
	if c.Name == "" {
		return id, true
	}
	if len(claims.Values[c.Name]) != 1 {
		return "", false
	}
	id = fmt.Sprintf("%s/%s", id, claims.Values[c.Name][0])
	return id, ruleset.ValidPublisher(id)
}
