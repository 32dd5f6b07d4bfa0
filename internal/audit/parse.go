package audit

import (
	"slices"
	"sync"

	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Parsed is a SEALED message, read as far as possible without the messages before it. Parsing is
// pure: messages can be parsed in parallel and taken in order.
type Parsed struct {
	Seq     uint64
	Batch   sealedlog.Batch
	Entries []entry.Entry // of the leaves before the first that is none
	err     error
	bad     int         // leaf at fault, or −1
	note    *openedNote // nil: the checkpoint was not looked at
	data    dataCheck
	once    bool // the entries may be given back
}

// Parse reads a SEALED message and its leaves. Errors show when a chain takes the result.
func Parse(m entry.Message) Parsed { return new(Parser).Parse(m) }

// Parser reads SEALED messages as Parse does, and also opens their checkpoints. A signature costs
// as much as twenty leaves, and a log of small batches has many. Several goroutines may use a
// Parser at a time.
type Parser struct {
	verifier *proof.Verifier // nil: checkpoints are left to the chain, which says what is wrong with the keys
	once     bool            // only ParsedLog takes the results, which needs their entries no more then
}

// NewParser returns a Parser for a chain with the same keys.
func NewParser(vkeys ...string) *Parser {
	p := &Parser{}
	if len(vkeys) > 0 {
		p.verifier, _ = proof.NewVerifier(vkeys...)
	}
	return p
}

// NewLogParser returns a Parser for ParsedLog with the same keys. ParsedLog takes each of its
// results once, and gives the memory of the entries back.
func NewLogParser(vkeys ...string) *Parser {
	p := NewParser(vkeys...)
	p.once = true
	return p
}

// spareEntries holds the memory of entries that an audit is done with.
var spareEntries = sync.Pool{New: func() any { return new([]entry.Entry) }}

// entries returns room for n entries.
func (r *Parser) entries(n int) []entry.Entry {
	if !r.once {
		return make([]entry.Entry, n)
	}
	return slices.Grow((*spareEntries.Get().(*[]entry.Entry))[:0], n)[:n]
}

// leaf reads a leaf into an entry.
func (r *Parser) leaf(e *entry.Entry, leaf []byte) error {
	if r.once {
		return e.Check(leaf)
	}
	return e.Parse(leaf)
}

// free gives the memory of the entries back. They must not be used afterwards.
func (p *Parsed) free() {
	if list := p.Entries; p.once {
		spareEntries.Put(&list)
	}
}

// Parse reads a SEALED message, its leaves and its checkpoint. Errors show when the chain takes the
// result.
func (r *Parser) Parse(m entry.Message) Parsed {
	p := Parsed{Seq: m.Seq, bad: -1, once: r.once}
	if p.Batch, p.err = sealedlog.ParseBatch(m); p.err != nil {
		return p
	}
	if r.verifier != nil {
		p.note = openNote(p.Batch.Checkpoint, r.verifier)
	}
	p.Entries = r.entries(len(p.Batch.Leaves))
	for i, leaf := range p.Batch.Leaves {
		if p.err = r.leaf(&p.Entries[i], leaf); p.err != nil {
			p.bad, p.Entries = i, p.Entries[:i]
			return p
		}
	}
	return p
}

// openedNote is the outcome of opening a checkpoint with some keys.
type openedNote struct {
	checkpoint proof.Checkpoint
	by         []string // those of the keys that have signed it
	err        error
}

func openNote(signed []byte, v *proof.Verifier) *openedNote {
	c, by, err := v.Open(signed)
	return &openedNote{c, by, err}
}
