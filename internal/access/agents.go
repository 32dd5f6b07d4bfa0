package access

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sealstream/sealstream/internal/canonical"
)

// Agents is a list of patterns of agents (SPEC-rules4 1.1). A pattern that ends with `*` matches
// each agent whose source begins with the text before the `*`. Any other pattern matches the agent
// that equals it. The empty list matches no agent.
type Agents []string

// Limits of patterns.
const (
	MaxPatterns     = 1024 // in one list
	MaxPatternBytes = 256
)

// Match reports whether a pattern matches an agent.
func (a Agents) Match(agent string) bool {
	for _, pattern := range a {
		if start, wild := strings.CutSuffix(pattern, "*"); wild && strings.HasPrefix(agent, start) || pattern == agent {
			return true
		}
	}
	return false
}

// check returns an error if there are too many patterns, or if one is invalid.
func (a Agents) check() error {
	if len(a) > MaxPatterns {
		return fmt.Errorf("%w: %d agents, more than %d", ErrRules, len(a), MaxPatterns)
	}
	for i, pattern := range a {
		if err := checkPattern(pattern); err != nil {
			return err
		}
		if slices.Contains(a[:i], pattern) {
			return fmt.Errorf("%w: agent %q is listed twice", ErrRules, pattern)
		}
	}
	return nil
}

// checkPattern refuses a `*` before the end, which would match itself only. Nobody means that.
func checkPattern(pattern string) error {
	switch {
	case pattern == "":
		return fmt.Errorf("%w: an agent is empty", ErrRules)
	case len(pattern) > MaxPatternBytes:
		return fmt.Errorf("%w: agent %.40q… has more than %d bytes", ErrRules, pattern, MaxPatternBytes)
	case canonical.BadRune(pattern) >= 0:
		return fmt.Errorf("%w: agent %q has characters that no agent has", ErrRules, pattern)
	case strings.Contains(strings.TrimSuffix(pattern, "*"), "*"):
		return fmt.Errorf("%w: agent %q: * is possible at the end only", ErrRules, pattern)
	}
	return nil
}
