package access

import (
	"crypto/sha256"
	"fmt"
)

// Version is one version of the rules, ready to judge by. It never changes.
type Version struct {
	rules    Rules
	ids      map[string]*Identity
	tokens   map[[sha256.Size]byte]*judged
	subjects map[string]*Identity // by the name in a certificate
	nkeys    map[string]*Identity
	issuers  map[string]*Issuer

	// Entry is the index of the entry sealstream.access of this version. It is nil if the version
	// was not sealed. It is set before the version comes into force.
	Entry *uint64
}

// Compile checks rules and makes a version of them. Errors wrap ErrRules. The caller must not
// change r afterwards.
func Compile(r Rules) (*Version, error) {
	if len(r.Identities) > MaxIdentities {
		return nil, fmt.Errorf("%w: %d identities, more than %d", ErrRules, len(r.Identities), MaxIdentities)
	}
	v := &Version{
		rules: r, ids: map[string]*Identity{}, tokens: map[[sha256.Size]byte]*judged{},
		subjects: map[string]*Identity{}, nkeys: map[string]*Identity{}, issuers: map[string]*Issuer{},
	}
	if err := v.addIssuers(); err != nil {
		return nil, err
	}
	for i := range r.Identities {
		d := &v.rules.Identities[i]
		if err := v.add(d); err != nil {
			return nil, fmt.Errorf("identity %.40q: %w", d.ID, err)
		}
	}
	return v, nil
}

func (v *Version) addIssuers() error {
	if len(v.rules.Issuers) > MaxIssuers {
		return fmt.Errorf("%w: %d issuers, more than %d", ErrRules, len(v.rules.Issuers), MaxIssuers)
	}
	for i := range v.rules.Issuers {
		issuer := &v.rules.Issuers[i]
		if err := issuer.check(); err != nil {
			return err
		}
		if v.issuers[issuer.URL] != nil {
			return fmt.Errorf("%w: issuer %s is listed twice", ErrRules, issuer.URL)
		}
		v.issuers[issuer.URL] = issuer
	}
	return nil
}

// add adds an identity. A credential that proves two identities is an error, because nobody could
// tell which one is meant. Claims can overlap; there the first identity in the file counts.
func (v *Version) add(d *Identity) error {
	if err := d.check(); err != nil {
		return err
	}
	if v.ids[d.ID] != nil {
		return fmt.Errorf("%w: the id is used twice", ErrRules)
	}
	v.ids[d.ID] = d
	for _, t := range d.Tokens {
		if other := v.tokens[t.Hash]; other != nil {
			return fmt.Errorf("%w: the token %s is also one of %q", ErrRules, t.Name, other.identity.ID)
		}
		v.tokens[t.Hash] = &judged{
			version: v, identity: d, id: d.ID, expires: t.Expires,
			credential: Credential{Kind: Token, Token: t.Hash}, name: t.Name,
		}
	}
	for _, c := range d.OIDC {
		if err := c.check(v.rules.Issuers); err != nil {
			return err
		}
	}
	if err := claim(v.subjects, d, d.MTLS); err != nil {
		return err
	}
	return claim(v.nkeys, d, d.NKeys)
}

func claim(all map[string]*Identity, d *Identity, names []string) error {
	for _, name := range names {
		if other := all[name]; other != nil {
			return fmt.Errorf("%w: %s is also one of %q", ErrRules, name, other.ID)
		}
		all[name] = d
	}
	return nil
}

// Rules returns the rules of the version. The caller must not change them.
func (v *Version) Rules() Rules { return v.rules }

// Identity returns the identity with an id, or nil.
func (v *Version) Identity(id string) *Identity { return v.ids[id] }
