package entry

import (
	"cmp"
	"strings"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
)

// widest returns the length of the longest leaf that the event can be sealed into (SPEC 3.5).
func (e *Event) widest() int {
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
	leaf := e.Entry()
	leaf.V, leaf.Log, leaf.Publisher = ruleset.LeafVersion, strings.Repeat("x", 32),
		strings.Repeat("x", ruleset.MaxPublisherBytes)
	leaf.Index, leaf.InputEpoch, leaf.InputSeq, leaf.Position = wide, wide, wide, wide
	leaf.ReceivedAt, leaf.Timestamp = canonical.ReceivedLayout, cmp.Or(e.Time, canonical.ReceivedLayout)
	if e.HasData {
		leaf.DataHash = new(Hash)
	}
	leaf.Detail = &Equivocation{EntryID: leaf.EntryID, EventType: leaf.EventType, Original: wide}
	leaf.EventType = TypeEquivocation
	leaf.EntryID = leaf.OwnID()
	return len(leaf.appendLeaf(nil, false))
}
