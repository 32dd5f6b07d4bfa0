package oidc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/access/gate"
)

// provider is an issuer of the test's own, over TLS.
type provider struct {
	t      *testing.T
	server *httptest.Server
	caFile string
	asked  atomic.Int64 // for keys
	down   atomic.Bool

	mu   sync.Mutex
	keys []jose.JSONWebKey
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{t: t}
	p.server = httptest.NewTLSServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.server.Close)
	p.caFile = filepath.Join(t.TempDir(), "ca.pem")
	block := &pem.Block{Type: "CERTIFICATE", Bytes: p.server.Certificate().Raw}
	if err := os.WriteFile(p.caFile, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *provider) serve(w http.ResponseWriter, r *http.Request) {
	switch {
	case p.down.Load():
		w.WriteHeader(http.StatusBadGateway)
	case r.URL.Path == "/.well-known/openid-configuration":
		json.NewEncoder(w).Encode(map[string]any{"issuer": p.server.URL, "jwks_uri": p.server.URL + "/keys"})
	case r.URL.Path == "/keys":
		p.asked.Add(1)
		p.mu.Lock()
		defer p.mu.Unlock()
		json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: p.keys})
	}
}

// publish replaces the issuer's keys.
func (p *provider) publish(private ...crypto.Signer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = nil
	for i, k := range private {
		p.keys = append(p.keys, jose.JSONWebKey{Key: k.Public(), KeyID: fmt.Sprint("k", i)})
	}
}

func (p *provider) rules() []access.Issuer {
	return []access.Issuer{{URL: p.server.URL, Audience: "sealstream", CAFile: p.caFile}}
}

// token is a JWT that the issuer's key signs. change changes its claims; nil removes one.
func (p *provider) token(key crypto.Signer, algorithm string, change map[string]any) string {
	p.t.Helper()
	claims := map[string]any{
		"iss": p.server.URL, "aud": []string{"other", "sealstream"}, "sub": "alice",
		"exp": start.Add(time.Hour).Unix(), "nbf": start.Unix(), "iat": start.Unix(),
		"groups": []string{"dev", "audit"}, "realm_access": map[string]any{"roles": []string{"auditor"}}, "level": 7,
	}
	maps.Copy(claims, change)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	body, err := json.Marshal(claims)
	if err != nil {
		p.t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(algorithm), Key: key}, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	signed, err := signer.Sign(body)
	if err != nil {
		p.t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		p.t.Fatal(err)
	}
	return text
}

var start = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)

// clock is the time of a verifier.
type clock struct{ after atomic.Int64 }

func (c *clock) now() time.Time          { return start.Add(time.Duration(c.after.Load())) }
func (c *clock) advance(d time.Duration) { c.after.Add(int64(d)) }

func newVerifier() (*Verifier, *clock) {
	c := &clock{}
	return &Verifier{now: c.now}, c
}

func ecKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// unsigned puts a JWT together from a header and the claims of another one.
func unsigned(header, jwt, signature string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(header)) + "." + strings.Split(jwt, ".")[1] + "." + encode([]byte(signature))
}

// TestVerify: each algorithm is accepted, with the claims as texts. T44.
func TestVerify(t *testing.T) {
	p := newProvider(t)
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ec := ecKey(t)
	p.publish(ed, ec, rs)
	v, _ := newVerifier()
	for algorithm, key := range map[string]crypto.Signer{"EdDSA": ed, "ES256": ec, "RS256": rs} {
		c, err := v.Verify(t.Context(), p.rules(), p.token(key, algorithm, nil))
		if err != nil {
			t.Fatalf("%s: %v", algorithm, err)
		}
		if got := fmt.Sprint(c.Claims.Values["groups"], c.Claims.Values["realm_access.roles"], c.Claims.Values["level"],
			c.Claims.Values["sub"]); got != "[dev audit] [auditor] [7] [alice]" {
			t.Error(got)
		}
		if c.Kind != access.OIDC || c.Claims.Algorithm != algorithm || c.Claims.Issuer != p.server.URL ||
			!c.Expires.Equal(start.Add(time.Hour+leeway)) {
			t.Errorf("%+v", c)
		}
		only := p.rules()
		only[0].Algorithms = []string{map[string]string{"EdDSA": "ES256", "ES256": "RS256", "RS256": "EdDSA"}[algorithm]}
		if _, err := v.Verify(t.Context(), only, p.token(key, algorithm, nil)); !errors.Is(err, access.ErrUnknown) {
			t.Errorf("%s, where it is not allowed: %v", algorithm, err)
		}
	}
	if n := p.asked.Load(); n > 2 {
		t.Errorf("the keys were fetched %d times", n)
	}
}

// TestT44HostileJWTs: nothing that a JWT says about itself makes it valid. T44.
func TestT44HostileJWTs(t *testing.T) {
	p := newProvider(t)
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p.publish(rs)
	good := p.token(rs, "RS256", nil)
	signed := func(change map[string]any) string { return p.token(rs, "RS256", change) }
	public, _ := x509.MarshalPKIXPublicKey(rs.Public())
	confused := unsigned(`{"alg":"HS256"}`, good, "")
	mac := hmac.New(sha256.New, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))
	mac.Write([]byte(strings.TrimSuffix(confused, ".")))
	confused += base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	parts := strings.Split(good, ".")
	for name, c := range map[string]struct {
		jwt string
		err error
	}{
		"none":                 {unsigned(`{"alg":"none"}`, good, ""), access.ErrUnknown},
		"None":                 {unsigned(`{"alg":"None"}`, good, ""), access.ErrUnknown},
		"no algorithm":         {unsigned(`{}`, good, "x"), access.ErrUnknown},
		"key confusion":        {confused, access.ErrUnknown},
		"RS512":                {p.token(rs, "RS512", nil), access.ErrUnknown},
		"another key":          {p.token(ecKey(t), "ES256", nil), access.ErrUnknown},
		"its own key":          {unsigned(`{"alg":"ES256","jwk":{"kty":"EC"}}`, good, "x"), access.ErrUnknown},
		"its own key's URL":    {unsigned(`{"alg":"RS256","jku":"https://evil.example.com"}`, good, "x"), access.ErrUnknown},
		"kid as a path":        {unsigned(`{"alg":"RS256","kid":"../../etc/passwd"}`, good, "x"), access.ErrUnknown},
		"signature of another": {parts[0] + "." + strings.Split(signed(map[string]any{"sub": "bob"}), ".")[1] + "." + parts[2], access.ErrUnknown},
		"no signature":         {parts[0] + "." + parts[1] + ".", access.ErrUnknown},
		"other audience":       {signed(map[string]any{"aud": "other"}), access.ErrUnknown},
		"no audience":          {signed(map[string]any{"aud": nil}), access.ErrUnknown},
		"other issuer":         {signed(map[string]any{"iss": "https://evil.example.com"}), access.ErrUnknown},
		"issuer with a slash":  {signed(map[string]any{"iss": p.server.URL + "/"}), access.ErrUnknown},
		"expired":              {signed(map[string]any{"exp": start.Add(-leeway).Unix()}), access.ErrExpired},
		"no end":               {signed(map[string]any{"exp": nil}), access.ErrUnknown},
		"end as a text":        {signed(map[string]any{"exp": "2030-01-01"}), access.ErrUnknown},
		"not yet valid":        {signed(map[string]any{"nbf": start.Add(leeway + time.Second).Unix()}), access.ErrUnknown},
		"issued in the future": {signed(map[string]any{"iat": start.Add(time.Hour).Unix()}), access.ErrUnknown},
		"oversized":            {signed(map[string]any{"x": strings.Repeat("a", maxJWT)}), access.ErrUnknown},
		"not base64":           {"!.!.!", access.ErrUnknown},
		"not JSON":             {"eA.eA.eA", access.ErrUnknown},
		"two parts":            {parts[0] + "." + parts[1], access.ErrUnknown},
	} {
		v, _ := newVerifier()
		if _, err := v.Verify(t.Context(), p.rules(), c.jwt); !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", name, err, c.err)
		} else if c.jwt != "" && strings.Contains(err.Error(), c.jwt) {
			t.Errorf("%s: the error has the JWT", name)
		}
	}
	v, _ := newVerifier()
	for name, change := range map[string]map[string]any{
		"expired a moment ago": {"exp": start.Add(-leeway + time.Second).Unix()},
		"valid in a moment":    {"nbf": start.Add(leeway).Unix(), "iat": start.Add(leeway).Unix()},
		"times with fractions": {"exp": float64(start.Add(time.Hour).Unix()) + 0.5},
	} {
		if _, err := v.Verify(t.Context(), p.rules(), signed(change)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRotation: a new key is found at once, a key that was withdrawn does not count for long, and a
// flood of unknown signatures does not become one of requests to the issuer.
func TestRotation(t *testing.T) {
	p := newProvider(t)
	first, second := ecKey(t), ecKey(t)
	p.publish(first)
	v, c := newVerifier()
	check := func(name string, key crypto.Signer, want error) {
		t.Helper()
		jwt := p.token(key, "ES256", map[string]any{"jti": name, "exp": start.Add(24 * time.Hour).Unix()})
		if _, err := v.Verify(t.Context(), p.rules(), jwt); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	check("first", first, nil)
	before := p.asked.Load()
	for i := range 50 {
		check(fmt.Sprint("stranger ", i), ecKey(t), access.ErrUnknown)
	}
	if n := p.asked.Load() - before; n > 1 {
		t.Errorf("%d requests for 50 unknown signatures", n)
	}
	p.publish(first, second)
	c.advance(fetchPause)
	check("second, new", second, nil)
	p.publish(second)
	check("first, withdrawn a moment ago", first, nil)
	c.advance(keysAge + time.Second)
	check("first, withdrawn", first, access.ErrUnknown)
	check("second", second, nil)

	p.down.Store(true)
	c.advance(keysAge + time.Second)
	check("while the issuer is down", second, nil)
	c.advance(keysLimit)
	check("long after", second, gate.ErrIssuer)
	p.down.Store(false)
	c.advance(fetchPause)
	check("when it is back", second, nil)
}

// TestIssuerDown: an issuer that is down at the start, or that another authority vouches for, is
// asked again later.
func TestIssuerDown(t *testing.T) {
	p := newProvider(t)
	key := ecKey(t)
	p.publish(key)
	p.down.Store(true)
	v, c := newVerifier()
	jwt := p.token(key, "ES256", nil)
	for range 3 {
		if _, err := v.Verify(t.Context(), p.rules(), jwt); !errors.Is(err, gate.ErrIssuer) {
			t.Errorf("down: %v", err)
		}
	}
	p.down.Store(false)
	c.advance(fetchPause)
	if _, err := v.Verify(t.Context(), p.rules(), jwt); err != nil {
		t.Errorf("up again: %v", err)
	}
	system := p.rules()
	system[0].CAFile = ""
	if _, err := v.Verify(t.Context(), system, jwt); !errors.Is(err, gate.ErrIssuer) {
		t.Errorf("without its authority: %v", err)
	}
	system[0].CAFile = filepath.Join(t.TempDir(), "none")
	if _, err := v.Verify(t.Context(), system, jwt); !errors.Is(err, gate.ErrIssuer) {
		t.Errorf("without the file: %v", err)
	}
}

// TestCache: a JWT is remembered, not beyond its end, and the cache does not grow without limit.
func TestCache(t *testing.T) {
	p := newProvider(t)
	key := ecKey(t)
	p.publish(key)
	v, c := newVerifier()
	jwt := p.token(key, "ES256", map[string]any{"exp": start.Add(10 * time.Second).Unix()})
	for range 3 {
		if _, err := v.Verify(t.Context(), p.rules(), jwt); err != nil {
			t.Fatal(err)
		}
	}
	if len(v.seen.newer) != 1 {
		t.Errorf("%d JWTs are remembered", len(v.seen.newer))
	}
	other := p.rules()
	other[0].Audience = "elsewhere"
	if _, err := v.Verify(t.Context(), other, jwt); !errors.Is(err, access.ErrUnknown) {
		t.Errorf("remembered for another audience: %v", err)
	}
	c.advance(10*time.Second + leeway)
	if _, err := v.Verify(t.Context(), p.rules(), jwt); !errors.Is(err, access.ErrExpired) {
		t.Errorf("remembered beyond its end: %v", err)
	}
	for i := range 3 * cacheSize {
		v.remember(sha256.Sum256(fmt.Append(nil, i)), access.Credential{Expires: start.Add(time.Hour)}, start)
	}
	if n := len(v.seen.newer) + len(v.seen.older); n > 2*cacheSize {
		t.Errorf("%d JWTs are remembered", n)
	}
}

// TestUnusableKeys: keys of other kinds do not count, and do not spoil those that do.
func TestUnusableKeys(t *testing.T) {
	p := newProvider(t)
	small, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p.publish(small)
	v, c := newVerifier()
	key := ecKey(t)
	jwt := p.token(key, "ES256", nil)
	if _, err := v.Verify(t.Context(), p.rules(), jwt); !errors.Is(err, gate.ErrIssuer) {
		t.Errorf("no usable key: %v", err)
	}
	p.publish(small, key)
	c.advance(fetchPause)
	if _, err := v.Verify(t.Context(), p.rules(), jwt); err != nil {
		t.Errorf("%v", err)
	}
}
