package main

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/sealstream/sealstream/internal/ruleset"
)

// known refuses values that no entry can have.
func (f fieldFlags) known() error {
	if err := knownOf("action", ruleset.Actions, f.Action...); err != nil {
		return err
	}
	return knownOf("outcome", ruleset.Outcomes, f.Outcome...)
}

// knownOf refuses values of a flag that are not among those that it may have.
func knownOf(flag string, values []string, given ...string) error {
	for _, value := range given {
		if !slices.Contains(values, value) {
			return fmt.Errorf("--%s %.40q is none of %s", flag, value, strings.Join(values, ", "))
		}
	}
	return nil
}

// doubt warns a person of values that no entry is likely to have.
func (f fieldFlags) doubt(a *app) {
	a.doubtAgents("agent", f.Agent...)
	a.doubtAgents("target", f.Target...)
	a.doubtTypes(eventTypes(), f.Type...)
}

// doubtAgents warns a person of agents that are neither DIDs nor other URIs.
func (a *app) doubtAgents(flag string, agents ...string) {
	if !isTerminal(a.out) {
		return
	}
	for _, agent := range agents {
		if u, err := url.Parse(agent); err != nil || u.Scheme == "" {
			fmt.Fprintf(a.err, "warning: --%s %s is no DID and no other URI\n", flag, cell(agent, 60))
		}
	}
}

// doubtTypes warns a person of types that look like misspelt ones.
func (a *app) doubtTypes(types []string, given ...string) {
	if !isTerminal(a.out) {
		return
	}
	for _, name := range given {
		if near := nearest(name, types); near != "" {
			fmt.Fprintf(a.err, "warning: --type %s; did you mean %s?\n", cell(name, 60), near)
		}
	}
}

// nearest returns the word that a text is a misspelling of: one with at most two characters more,
// fewer or changed. It returns "" if the text is one of the words, or like none of them.
func nearest(text string, words []string) (near string) {
	if slices.Contains(words, text) {
		return ""
	}
	least := min(2, len(text)/3) + 1
	for _, word := range words {
		if n := distance(text, word); n < least {
			least, near = n, word
		}
	}
	return near
}

// distance is the Levenshtein distance of two texts, in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0] // of the row above, one to the left
		row[0] = i + 1
		for j := range len(b) {
			change := before
			if a[i] != b[j] {
				change++
			}
			before = row[j+1]
			row[j+1] = min(change, row[j]+1, before+1)
		}
	}
	return row[len(b)]
}
