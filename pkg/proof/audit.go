package proof

import (
	"cmp"
	"errors"
	"iter"
	"slices"

	"github.com/sealstream/sealstream/pkg/entry"
)

// AuditConfig is what Audit knows beside the log.
type AuditConfig struct {
	// Keys are verifier keys of the log; none: those that index 0 names, which says that the log is one, but not whose. From them the log's own
	// succession of keys is followed, and what stands before the first checkpoint that one of them signs is vouched for by that one.
	Keys []string

	// Payloads reads the body of the PAYLOADS message that a batch names by its sequence, or its rewritten form; false: there is none.
	// Nil: data is not checked, and the report says so.
	Payloads func(seq uint64) (body []byte, there bool, err error)

	Known    []Checkpoint      // checkpoints seen earlier; each must be of a tree that this log begins with
	Progress func(size uint64) // told after each batch; nil: nobody is
}

// Report is what Audit found in a log that verifies, or up to where it does.
type Report struct {
	Log, Origin string
	Size        uint64
	Root        entry.Hash
	Checkpoint  []byte   // the newest, signed
	Cosigned    []byte   // a checkpoint that the log keeps beside it with the cosignatures of witnesses, if the caller found one; Audit does not
	Key         string   // verifier key that signs
	Keys        []string // all that are known to be the log's: those given, and those that they announced
	Named       []string // all that the configs of an export or of tiles have named, whoever signs
	Batches     uint64
	Events      uint64 // entries of agents' events, equivocations among them
	Own         uint64 // entries that the log made itself
	Payloads    uint64 // payloads that open their leaf's commitment
	Erased      uint64 // payloads that are missing under an erasure entry
	DataChecked bool
	Void        []uint64 // SEALED sequences of void messages
}

// Missing is the error of SEALED messages that are not there: the log is unreadable from an index on.
func Missing(index, from, to uint64) error {
	if from == to {
		return mismatch(index, "missing", "SEALED sequence %d is missing or unreadable; nothing from index %d on can be checked", from, index)
	}
	return mismatch(index, "missing", "SEALED sequences %d to %d are missing or unreadable; nothing from index %d on can be checked", from, to, index)
}

// Audit checks a whole log again, from the messages of SEALED in order: every leaf, the chain, the indexes, the accounting of input
// positions, every payload, and the root and signature of every batch's checkpoint (SPEC 10). A *MismatchError names the first bad
// index; the report then tells how far the log verifies. Errors of sealed and of Payloads are returned as they are.
func Audit(cfg AuditConfig, sealed iter.Seq2[entry.Message, error]) (Report, error) {
	return AuditParsed(cfg, func(yield func(Parsed, error) bool) {
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

// AuditParsed is Audit of messages that were read by Parse and, if data is to be checked, by CheckData: both are pure, and most of the
// work, so that a caller may do them in parallel.
func AuditParsed(cfg AuditConfig, sealed iter.Seq2[Parsed, error]) (Report, error) {
	a := newAuditor(cfg)
	chain, next := NewChain(cfg.Keys...), uint64(1)
	chain.ring.late = true
	for p, err := range sealed {
		if err == nil {
			err = a.message(chain, p, next)
		}
		if err != nil {
			return a.report(chain), err
		}
		next = p.Seq + 1
	}
	err := chain.ring.anchored()
	if err != nil {
		err = mismatch(0, "signature", "%v", err)
	} else {
		err = a.end(chain.Size())
	}
	return a.report(chain), err
}

// auditor keeps what Audit and AuditExport check beyond the chain.
type auditor struct {
	cfg      AuditConfig
	out      Report
	known    []Checkpoint
	frontier Frontier        // follows leaf by leaf, for checkpoints of sizes between batches
	missing  []uint64        // indexes whose payload is not there, ascending
	erased   map[uint64]bool // indexes that erasure entries name
	named    uint64          // PAYLOADS sequence of the batch before
}

func newAuditor(cfg AuditConfig) *auditor {
	a := &auditor{cfg: cfg, erased: map[uint64]bool{}, known: slices.Clone(cfg.Known)}
	slices.SortFunc(a.known, func(x, y Checkpoint) int { return cmp.Compare(x.Size, y.Size) })
	a.out.DataChecked = cfg.Payloads != nil
	return a
}

func (a *auditor) message(chain *Chain, p Parsed, next uint64) error {
	if p.Seq != next {
		return Missing(chain.Size(), next, p.Seq-1)
	}
	entries, err := chain.Take(p)
	if errors.Is(err, ErrVoid) {
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

// entry counts, and compares known checkpoints with the tree at their size.
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
	if len(a.known) == 0 {
		return nil
	}
	if err := a.compare(); err != nil {
		return err
	}
	h, err := entry.ParseHash(e.EntryHash)
	if err != nil {
		return mismatch(e.Index, "leaf", "%v", err)
	}
	a.frontier.Append(h)
	return nil
}

// compare checks the known checkpoints of the size that the tree has just now.
func (a *auditor) compare() error {
	for len(a.known) > 0 && a.known[0].Size <= a.frontier.Size() {
		if k := a.known[0]; k.Root != a.frontier.Root() {
			return mismatch(max(k.Size, 1)-1, "root", "a checkpoint of size %d has another root: the log was rewritten at or before this index", k.Size)
		}
		a.known = a.known[1:]
	}
	return nil
}

// payloads checks the data of one batch: that it names its PAYLOADS message as it must, and what CheckData found.
func (a *auditor) payloads(p Parsed) error {
	b, first := p.Batch, p.firstData()
	switch {
	case first < 0 && b.Payloads != a.named:
		return mismatch(b.First, "payload", "a batch without data names PAYLOADS sequence %d, the one before %d", b.Payloads, a.named)
	case first >= 0 && b.Payloads <= a.named:
		return mismatch(p.Entries[first].Index, "payload", "a batch with data names PAYLOADS sequence %d, the one before %d", b.Payloads, a.named)
	}
	a.named = b.Payloads
	return a.found(p.data)
}

// found takes the outcome of a check of data.
func (a *auditor) found(d dataCheck) error {
	a.out.Payloads += d.opened
	a.missing = append(a.missing, d.missing...)
	return d.err
}

// end settles what only the whole log can tell.
func (a *auditor) end(size uint64) error {
	if len(a.known) > 0 {
		if err := a.compare(); err != nil {
			return err
		}
	}
	for _, i := range a.missing {
		if !a.erased[i] {
			return mismatch(i, "payload", "its data is missing, and no erasure entry names it")
		}
		a.out.Erased++
	}
	if len(a.known) > 0 {
		return mismatch(size, "cut", "the log ends at size %d, but a checkpoint of size %d was seen", size, a.known[len(a.known)-1].Size)
	}
	return nil
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
