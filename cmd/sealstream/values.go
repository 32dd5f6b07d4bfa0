package main

import (
	"slices"

	"github.com/posener/complete"

	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/compliance"
	"github.com/sealstream/sealstream/pkg/entry"
)

// ownTypes are the event types that the log itself records.
var ownTypes = []string{
	entry.TypeConfig, entry.TypeControl, entry.TypeDuplicate, entry.TypeEpoch, entry.TypeEquivocation,
	entry.TypeErasure, entry.TypeGap, entry.TypeRejected,
}

// eventTypes returns the event types that mean something to this program: those of SPEC 3.3, of the
// log itself, and those that built-in frameworks look for. Agents may have others.
func eventTypes() []string {
	types := slices.Concat(ruleset.EventTypes(), ownTypes)
	for _, name := range compliance.Frameworks() {
		f, err := compliance.BuiltIn(name)
		if err != nil {
			continue // a test reads them all
		}
		for _, c := range f.Controls {
			for _, e := range c.Evidence {
				types = append(types, e.Filter.Type...)
			}
			for _, n := range c.Negative {
				types = append(types, n.Filter.Type...)
				if n.Handling != nil {
					types = append(types, n.Handling.Filter.Type...)
				}
			}
		}
	}
	slices.Sort(types)
	return slices.Compact(types)
}

// agentTypes returns the event types that agents may record.
func agentTypes() []string { return slices.DeleteFunc(eventTypes(), ruleset.IsOwnType) }

// alertTypes returns what alerts --type takes.
func alertTypes() []string {
	return slices.Concat(eventTypes(), []string{
		"agent-silence", "sealer-lag", "log-condition", "log-failure", "void-message",
	})
}

// predictors complete the values of flags and arguments with the tag predictor. Those with the tag
// enum need none.
func predictors(verbs func() []string) map[string]complete.Predictor {
	set := func(values func() []string) complete.Predictor {
		return complete.PredictFunc(func(complete.Args) []string { return values() })
	}
	return map[string]complete.Predictor{
		"action":    complete.PredictSet(ruleset.Actions...),
		"agenttype": set(agentTypes),
		"alerttype": set(alertTypes),
		"context":   set(contextNames),
		"framework": complete.PredictSet(compliance.Frameworks()...),
		"outcome":   complete.PredictSet(ruleset.Outcomes...),
		"redaction": complete.PredictSet("default", "off"),
		"speed":     complete.PredictSet("1x", "10x", "max"),
		"type":      set(eventTypes),
		"verb":      set(verbs),
	}
}

// contextNames returns the names of the saved contexts.
func contextNames() []string {
	all, err := openContexts()
	if err != nil {
		return nil
	}
	names, _ := all.names() // a completion has nobody to tell an error
	return names
}
