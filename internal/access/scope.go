package access

import (
	"fmt"
	"slices"
)

// Scope is one kind of right.
type Scope uint8

// The scopes. Publish and Read are limited to agents; see Grants.
const (
	Publish Scope = iota + 1 // send events
	Read                     // read entries
	Proof                    // read hashes and proofs
	Alerts                   // read alerts
	Export                   // write out many entries at once
	Approve                  // decide on requests for approval
	Admin                    // see and steer the operation of the log
)

var scopeNames = [...]string{"", "publish", "read", "proof", "alerts", "export", "approve", "admin"}

// Scopes returns all scopes, in the order of their declaration.
func Scopes() []Scope { return []Scope{Publish, Read, Proof, Alerts, Export, Approve, Admin} }

// String returns the name of the scope as access.yaml has it.
func (s Scope) String() string {
	if int(s) >= len(scopeNames) || s == 0 {
		return fmt.Sprintf("scope %d", uint8(s))
	}
	return scopeNames[s]
}

// ParseScope returns the scope with a name. The error wraps ErrRules.
func ParseScope(name string) (Scope, error) {
	for _, s := range Scopes() {
		if s.String() == name {
			return s, nil
		}
	}
	return 0, fmt.Errorf("%w: %.40q is none of publish, read, proof, alerts, export, approve, admin", ErrRules, name)
}

// Grants is what an identity may do. The zero value is nothing.
type Grants struct {
	Publish Agents // events of these agents may be sent
	ReadAll bool   // all entries may be read, the log's own included
	Read    Agents // entries of these agents may be read
	Proof   bool   // hashes and proofs may be read without the right to read the entries
	// OldHashes adds to Proof the hashes of entries from before rules 4. Such a hash confirms a
	// guess of its entry (SPEC-rules4 2).
	OldHashes bool
	Alerts    bool
	Export    bool
	Approve   bool
	Admin     bool
}

// has reports whether the grants contain any part of a scope. The right to read all includes
// Proof, because whoever has all entries can compute all hashes.
func (g *Grants) has(s Scope) bool {
	switch s {
	case Publish:
		return len(g.Publish) > 0
	case Read:
		return g.ReadAll || len(g.Read) > 0
	case Proof:
		return g.Proof || g.ReadAll
	case Alerts:
		return g.Alerts
	case Export:
		return g.Export
	case Approve:
		return g.Approve
	case Admin:
		return g.Admin
	}
	return false
}

func (g *Grants) equal(o *Grants) bool {
	return slices.Equal(g.Publish, o.Publish) && slices.Equal(g.Read, o.Read) && g.ReadAll == o.ReadAll &&
		g.Proof == o.Proof && g.OldHashes == o.OldHashes && g.Alerts == o.Alerts && g.Export == o.Export &&
		g.Approve == o.Approve && g.Admin == o.Admin
}

// check returns an error if grants contradict themselves.
func (g *Grants) check() error {
	if g.ReadAll && len(g.Read) > 0 {
		return fmt.Errorf("%w: read is all, or a list of agents, not both", ErrRules)
	}
	if g.OldHashes && !g.Proof {
		return fmt.Errorf("%w: hashes of older entries need the scope proof", ErrRules)
	}
	if err := g.Publish.check(); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if err := g.Read.check(); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	return nil
}
