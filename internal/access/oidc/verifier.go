package oidc

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/sealstream/sealstream/internal/access"
)

const (
	// maxJWT limits a JWT, in bytes.
	maxJWT = 8 << 10
	// leeway is how much the clocks of an issuer and of this machine may differ.
	leeway = 30 * time.Second
)

// Verifier checks JWTs. It keeps the keys of issuers, and remembers for a short time which JWTs it
// has checked. The zero value is ready to use.
type Verifier struct {
	now func() time.Time // nil: time.Now

	mu      sync.Mutex
	issuers map[origin]*issuer
	seen    cache
}

// origin is what a change of makes another issuer.
type origin struct{ url, caFile string }

// Verify checks that one of the issuers has signed a JWT for its audience, and that the JWT is
// valid now. The error wraps access.ErrUnknown, access.ErrExpired or gate.ErrIssuer.
func (v *Verifier) Verify(ctx context.Context, issuers []access.Issuer, jwt string) (access.Credential, error) {
	now := time.Now()
	if v.now != nil {
		now = v.now()
	}
	if len(jwt) > maxJWT {
		return access.Credential{}, fmt.Errorf("%w: the JWT has more than %d bytes", access.ErrUnknown, maxJWT)
	}
	head, body, err := peek(jwt)
	if err != nil {
		return access.Credential{}, err
	}
	for _, trusted := range issuers {
		if trusted.URL != body.Issuer {
			continue
		}
		key := cacheKey(trusted, jwt)
		if c, ok := v.cached(key, now); ok {
			return c, nil
		}
		c, err := v.check(ctx, trusted, head.Algorithm, jwt, now)
		if err == nil {
			v.remember(key, c, now)
		}
		return c, err
	}
	return access.Credential{}, fmt.Errorf("%w: its issuer is not one of the rules", access.ErrUnknown)
}

// header and payload are what a JWT says before its signature is checked. They only choose the
// issuer.
type header struct {
	Algorithm string `json:"alg"`
}

type payload struct {
	Issuer    string  `json:"iss"`
	Expires   *number `json:"exp"`
	NotBefore *number `json:"nbf"`
	IssuedAt  *number `json:"iat"`
}

// number is a time in seconds, which may have a fraction.
type number float64

func (n number) time() time.Time { return time.Unix(int64(n), 0) }

func peek(jwt string) (h header, p payload, err error) {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return h, p, fmt.Errorf("%w: not a signed JWT", access.ErrUnknown)
	}
	for i, into := range []any{&h, &p} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err == nil {
			err = json.Unmarshal(raw, into)
		}
		if err != nil {
			return h, p, fmt.Errorf("%w: malformed JWT", access.ErrUnknown)
		}
	}
	return h, p, nil
}

// check checks the signature, issuer and audience with the library, and the times by itself: the
// library allows five minutes for nbf, does not look at iat, and takes a JWT without exp for an
// expired one.
func (v *Verifier) check(
	ctx context.Context, trusted access.Issuer, algorithm, jwt string, now time.Time,
) (access.Credential, error) {
	algorithms := trusted.Algorithms
	if len(algorithms) == 0 {
		algorithms = access.Algorithms()
	}
	keys, err := v.issuer(trusted)
	if err != nil {
		return access.Credential{}, err
	}
	call := &call{issuer: keys, now: now}
	token, err := oidc.NewVerifier(trusted.URL, call, &oidc.Config{
		ClientID: trusted.Audience, SupportedSigningAlgs: algorithms, SkipExpiryCheck: true,
	}).Verify(ctx, jwt)
	if call.err != nil {
		return access.Credential{}, call.err
	} else if err != nil {
		return access.Credential{}, fmt.Errorf("%w: %w", access.ErrUnknown, err)
	}
	var raw json.RawMessage
	if err := token.Claims(&raw); err != nil {
		return access.Credential{}, fmt.Errorf("%w: %w", access.ErrUnknown, err)
	}
	expires, err := checkTimes(raw, now)
	if err != nil {
		return access.Credential{}, err
	}
	values, err := claims(raw)
	if err != nil {
		return access.Credential{}, err
	}
	return access.Credential{Kind: access.OIDC, Expires: expires, Claims: &access.Claims{
		Issuer: token.Issuer, Audience: token.Audience, Algorithm: algorithm, Values: values,
	}}, nil
}

// checkTimes checks exp, which is required, nbf and iat, and returns until when the JWT is
// accepted.
func checkTimes(raw json.RawMessage, now time.Time) (expires time.Time, err error) {
	var p payload
	if err := json.Unmarshal(raw, &p); err != nil {
		return expires, fmt.Errorf("%w: malformed times", access.ErrUnknown)
	}
	if p.Expires == nil {
		return expires, fmt.Errorf("%w: the JWT has no exp", access.ErrUnknown)
	}
	if expires = p.Expires.time().Add(leeway); !now.Before(expires) {
		return expires, access.ErrExpired
	}
	for name, at := range map[string]*number{"nbf": p.NotBefore, "iat": p.IssuedAt} {
		if at != nil && at.time().After(now.Add(leeway)) {
			return expires, fmt.Errorf("%w: its %s is in the future", access.ErrUnknown, name)
		}
	}
	return expires, nil
}
