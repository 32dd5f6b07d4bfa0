package agt

import (
	"slices"
	"strings"

	"github.com/sealstream/sealstream/internal/ruleset"
)

// solveBytes is the largest data in bytes for which solve searches. Each try hashes the data, and
// there may be a thousand tries.
const solveBytes = 32 << 10

// solve finds the record with the hash that the event states. It first assumes that no field was
// overwritten, and then more and more of them. The candidates for an overwritten action or outcome
// are the values that this log knows, and for a resource none and the value that is there.
func (x Exported) solve(data Value) (Exported, bool) {
	if x.EntryHash == "" || data.Kind != Object {
		return x, false
	}
	for _, g := range guesses(data) {
		solved, rest := x.lift(data, g)
		for _, name := range g.own {
			if name == "policy_decision" || name == "matched_rule" {
				solved.Lost = append(solved.Lost, name)
			} else {
				solved.Recovered = append(solved.Recovered, name)
			}
		}
		if !solved.try(data, rest, solved.Recovered) {
			continue
		}
		solved.Verified, solved.Data = true, rest.Append(nil)
		if g.further {
			for _, name := range further {
				if data.Get(name) != nil { // whether the entry had one of its own, nothing can tell
					solved.Lost = append(solved.Lost, name)
				}
			}
		}
		return solved, true
	}
	return x, false
}

// guesses returns all sets of members that may be the agent's own, small sets first.
func guesses(data Value) (list []guess) {
	var may, must []string
	for _, name := range flattened {
		switch m := data.Get(name); {
		case m == nil:
		case m.Kind == String || m.Kind == Null:
			may = append(may, name)
		default: // no field is one of these
			must = append(must, name)
		}
	}
	ambiguous := slices.ContainsFunc(further, func(name string) bool { return data.Get(name) != nil })
	for set := range 1 << len(may) {
		if set > 0 && len(data.Raw()) > solveBytes {
			break
		}
		own := slices.Clone(must)
		for i, name := range may {
			if set>>i&1 == 1 {
				own = append(own, name)
			}
		}
		list = append(list, guess{own: own})
		if ambiguous {
			list = append(list, guess{own: own, further: true})
		}
	}
	slices.SortStableFunc(list, func(a, b guess) int { return len(a.own) - len(b.own) })
	return list
}

// try tries every candidate for the missing fields until the hash fits.
func (x *Exported) try(data, rest Value, missing []string) bool {
	if len(missing) == 0 {
		r := x.Record
		if t := strings.TrimSuffix(r.Timestamp, "Z"); len(t) > 6 && strings.ContainsAny(t[len(t)-6:len(t)-5], "+-") {
			r.Timestamp = t // the export puts a Z behind the offset
		}
		return r.entryHash(x.Previous, rest) == x.EntryHash
	}
	name := missing[0]
	for _, value := range candidates(name, data.Get(name)) {
		x.put(name, value)
		if x.try(data, rest, missing[1:]) {
			return true
		}
	}
	return false
}

func candidates(name string, there *Value) (list []*string) {
	if there.Kind == String { // what the agent wrote may be true
		list = append(list, &there.Text)
	}
	switch name {
	case "action":
		list = append(list, pointers(ruleset.Actions)...)
	case "outcome":
		list = append(list, pointers(ruleset.Outcomes)...)
	default:
		list = append(list, nil)
	}
	return list
}

func pointers(values []string) (list []*string) {
	for i := range values {
		list = append(list, &values[i])
	}
	return list
}
