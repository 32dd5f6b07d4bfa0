package gate

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/sealstream/sealstream/internal/access"
)

// maxCredential limits the text of a bearer token, in bytes.
const maxCredential = 8 << 10

// errNone reports a request without a credential.
var errNone = errors.New("a credential is required: a bearer token or a client certificate")

// Authenticate says who makes a request. A bearer token counts before a client certificate. A nil
// Gate knows everybody as access.Open. The error is errNone, access.ErrUnknown, access.ErrExpired,
// ErrIssuer, or that no rules are in force yet.
func (g *Gate) Authenticate(r *http.Request) (access.Caller, error) {
	if g == nil {
		return access.Open, nil
	}
	v := g.force.Load()
	if v == nil {
		return access.Caller{}, errNotInForce
	}
	c, err := g.credential(r, v)
	if err != nil {
		return access.Caller{}, err
	}
	return v.Judge(c, time.Now())
}

// credential returns what a request proves.
func (g *Gate) credential(r *http.Request, v *access.Version) (access.Credential, error) {
	switch given := r.Header["Authorization"]; {
	case len(given) > 1:
		return access.Credential{}, access.ErrUnknown
	case len(given) == 1:
		return g.bearer(r.Context(), r.RemoteAddr, given[0], v)
	case r.TLS != nil && len(r.TLS.VerifiedChains) > 0:
		return certificate(r.TLS)
	}
	return access.Credential{}, errNone
}

func (g *Gate) bearer(ctx context.Context, from, header string, v *access.Version) (access.Credential, error) {
	scheme, text, _ := strings.Cut(header, " ")
	text = strings.Trim(text, " ")
	switch {
	case !strings.EqualFold(scheme, "Bearer") || len(text) > maxCredential:
		return access.Credential{}, access.ErrUnknown
	case access.IsToken(text):
		return access.Credential{Kind: access.Token, Token: access.HashToken(text)}, nil
	case strings.Count(text, ".") == 2 && g.cfg.VerifyJWT != nil && len(v.Rules().Issuers) > 0:
		if done, err := g.guesses.turn(ctx, from); err != nil {
			return access.Credential{}, err
		} else if done != nil {
			defer done()
		}
		return g.cfg.VerifyJWT(ctx, v.Rules().Issuers, text)
	}
	return access.Credential{}, access.ErrUnknown
}

// certificate returns the names in a verified client certificate. A certificate with several URIs
// is no SVID of SPIFFE, and its URIs count for nothing.
func certificate(state *tls.ConnectionState) (access.Credential, error) {
	leaf := state.VerifiedChains[0][0]
	c := access.Credential{Kind: access.MTLS, Expires: leaf.NotAfter}
	if len(leaf.URIs) == 1 && leaf.URIs[0].Scheme == "spiffe" {
		c.Names = append(c.Names, leaf.URIs[0].String())
	}
	for _, name := range leaf.DNSNames {
		c.Names = append(c.Names, "dns:"+strings.ToLower(name))
	}
	return c, nil
}
