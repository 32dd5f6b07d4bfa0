package oidc

import (
	"crypto/sha256"
	"strings"
	"time"

	"github.com/sealstream/sealstream/internal/access"
)

// Limits of what is remembered.
const (
	cacheTime = time.Minute // after which a JWT is checked again
	cacheSize = 2048        // JWTs in each of two generations
)

// cache remembers JWTs that were checked, by hash. When the newer generation is full, the older one
// is forgotten.
type cache struct{ newer, older map[[sha256.Size]byte]cached }

type cached struct {
	credential access.Credential
	until      time.Time
}

// cacheKey is the hash of a JWT and of all that decides about it.
func cacheKey(trusted access.Issuer, jwt string) [sha256.Size]byte {
	parts := []string{trusted.URL, trusted.Audience, trusted.CAFile, strings.Join(trusted.Algorithms, " "), jwt}
	return sha256.Sum256([]byte(strings.Join(parts, "\x00")))
}

// cached returns what a JWT was found to prove.
func (v *Verifier) cached(key [sha256.Size]byte, now time.Time) (access.Credential, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, generation := range []map[[sha256.Size]byte]cached{v.seen.newer, v.seen.older} {
		if c, ok := generation[key]; ok && now.Before(c.until) {
			return c.credential, true
		}
	}
	return access.Credential{}, false
}

func (v *Verifier) remember(key [sha256.Size]byte, c access.Credential, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.seen.newer == nil || len(v.seen.newer) >= cacheSize {
		v.seen.newer, v.seen.older = map[[sha256.Size]byte]cached{}, v.seen.newer
	}
	until := now.Add(cacheTime)
	if c.Expires.Before(until) {
		until = c.Expires
	}
	v.seen.newer[key] = cached{c, until}
}
