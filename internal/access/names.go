package access

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/nats-io/nkeys"
)

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// within reports whether s has 1 to most characters, all of them of set.
func within(s, set string, most int) bool {
	return s != "" && len(s) <= most && strings.Trim(s, set) == ""
}

// The prefixes of publishers that are not identities.
const (
	subjectPublisher = "subject:" // the sealer's, for direct publishes (SPEC-rules4 4.6)
	natsPublisher    = "nats:"    // of NATS requests
)

// NATSPublisher is the publisher of the events in a NATS request on the subject of an agent's
// token.
func NATSPublisher(token string) string { return natsPublisher + token }

// checkID refuses ids that could be taken for another kind of publisher.
func checkID(id string) error {
	if !within(id, letters+"._:@+-", 128) {
		return fmt.Errorf("%w: id %.40q is not 1 to 128 characters of A-Z a-z 0-9 . _ : @ + -", ErrRules, id)
	}
	if strings.HasPrefix(id, subjectPublisher) || strings.HasPrefix(id, natsPublisher) {
		return fmt.Errorf("%w: id %.40q: ids that begin with %s or %s are reserved", ErrRules, id,
			subjectPublisher, natsPublisher)
	}
	return nil
}

// CheckTokenName checks the name of a token. The error wraps ErrRules.
func CheckTokenName(name string) error {
	if !within(name, letters+"._-", 64) {
		return fmt.Errorf("%w: token name %.40q is not 1 to 64 characters of A-Z a-z 0-9 . _ -", ErrRules, name)
	}
	return nil
}

// dnsPrefix marks a DNS name among the names of certificates.
const dnsPrefix = "dns:"

// checkSubject checks a name in client certificates. A SPIFFE ID is compared byte for byte, so only
// its usual form is accepted.
func checkSubject(name string) error {
	wrong := fmt.Errorf("%w: %.80q is neither spiffe://DOMAIN/PATH nor dns:NAME", ErrRules, name)
	if host, ok := strings.CutPrefix(name, dnsPrefix); ok {
		if host != strings.ToLower(host) || !within(host, letters+".-_", 253) {
			return fmt.Errorf("%w: %.80q: a DNS name has lower-case letters and no wildcard", ErrRules, name)
		}
		return nil
	}
	u, err := url.Parse(name)
	switch {
	case err != nil || u.Scheme != "spiffe" || u.Host == "" || len(name) > 2048:
		return wrong
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Port() != "" || u.String() != name:
		return wrong
	case !within(u.Host, strings.ToLower(letters)+"._-", 255) || !within(u.Path, letters+"._-/", 2048):
		return wrong
	}
	return nil
}

// checkNKey checks a public key of a NATS user.
func checkNKey(key string) error {
	if strings.HasPrefix(key, "S") { // perhaps a seed, which nobody should read in a log
		return fmt.Errorf("%w: an nkey begins with S as a secret seed does; the public key begins with U", ErrRules)
	} else if !nkeys.IsValidPublicUserKey(key) {
		return fmt.Errorf("%w: %.60q is not the public key of a NATS user, which begins with U", ErrRules, key)
	}
	return nil
}
