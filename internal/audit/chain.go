package audit

import (
	"fmt"
	"slices"

	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// walk checks entries one after the other (SPEC 10, items 1 to 3 and 6). Chain, Export and Tiles
// build on it.
type walk struct {
	frontier    merkle.Frontier
	last        entry.Hash // entry hash before the next index
	log, origin string
	account     accounting
	config      *entry.Entry // newest config entry seen
	rules4      rules4
	named       []string // keys that the configs seen have named
	resumed     bool     // began behind a batch: index 0 was not seen
}

func newWalk() *walk { return &walk{} }

func (w *walk) entry(e *entry.Entry) error {
	i := w.frontier.Size()
	if e.Index != i {
		return mismatch(i, CheckIndex, "the leaf says index %d", e.Index)
	}
	if e.PreviousHash != w.last {
		return mismatch(i, CheckChain, "previous_hash is not the entry hash of the entry before")
	}
	if w.log == "" {
		w.log = e.Log
	}
	if e.Log != w.log {
		return mismatch(i, CheckLog, "a leaf of log %q in log %q", e.Log, w.log)
	}
	if err := w.begin(e, i); err != nil {
		return err
	}
	if e.IsOwn() {
		if e.EntryID != e.OwnID() {
			return mismatch(i, CheckID,
				"entry_id of one of the log's own entries is not the one that follows from its place")
		}
		if e.EventType != entry.TypeEquivocation && e.AgentDID != w.origin {
			return mismatch(i, CheckOrigin, "one of the log's own entries names %.80q", e.AgentDID)
		}
	}
	if err := w.account.entry(e, w.root(e)); err != nil {
		return mismatch(i, CheckAccounting, "%v", err)
	}
	if err := w.rules4.entry(e, w.config, w.resumed); err != nil {
		return mismatch(i, CheckRules, "%v", err)
	}
	if e.EventType == entry.TypeConfig {
		c := *e
		w.config = &c
		for _, k := range c.Detail.(*entry.Config).Keys {
			if !slices.Contains(w.named, k) {
				w.named = append(w.named, k)
			}
		}
	}
	w.frontier.Append(e.EntryHash)
	w.last = e.EntryHash
	return nil
}

// root returns the root of the tree so far for epoch entries, which alone need it.
func (w *walk) root(e *entry.Entry) entry.Hash {
	if e.EventType == entry.TypeEpoch {
		return w.frontier.Root()
	}
	return entry.Hash{}
}

// begin checks that the log begins with its config, and that later configs follow it.
func (w *walk) begin(e *entry.Entry, i uint64) error {
	c, ok := e.Detail.(*entry.Config)
	switch {
	case i == 0 && (!ok || c.Previous != nil):
		return mismatch(0, CheckConfig, "a log begins with its config")
	case i == 0:
		w.origin = c.Origin
	case ok && w.config != nil:
		if err := c.Follows(w.config.Detail.(*entry.Config), w.config.Index); err != nil {
			return mismatch(i, CheckConfig, "%v", err)
		}
	}
	return nil
}

// Chain reads the messages of SEALED in order and tells valid messages from void and bad ones (SPEC
// 6). Make it with NewChain, ResumeChain or ExtendChain. One goroutine may use it at a time.
type Chain struct {
	walk
	ring  keyring
	batch sealedlog.Batch // the last valid one, without leaves
	any   bool            // a valid batch was seen
}

// NewChain returns a Chain that begins at the log's first message. One of the keys must be named by
// index 0's config. From there the chain follows the log's own succession of keys. Without keys, it
// takes those of index 0: then it proves that the log is consistent, but not whose it is.
func NewChain(vkeys ...string) *Chain {
	return &Chain{walk: *newWalk(), ring: keyring{given: vkeys, trusted: slices.Clone(vkeys)}}
}

// ResumeChain returns a Chain that begins after a batch that the caller trusts. It verifies the
// signature of the batch's checkpoint. lastLeaf is the batch's last leaf. Keys are required.
func ResumeChain(b sealedlog.Batch, lastLeaf []byte, vkeys ...string) (*Chain, error) {
	c, err := resume(b, lastLeaf, vkeys)
	if err != nil {
		return nil, err
	}
	if err := c.checkpoint(b, nil); err != nil {
		return nil, err
	}
	c.keep(b)
	return c, nil
}

// ExtendChain is ResumeChain for a batch whose checkpoint the caller has opened with these keys. If
// opened is of another note than the batch's, ExtendChain opens the batch's.
func ExtendChain(b sealedlog.Batch, lastLeaf []byte, opened proof.Checkpoint, vkeys ...string) (*Chain, error) {
	c, err := resume(b, lastLeaf, vkeys)
	if err != nil {
		return nil, err
	}
	if err := c.checkpoint(b, &openedNote{checkpoint: opened, by: vkeys}); err != nil {
		return nil, err
	}
	c.keep(b)
	return c, nil
}

func resume(b sealedlog.Batch, lastLeaf []byte, vkeys []string) (*Chain, error) {
	c := NewChain(vkeys...)
	frontier, err := merkle.NewFrontier(b.Size, b.Frontier)
	if err != nil {
		return nil, mismatch(b.First, CheckFrontier, "%v", err)
	}
	if frontier.Root() != b.Root {
		return nil, mismatch(b.First, CheckRoot, "the frontier does not make the root")
	}
	c.frontier, c.resumed = frontier, true
	last, err := entry.ParseEntry(lastLeaf)
	if err != nil || last.Index+1 != b.Size {
		return nil, mismatch(b.Size-1, CheckLeaf, "not the last leaf of the batch")
	}
	c.last, c.log = last.EntryHash, last.Log
	c.account.resume(b.Input)
	return c, nil
}

// Next is Parse and Take in one step.
func (c *Chain) Next(m entry.Message) ([]entry.Entry, error) { return c.Take(Parse(m)) }

// Take takes the next message and returns its entries. After sealedlog.ErrVoid the message must be
// skipped, and the chain is unchanged. A *MismatchError means that the log is bad, and the chain
// must not be used any more.
func (c *Chain) Take(p Parsed) ([]entry.Entry, error) {
	if p.err != nil && p.bad < 0 {
		return nil, p.err
	}
	b := p.Batch
	if err := c.continues(p); err != nil {
		return nil, err
	}
	if p.err != nil {
		return nil, mismatch(b.First+uint64(p.bad), CheckLeaf, "%v", p.err)
	}
	for i := range p.Entries {
		if err := c.entry(&p.Entries[i]); err != nil {
			return nil, c.blame(p, i, err)
		}
	}
	if b.First == 0 {
		c.ring.begin(p.Entries[0].Detail.(*entry.Config).Keys) // it is one: the walk has checked it
	}
	if err := c.check(p, &p.Entries[len(p.Entries)-1]); err != nil {
		return nil, err
	}
	c.keep(b)
	return p.Entries, nil
}

// continues returns ErrVoid unless the message follows the last valid one.
func (c *Chain) continues(p Parsed) error {
	b := p.Batch
	if b.First != c.frontier.Size() {
		return fmt.Errorf("%w: it begins with index %d, the log has %d", sealedlog.ErrVoid, b.First, c.frontier.Size())
	}
	if p.bad != 0 && p.Entries[0].PreviousHash != c.last {
		return fmt.Errorf("%w: its first leaf is chained to another entry", sealedlog.ErrVoid)
	}
	if c.any && !b.Input.After(c.batch.Input) {
		return fmt.Errorf("%w: its input position does not go on", sealedlog.ErrVoid)
	}
	return nil
}

// check compares what a batch's headers claim with its entries.
func (c *Chain) check(p Parsed, last *entry.Entry) error {
	b := p.Batch
	if err := c.account.reaches(b.Input, last); err != nil {
		return mismatch(b.First, CheckAccounting, "%v", err)
	}
	own := c.frontier.Hashes()
	if len(own) != len(b.Frontier) {
		return mismatch(b.First, CheckFrontier, "%d hashes, the leaves make %d", len(b.Frontier), len(own))
	}
	for i := range own {
		if own[i] != b.Frontier[i] {
			return mismatch(b.First, CheckFrontier, "another one than the leaves make")
		}
	}
	if c.frontier.Root() != b.Root {
		return mismatch(b.First, CheckRoot, "the header names another than the leaves make")
	}
	if c.any && b.Payloads < c.batch.Payloads {
		return mismatch(b.First, CheckOrder, "the PAYLOADS sequence falls from %d to %d", c.batch.Payloads, b.Payloads)
	}
	if c.config != nil && b.Key != 0 && c.config.Detail.(*entry.Config).Rules >= ruleset.Blinding {
		return mismatch(b.First, CheckRules, "the header names key entry %d, in a log without verdicts", b.Key)
	}
	if c.config != nil && b.Config != c.config.Index {
		return mismatch(b.First, CheckConfig, "the header names config %d, the newest is %d", b.Config, c.config.Index)
	}
	return c.checkpoint(b, p.note)
}

// checkpoint opens the batch's checkpoint, unless that was done already. An active key must have
// signed it, and its size and root must be the batch's. An opened checkpoint counts only for the
// bytes that the batch has: otherwise someone who changes the batch in between could pass.
func (c *Chain) checkpoint(b sealedlog.Batch, opened *openedNote) error {
	cp, err := c.ring.open(b.Checkpoint, opened)
	switch {
	case err != nil:
		return mismatch(b.First, CheckSignature, "checkpoint of size %d: %v", b.Size, err)
	case cp.Size != b.Size || cp.Root != b.Root:
		return mismatch(b.First, CheckSignature, "the checkpoint is of another size or root")
	case c.origin != "" && cp.Origin != c.origin:
		return mismatch(b.First, CheckSignature, "the checkpoint is of %.80q, the log of %.80q", cp.Origin, c.origin)
	}
	c.origin = cp.Origin
	if c.config != nil {
		c.ring.after(c.config.Detail.(*entry.Config))
	}
	return nil
}

func (c *Chain) keep(b sealedlog.Batch) {
	b.Leaves = nil
	c.batch, c.any = b, true
}

// Size returns the number of entries read.
func (c *Chain) Size() uint64 { return c.frontier.Size() }

// LastHash returns the entry hash of the newest entry. It is zero before the first.
func (c *Chain) LastHash() entry.Hash { return c.last }

// Frontier returns the tree's right edge. Clone it before appending to it.
func (c *Chain) Frontier() merkle.Frontier { return c.frontier }

// Batch returns the last valid batch, without its leaves. It is zero before the first.
func (c *Chain) Batch() sealedlog.Batch { return c.batch }

// Input returns the input position that the log has reached.
func (c *Chain) Input() sealedlog.Position { return c.batch.Input }

// Config returns the newest config entry that was read. ok is false if none was.
func (c *Chain) Config() (entry.Entry, bool) {
	if c.config == nil {
		return entry.Entry{}, false
	}
	return *c.config, true
}

// Origin returns the log's origin. It is empty until it is known.
func (c *Chain) Origin() string { return c.origin }

// Keys returns the trusted verifier keys: the caller's, or index 0's, and those that these have
// announced.
func (c *Chain) Keys() []string { return c.ring.trusted }
