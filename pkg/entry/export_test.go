package entry

import "github.com/sealstream/sealstream/internal/ruleset"

// Widest lets the tests outside of the package, which use the event generator, see the measure of SPEC 3.5.
func (e *Event) Widest() int { return e.widest(ruleset.Binding) }
