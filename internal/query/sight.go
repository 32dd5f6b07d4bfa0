package query

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/segment"
	"github.com/sealstream/sealstream/pkg/entry"
)

// sight is what a caller sees of the log who may not read all of it. A nil sight sees everything.
type sight struct {
	caller access.Caller
	agents segment.AnyOf // whose entries the caller sees
	// key is the same for two sights exactly if they see the same entries
	key string
}

// ErrWithheld reports that an answer would help to guess an entry that the caller may not read, or
// that the caller lacks the scope for it.
var ErrWithheld = errors.New("not allowed")

// sightOf returns what the caller of a request sees.
func (q *Query) sightOf(ctx context.Context) *sight {
	if !q.cfg.Scoped {
		return nil
	}
	if s, there := ctx.Value(sightKey{}).(*sight); there {
		return s
	}
	return newSight(access.From(ctx))
}

type sightKey struct{}

// withSight returns a context in which the sight of its caller need not be made again.
func (q *Query) withSight(ctx context.Context) context.Context {
	if !q.cfg.Scoped {
		return ctx
	}
	return context.WithValue(ctx, sightKey{}, newSight(access.From(ctx)))
}

// may returns nil if the caller of a request has a scope, or else an error.
func (q *Query) may(ctx context.Context, scope access.Scope) error {
	if !q.cfg.Scoped || access.From(ctx).Has(scope) {
		return nil
	}
	return needs(scope.String())
}

// cacheControl returns the header of an answer that never changes or may be a little old. Where
// callers see different things, no shared cache may keep it.
func (q *Query) cacheControl(value string) string {
	if q.cfg.Scoped {
		return "private, " + value
	}
	return value
}

func newSight(c access.Caller) *sight {
	if c.SeesAll() {
		return nil
	}
	s := &sight{caller: c, key: c.ReadKey()}
	for _, pattern := range c.Grants().Read {
		if start, wild := strings.CutSuffix(pattern, "*"); wild {
			s.agents.Prefixes = append(s.agents.Prefixes, start)
		} else {
			s.agents.Values = append(s.agents.Values, pattern)
		}
	}
	return s
}

// text returns a text that is the same for sights that see the same entries. It is empty for a
// caller that sees everything, and distinct from what may follow it.
func (s *sight) text() string {
	if s == nil {
		return ""
	}
	return fmt.Sprintf("read %q ", s.key)
}

// sees reports whether the caller may read an entry.
func (s *sight) sees(e *entry.Entry) bool {
	return s == nil || s.caller.SeesEntry(e.AgentDID, e.EventType)
}

// patterns returns the agents whose entries the caller sees, sorted.
func (s *sight) patterns() []string {
	return slices.Sorted(slices.Values([]string(s.caller.Grants().Read)))
}

// ownTypes are the event types of the log's own entries.
var ownTypes = segment.AnyOf{
	Values:   []string{strings.TrimSuffix(ruleset.OwnPrefix, ".")},
	Prefixes: []string{ruleset.OwnPrefix},
}

// openTypes are those of them that each reader sees (SPEC-rules4 7). access.Caller decides; here
// they are as the index finds them.
var openTypes = segment.AnyOf{
	Values:   []string{entry.TypeConfig, entry.TypeEpoch, entry.TypeGap},
	Prefixes: []string{ruleset.OwnPrefix + "key."},
}

// agentTypes are those that belong to an agent.
var agentTypes = segment.AnyOf{Values: []string{entry.TypeEquivocation}}
