package access

import (
	"fmt"
	"net/url"
	"slices"
)

// Algorithms returns the algorithms of JWTs that can be accepted.
func Algorithms() []string { return []string{"EdDSA", "ES256", "RS256"} }

func (i *Issuer) check() error {
	u, err := url.Parse(i.URL)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%w: issuer %.80q is not https://HOST/PATH", ErrRules, i.URL)
	}
	if i.Audience == "" || len(i.Audience) > 256 {
		return fmt.Errorf("%w: issuer %s: an audience of 1 to 256 bytes is required", ErrRules, i.URL)
	}
	for _, name := range i.Algorithms {
		if !slices.Contains(Algorithms(), name) {
			return fmt.Errorf("%w: issuer %s: algorithm %.40q is none of EdDSA, ES256, RS256", ErrRules, i.URL, name)
		}
	}
	return nil
}

// check requires at least one claim: an issuer has users that nobody here knows.
func (c *ClaimRule) check(issuers []Issuer) error {
	if !slices.ContainsFunc(issuers, func(i Issuer) bool { return i.URL == c.Issuer }) {
		return fmt.Errorf("%w: issuer %.80q is not in the list of issuers", ErrRules, c.Issuer)
	}
	if len(c.Claims) == 0 || len(c.Claims) > 16 {
		return fmt.Errorf("%w: 1 to 16 claims are required, such as sub", ErrRules)
	}
	for name, value := range c.Claims {
		if name == "" || value == "" || len(name) > 256 || len(value) > 1024 {
			return fmt.Errorf("%w: claim %.40q: a name of 1 to 256 bytes and a value of 1 to 1,024 are required",
				ErrRules, name)
		}
	}
	if len(c.Name) > 256 {
		return fmt.Errorf("%w: the name of a claim has more than 256 bytes", ErrRules)
	}
	return nil
}
