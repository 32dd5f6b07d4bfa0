package oidc

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/sealstream/sealstream/internal/access/gate"
)

const (
	keysAge    = 5 * time.Minute // after which keys are fetched again, in case one was withdrawn
	keysLimit  = time.Hour       // until which they count while the issuer does not answer
	fetchPause = 5 * time.Second // between two requests for keys, whatever JWTs come
)

// call is one check of a signature. It keeps the error of an issuer that does not answer, which the
// library would make a text of.
type call struct {
	issuer *issuer
	now    time.Time
	err    error
}

// VerifySignature implements oidc.KeySet. A signature that no key verifies may be by a new key, so
// the keys are then fetched again.
func (c *call) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	keys, at, err := c.issuer.keysSince(ctx, c.now, c.now.Add(-keysAge))
	if err != nil {
		c.err = err
		return nil, err
	}
	payload, err := keys.VerifySignature(ctx, jwt)
	if err == nil || c.now.Sub(at) < fetchPause {
		return payload, err
	}
	newer, _, down := c.issuer.keysSince(ctx, c.now, c.now)
	if down != nil || newer == keys {
		return nil, err
	}
	return newer.VerifySignature(ctx, jwt)
}

// keysSince returns the keys of an issuer, fetched at wanted or later if the issuer answers and was
// not just asked. While another call waits for the issuer, older keys do. The error wraps
// gate.ErrIssuer: there are no keys that are new enough to count.
func (i *issuer) keysSince(ctx context.Context, now, wanted time.Time) (*oidc.StaticKeySet, time.Time, error) {
	for have := i.known(); ; have = i.known() {
		recent := !have.at.Before(wanted) || !have.tried.IsZero() && now.Sub(have.tried) < fetchPause
		usable := have.keys != nil && now.Sub(have.at) <= keysLimit
		switch {
		case recent && usable:
			return have.keys, have.at, nil
		case recent:
			return nil, have.at, fmt.Errorf("%w: %s: %w", gate.ErrIssuer, i.url, have.err)
		case !i.fetching.TryLock():
			if usable {
				return have.keys, have.at, nil
			}
			i.fetching.Lock() // until the other call has an answer
			i.fetching.Unlock()
		default:
			keys, err := i.fetch(context.WithoutCancel(ctx))
			i.learn(keys, now, err)
			i.fetching.Unlock()
		}
	}
}

// known returns what is known of the keys.
func (i *issuer) known() known {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.have
}

// learn records an answer of the issuer.
func (i *issuer) learn(keys *oidc.StaticKeySet, now time.Time, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.have.tried, i.have.err = now, err; err == nil {
		i.have.keys, i.have.at = keys, now
	}
}

// fetch finds the issuer's keys by its discovery document.
func (i *issuer) fetch(ctx context.Context) (*oidc.StaticKeySet, error) {
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, i.client), fetchTimeout)
	defer cancel()
	provider, err := oidc.NewProvider(ctx, i.url)
	if err != nil {
		return nil, err
	}
	var document struct {
		Keys string `json:"jwks_uri"`
	}
	if err := provider.Claims(&document); err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, document.Keys, nil)
	if err != nil {
		return nil, err
	}
	resp, err := i.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s", document.Keys, resp.Status)
	}
	var all struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&all); err != nil {
		return nil, fmt.Errorf("GET %s: %w", document.Keys, err)
	}
	return keySet(all.Keys)
}

// keySet keeps the keys that can sign by one of the algorithms. A set may have others.
func keySet(list []json.RawMessage) (*oidc.StaticKeySet, error) {
	set := &oidc.StaticKeySet{}
	for _, raw := range list {
		var k jose.JSONWebKey
		if json.Unmarshal(raw, &k) == nil && (k.Use == "" || k.Use == "sig") && usable(k.Key) {
			set.PublicKeys = append(set.PublicKeys, k.Key)
		}
	}
	if len(set.PublicKeys) == 0 {
		return nil, errors.New("the issuer has no Ed25519 key, no P-256 key and no RSA key of 2,048 bits or more")
	}
	return set, nil
}

func usable(k crypto.PublicKey) bool {
	switch k := k.(type) {
	case ed25519.PublicKey:
		return true
	case *ecdsa.PublicKey:
		return k.Curve == elliptic.P256()
	case *rsa.PublicKey:
		return k.N.BitLen() >= 2048
	}
	return false
}
