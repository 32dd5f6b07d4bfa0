package proof

import (
	"fmt"

	"golang.org/x/mod/sumdb/note"

	"github.com/sealstream/sealstream/pkg/entry"
)

// Parsed is a SEALED message read as far as that needs no knowledge of the messages before it. To parse is a pure function, so
// that messages can be parsed in parallel and taken in order.
type Parsed struct {
	Seq     uint64
	Batch   Batch
	Entries []entry.Entry // of the leaves before the first that is none
	err     error
	bad     int         // leaf at fault, or −1
	note    *openedNote // nil: the checkpoint was not looked at
	data    dataCheck
}

// Parse reads a SEALED message and its leaves.
func Parse(m entry.Message) Parsed { return new(Parser).Parse(m) }

// Parser reads SEALED messages as Parse does, and opens their checkpoints too: a signature costs as much as twenty leaves, and a log of small
// batches has many. It may be used by several goroutines.
type Parser struct {
	keys      []string
	verifiers note.Verifiers // nil: checkpoints are left to the chain, which says what is wrong with the keys
}

// NewParser makes a parser for a chain with the same keys.
func NewParser(vkeys ...string) *Parser {
	p := &Parser{keys: vkeys}
	if len(vkeys) > 0 {
		p.verifiers, _ = newVerifiers(vkeys)
	}
	return p
}

// Parse reads a SEALED message, its leaves and its checkpoint. What is wrong shows when the chain takes it.
func (r *Parser) Parse(m entry.Message) Parsed {
	p := Parsed{Seq: m.Seq, bad: -1}
	if p.Batch, p.err = ParseBatch(m); p.err != nil {
		return p
	}
	if r.verifiers != nil {
		p.note = openNote(p.Batch.Checkpoint, r.keys, r.verifiers)
	}
	p.Entries = make([]entry.Entry, len(p.Batch.Leaves))
	for i, leaf := range p.Batch.Leaves {
		if p.Entries[i], p.err = entry.ParseEntry(leaf); p.err != nil {
			p.bad, p.Entries = i, p.Entries[:i]
			return p
		}
	}
	return p
}

// openedNote is what came of opening a checkpoint with some keys.
type openedNote struct {
	keys       []string
	checkpoint Checkpoint
	err        error
}

func openNote(signed []byte, keys []string, verifiers note.Verifiers) *openedNote {
	n := &openedNote{keys: keys}
	n.checkpoint, n.err = openCheckpoint(signed, verifiers)
	return n
}

func newVerifiers(vkeys []string) (note.Verifiers, error) {
	list := make([]note.Verifier, len(vkeys))
	for i, k := range vkeys {
		v, err := note.NewVerifier(k)
		if err != nil {
			return nil, fmt.Errorf("verifier key %.80q: %w", k, err)
		}
		list[i] = v
	}
	return note.VerifierList(list...), nil
}
