package audit

import (
	"errors"
	"iter"
	"slices"

	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Config is what an audit knows besides the log.
type Config struct {
	// Keys are verifier keys of the log. The audit follows the log's own succession of keys from them.
	// The first checkpoint that one of them signs vouches for everything before it. Without keys, the
	// audit takes those that index 0 names: then it proves that the log is consistent, but not whose
	// it is.
	Keys []string

	// Payloads reads the body of the PAYLOADS message with the sequence that a batch names, or its
	// rewritten form. there is false if neither exists. nil means that data is not checked, and the
	// report says so.
	Payloads func(seq uint64) (body []byte, there bool, err error)

	// Known are checkpoints seen earlier. The tree of each must be a prefix of this log's. If one has
	// a Note, its signature is checked first, with the keys of the log. One without a Note is trusted.
	Known []proof.Checkpoint

	// Leaf is called with the hash of each leaf, in order. May be nil.
	Leaf func(h entry.Hash)

	// Progress is called with the number of entries checked, after each batch. May be nil.
	Progress func(size uint64)
}

// Report is what an audit found in a log that verifies, or in the part of it that does.
type Report struct {
	Log        string     // name of the log
	Origin     string     // origin of the log
	Size       uint64     // number of entries that verify
	Root       entry.Hash // root of their tree
	Checkpoint []byte     // the newest signed checkpoint
	// Cosigned is a checkpoint with the cosignatures of witnesses, if the caller found one beside the
	// log. The audit does not set it.
	Cosigned    []byte
	Key         string   // verifier key of the active signer
	Keys        []string // all known keys of the log: those given, and those that they announced
	Named       []string // all keys that the configs of an export or of tiles name, whoever signs
	Batches     uint64   // batches, or bundles of tiles
	Events      uint64   // entries of agents' events, equivocations included
	Own         uint64   // entries that the log made itself
	Payloads    uint64   // payloads that open their leaf's commitment
	Erased      uint64   // payloads that are missing and named by an erasure entry
	DataChecked bool     // whether data was checked
	Void        []uint64 // SEALED sequences of void messages
	// Notes are sentences about damage found beside the log, if the caller looked for it. The audit
	// does not set them.
	Notes []string
}

// Log audits a whole log from the messages of SEALED, in order: every leaf, the chain, the indexes,
// the accounting of input positions, every payload, and the root and signature of every batch's
// checkpoint (SPEC 10). A *MismatchError names the first bad index, and the report tells how far
// the log verifies. Errors of sealed and of cfg.Payloads are returned as they are.
func Log(cfg Config, sealed iter.Seq2[entry.Message, error]) (Report, error) {
	return ParsedLog(cfg, func(yield func(Parsed, error) bool) {
		for m, err := range sealed {
			p := Parsed{}
			if err == nil {
				p = Parse(m)
				err = p.readData(cfg)
			}
			if !yield(p, err) {
				return
			}
		}
	})
}

// ParsedLog is Log for messages that were read by Parse and, if data is to be checked, by
// CheckData. Both are pure and most of the work, so that a caller may run them in parallel.
func ParsedLog(cfg Config, sealed iter.Seq2[Parsed, error]) (Report, error) {
	a := newAuditor(cfg)
	chain, next := NewChain(cfg.Keys...), uint64(1)
	chain.ring.late = true
	for p, err := range sealed {
		if err == nil {
			err = a.message(chain, p, next)
		}
		if err != nil {
			return a.report(chain), a.broken(err, chain.Origin(), chain.Keys())
		}
		next = p.Seq + 1
		p.free()
	}
	err := chain.ring.anchored()
	if err != nil {
		err = mismatch(0, CheckSignature, "%v", err)
	} else {
		err = a.end(chain.Size(), chain.Origin(), slices.Concat(chain.Keys(), chain.named))
		err = a.broken(err, chain.Origin(), chain.Keys())
	}
	return a.report(chain), err
}

// auditor keeps what all audits check beyond the chain.
type auditor struct {
	cfg     Config
	out     Report
	known   known
	missing []uint64        // indexes whose payload is not there, ascending
	erased  map[uint64]bool // indexes that erasure entries name
	named   uint64          // PAYLOADS sequence of the batch before
}

func newAuditor(cfg Config) *auditor {
	a := &auditor{cfg: cfg, erased: map[uint64]bool{}, known: newKnown(cfg)}
	a.out.DataChecked = cfg.Payloads != nil
	return a
}

func (a *auditor) message(chain *Chain, p Parsed, next uint64) error {
	if p.Seq != next {
		return Missing(chain.Size(), next, p.Seq-1)
	}
	entries, err := chain.Take(p)
	if errors.Is(err, sealedlog.ErrVoid) {
		a.out.Void = append(a.out.Void, p.Seq)
		return nil
	} else if err != nil {
		return err
	}
	for i := range entries {
		if err := a.entry(&entries[i]); err != nil {
			return err
		}
	}
	a.out.Batches++
	if err := a.payloads(p); err != nil {
		return err
	}
	if a.cfg.Progress != nil {
		a.cfg.Progress(chain.Size())
	}
	return nil
}

// entry counts the entry, and compares known checkpoints with the tree at their size.
func (a *auditor) entry(e *entry.Entry) error {
	if e.IsEvent() {
		a.out.Events++
	} else {
		a.out.Own++
	}
	if d, ok := e.Detail.(*entry.Erasure); ok {
		for _, i := range d.Indexes {
			a.erased[i] = true
		}
	}
	if len(a.known.rest) == 0 && a.cfg.Leaf == nil {
		return nil
	}
	a.known.append(e.EntryHash)
	if a.cfg.Leaf != nil {
		a.cfg.Leaf(e.EntryHash)
	}
	return nil
}

// payloads checks the data of one batch: that it names its PAYLOADS message as it must, and what
// CheckData found.
func (a *auditor) payloads(p Parsed) error {
	b, first := p.Batch, p.firstData()
	switch {
	case first < 0 && b.Payloads != a.named:
		return mismatch(
			b.First,
			CheckPayload,
			"a batch without data names PAYLOADS sequence %d, the one before %d",
			b.Payloads,
			a.named,
		)
	case first >= 0 && b.Payloads <= a.named:
		return mismatch(
			p.Entries[first].Index,
			CheckPayload,
			"a batch with data names PAYLOADS sequence %d, the one before %d",
			b.Payloads,
			a.named,
		)
	}
	a.named = b.Payloads
	return a.found(p.data)
}

// found adds the outcome of a check of data.
func (a *auditor) found(d dataCheck) error {
	a.out.Payloads += d.opened
	a.missing = append(a.missing, d.missing...)
	return d.err
}

// broken returns the verdict on a log that fails at an index. It returns other errors as they are.
func (a *auditor) broken(err error, origin string, keys []string) error {
	if m, ok := errors.AsType[*MismatchError](err); ok {
		return a.known.broken(err, m.Index, origin, keys)
	}
	return err
}

// end checks what only the whole log can show. keys are those of the log.
func (a *auditor) end(size uint64, origin string, keys []string) error {
	for _, i := range a.missing {
		if !a.erased[i] {
			return mismatch(i, CheckPayload, "its data is missing, and no erasure entry names it")
		}
		a.out.Erased++
	}
	return a.known.settle(size, origin, keys)
}

func (a *auditor) report(c *Chain) Report {
	r := a.out
	r.Log, r.Origin, r.Size, r.Root = c.log, c.Origin(), c.Size(), c.Frontier().Root()
	r.Checkpoint = c.Batch().Checkpoint
	if r.Keys = c.Keys(); len(r.Keys) > 0 {
		r.Key = r.Keys[0]
		if keys, err := c.ring.use(); err == nil {
			r.Key = keys[0]
		}
	}
	return r
}
