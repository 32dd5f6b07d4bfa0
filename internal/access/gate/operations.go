package gate

import (
	"maps"
	"slices"
)

// Operations returns the operations that have a rule, such as GET /v1/entries, sorted.
func Operations() []string { return slices.Sorted(maps.Keys(rules)) }
