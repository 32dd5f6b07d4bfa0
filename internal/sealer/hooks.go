package sealer

import (
	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/redact"
)

// hooks let tests plant bugs, to prove that they are found. A nil *hooks does nothing, which is the
// case outside of tests.
type hooks struct {
	opened     func(*startPoint) // gets what open has made
	made       func(*batch)      // gets a batch before its payloads are sent
	committed  func(*batch)      // gets a batch before it is written to SEALED
	blindTo    func(error) bool
	noRecheck  bool         // skips the second check before a gap is sealed
	noFullWalk bool         // trusts the batch it starts from, whatever follows
	recorded   func([]byte) // gets the records of a piece before its MAC is made
	noMAC      bool         // trusts the pieces of a snapshot
	unsettled  bool         // copies records whose entries may not be committed
	// decides whether what ingest has parsed is used; nil: Group.Fits does
	takes func(g *inbox.Group, m entry.Message, rules uint64, set *redact.Set) bool
}

func (h *hooks) fits(g *inbox.Group, m entry.Message, rules uint64, set *redact.Set) bool {
	if h != nil && h.takes != nil {
		return h.takes(g, m, rules, set)
	}
	return g.Fits(m, rules, set)
}

func (h *hooks) open(b *startPoint) {
	if h != nil && h.opened != nil {
		h.opened(b)
	}
}

func (h *hooks) make(b *batch) {
	if h != nil && h.made != nil {
		h.made(b)
	}
}

func (h *hooks) commit(b *batch) {
	if h != nil && h.committed != nil {
		h.committed(b)
	}
}

// blind reports whether a test wants this error ignored.
func (h *hooks) blind(err error) bool { return h != nil && h.blindTo != nil && h.blindTo(err) }

func (h *hooks) record(content []byte) {
	if h != nil && h.recorded != nil {
		h.recorded(content)
	}
}

func (h *hooks) copiesUnsettled() bool { return h != nil && h.unsettled }

func (h *hooks) trustsPieces() bool { return h != nil && h.noMAC }

func (h *hooks) skipsRecheck() bool { return h != nil && h.noRecheck }

func (h *hooks) trustsStart() bool { return h != nil && h.noFullWalk }
