package access

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
)

// Caller is who makes a request, as one version of the rules has judged it. The zero Caller is a
// stranger, who may do nothing. Callers are small and never change.
type Caller struct{ j *judged }

type judged struct {
	version    *Version // nil for Open
	identity   *Identity
	id         string
	credential Credential
	name       string // of the token
	expires    time.Time
}

// Open may do everything. It is the caller of all requests to a process without access control.
var Open = Caller{&judged{identity: &Identity{}}}

func (c Caller) open() bool { return c.j != nil && c.j.version == nil }

// Known reports whether the caller has proven an identity. Open counts as known.
func (c Caller) Known() bool { return c.j != nil }

// ID returns the identity as entries show it in publisher. It is empty for Open and for a stranger.
func (c Caller) ID() string {
	if c.j == nil {
		return ""
	}
	return c.j.id
}

// Kind returns how the caller has proven its identity. It is empty for Open and for a stranger.
func (c Caller) Kind() Kind {
	if c.j == nil {
		return ""
	}
	return c.j.credential.Kind
}

// Expires returns when the credential expires. It is zero if it never does.
func (c Caller) Expires() time.Time {
	if c.j == nil {
		return time.Time{}
	}
	return c.j.expires
}

// Version returns the version that has judged the caller, or nil for Open and for a stranger.
func (c Caller) Version() *Version {
	if c.j == nil {
		return nil
	}
	return c.j.version
}

// Grants returns what the caller may do. For Open it is meaningless: ask the methods below.
func (c Caller) Grants() Grants {
	if c.j == nil {
		return Grants{}
	}
	return c.j.identity.Grants
}

// Has reports whether the caller has a scope, for at least one agent in the case of Publish and
// Read.
func (c Caller) Has(s Scope) bool {
	return c.open() || c.j != nil && c.j.identity.Grants.has(s)
}

// MayPublish reports whether the caller may send events of an agent.
func (c Caller) MayPublish(agent string) bool {
	return c.open() || c.j != nil && c.j.identity.Grants.Publish.Match(agent)
}

// SeesAll reports whether the caller may read every entry.
func (c Caller) SeesAll() bool {
	return c.open() || c.j != nil && c.j.identity.Grants.ReadAll
}

// Sees reports whether the caller may read the events of an agent, equivocations included.
func (c Caller) Sees(agent string) bool {
	return c.SeesAll() || c.j != nil && c.j.identity.Grants.Read.Match(agent)
}

// SeesOwn reports whether the caller may read the log's own entries of a type. A scoped reader sees
// config, epoch, gap and key entries, and equivocations of its agents (SPEC-rules4 7). Ask Sees
// for equivocations. A decision on a request for approval is also shown to whoever sees the
// request; that is for the caller of SeesOwn to know.
func (c Caller) SeesOwn(eventType string) bool {
	if !c.Has(Read) {
		return false
	}
	switch eventType {
	case entry.TypeConfig, entry.TypeEpoch, entry.TypeGap:
		return true
	}
	return c.SeesAll() || strings.HasPrefix(eventType, ruleset.OwnPrefix+"key.")
}

// SeesEntry reports whether the caller may read an entry, by the members of its leaf.
func (c Caller) SeesEntry(agent, eventType string) bool {
	if ruleset.IsOwnType(eventType) && eventType != entry.TypeEquivocation {
		return c.SeesOwn(eventType)
	}
	return c.Sees(agent)
}

// SeesHash reports whether the caller may have the hash of an entry that it may not read. blind
// says that the entry has the member of that name, so that its hash confirms no guess.
func (c Caller) SeesHash(blind bool) bool {
	return c.SeesAll() || c.Has(Proof) && (blind || c.j.identity.Grants.OldHashes)
}

// ReadKey returns a text that is the same for two callers exactly if they may read the same
// agents. A cursor that was made under one key must not be continued under another. It is "all"
// for whoever sees all, and "" for whoever sees nothing.
func (c Caller) ReadKey() string {
	switch {
	case c.SeesAll():
		return "all"
	case !c.Has(Read):
		return ""
	}
	list := slices.Sorted(slices.Values(c.j.identity.Grants.Read))
	hash := sha256.Sum256([]byte(strings.Join(list, "\x00")))
	return hex.EncodeToString(hash[:16])
}

// Same reports whether two callers have the same id and may do the same.
func (c Caller) Same(other Caller) bool {
	if c.j == nil || other.j == nil || c.open() || other.open() {
		return c.j == other.j
	}
	return c.j.id == other.j.id && c.j.identity.Grants.equal(&other.j.identity.Grants)
}

type contextKey struct{}

// With returns a context for a request of the caller.
func With(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, contextKey{}, c)
}

// From returns the caller of a request. Without With, it is the zero Caller, who may do nothing.
func From(ctx context.Context) Caller {
	c, _ := Lookup(ctx)
	return c
}

// Lookup is From, and reports whether With has set a caller. What this program does for itself has
// none.
func Lookup(ctx context.Context) (Caller, bool) {
	c, ok := ctx.Value(contextKey{}).(Caller)
	return c, ok
}
