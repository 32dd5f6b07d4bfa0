package entry

import (
	"cmp"
	"strings"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
)

// Fits checks that the leaf of the event cannot become too long under the sealing rules of a number
// (SPEC 3.5; rules 4: 4.5). The error is a *FieldError.
func (e *Event) Fits(rules uint64) error {
	if n := e.widest(rules); n > ruleset.MaxLeafBytes {
		return fault("", "the attributes make a leaf of up to %d bytes, more than %d", n, ruleset.MaxLeafBytes)
	}
	return nil
}

// widest returns the length of the longest leaf that the event can be sealed into under the rules
// of a number.
func (e *Event) widest(rules uint64) int {
	rough := 2048 +
		2*(2*len(e.ID)+2*len(e.Type)+len(e.Source)+len(e.Subject)+len(e.Time)+len(e.PolicyDecision)+len(e.MatchedRule)+
			len(e.TraceID)+len(e.SessionID)+len(e.TargetDID)+len(e.Signature))
	for name, value := range e.Extensions {
		rough += len(name) + 2*len(value) + 8
	}
	for _, r := range e.Redactions {
		rough += len(r.Kind) + 2*len(r.Path) + 24
	}
	if rough <= ruleset.MaxLeafBytes { // an escape at most doubles a byte, as control characters are refused
		return rough
	}
	const wide = 1000000000000000 // 16 digits
	leaf := e.EntryBy(rules)
	leaf.V, leaf.Log, leaf.Publisher = ruleset.LeafVersion, strings.Repeat("x", 32),
		strings.Repeat("x", ruleset.MaxPublisherBytes)
	leaf.Index, leaf.InputEpoch, leaf.InputSeq, leaf.Position = wide, wide, wide, wide
	leaf.ReceivedAt, leaf.Timestamp = canonical.ReceivedLayout, cmp.Or(e.Time, canonical.ReceivedLayout)
	if e.HasData {
		leaf.DataHash = new(Hash)
	}
	if rules >= ruleset.Blinding {
		leaf.assume(wide)
	}
	leaf.Detail = &Equivocation{EntryID: leaf.EntryID, EventType: leaf.EventType, Original: wide}
	leaf.EventType = TypeEquivocation
	leaf.EntryID = leaf.OwnID()
	return len(leaf.appendLeaf(nil, false))
}

// assume gives the leaf the widest values of what the sealer adds from ruleset.Blinding on, however
// little it will add.
func (e *Entry) assume(wide uint64) {
	e.Altered, e.ApprovalStatus, e.SignatureStatus = true, "equivocation", "verified_foreign"
	e.Blind, e.MaterialKey = strings.Repeat("0", 32), strings.Repeat("z", 48)
	e.KeyEntry, e.RecordHash = &wide, new(Hash)
}
