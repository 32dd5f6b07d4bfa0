package proof

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/note"

	"github.com/sealstream/sealstream/pkg/entry"
)

// MismatchError says that a log does not verify: which index is the first concerned, what failed, and why.
type MismatchError struct {
	Index uint64
	What  string // leaf, chain, index, log, config, accounting, id, root, frontier, signature, payload, digest, order
	Why   string
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("index %d: %s: %s", e.Index, e.What, e.Why)
}

func mismatch(index uint64, what, format string, args ...any) error {
	return &MismatchError{index, what, fmt.Sprintf(format, args...)}
}

// walk checks entries one after the other (SPEC 10, items 1 to 3 and 6). Chain, Audit and AuditExport stand on it.
type walk struct {
	frontier    Frontier
	last        string // entry hash before the next index, in text
	log, origin string
	account     accounting
	config      *entry.Entry // newest config entry seen
	resumed     bool         // began behind a batch: index 0 was not seen
}

func newWalk() *walk { return &walk{last: entry.ZeroHash} }

func (w *walk) entry(e *entry.Entry) error {
	i := w.frontier.Size()
	if e.Index != i {
		return mismatch(i, "index", "the leaf says index %d", e.Index)
	}
	if e.PreviousHash != w.last {
		return mismatch(i, "chain", "previous_hash is not the entry hash of the entry before")
	}
	if w.log == "" {
		w.log = e.Log
	}
	if e.Log != w.log {
		return mismatch(i, "log", "a leaf of log %q in log %q", e.Log, w.log)
	}
	if err := w.begin(e, i); err != nil {
		return err
	}
	if e.IsOwn() {
		if e.EntryID != e.OwnID() {
			return mismatch(i, "id", "entry_id of one of the log's own entries is not the one that follows from its place")
		}
		if e.EventType != entry.TypeEquivocation && e.AgentDID != w.origin {
			return mismatch(i, "origin", "one of the log's own entries names %.80q", e.AgentDID)
		}
	}
	if err := w.account.entry(e, w.root(e)); err != nil {
		return mismatch(i, "accounting", "%v", err)
	}
	if e.EventType == entry.TypeConfig {
		c := *e
		w.config = &c
	}
	h, err := entry.ParseHash(e.EntryHash)
	if err != nil {
		return mismatch(i, "leaf", "%v", err)
	}
	w.frontier.Append(h)
	w.last = e.EntryHash
	return nil
}

// root is needed for epoch entries alone.
func (w *walk) root(e *entry.Entry) entry.Hash {
	if e.EventType == entry.TypeEpoch {
		return w.frontier.Root()
	}
	return entry.Hash{}
}

// begin checks that the log begins with its config, and that later ones follow it.
func (w *walk) begin(e *entry.Entry, i uint64) error {
	c, ok := e.Detail.(*entry.Config)
	switch {
	case i == 0 && (!ok || c.Previous != nil):
		return mismatch(0, "config", "a log begins with its config")
	case i == 0:
		w.origin = c.Origin
	case ok && w.config != nil:
		if err := c.Follows(w.config.Detail.(*entry.Config), w.config.Index); err != nil {
			return mismatch(i, "config", "%v", err)
		}
	}
	return nil
}

// Chain walks SEALED messages in order and tells the valid from the void and the bad (SPEC 6).
type Chain struct {
	walk
	keys      []string
	verifiers note.Verifiers
	batch     Batch // the last valid one, without leaves
	any       bool  // a valid batch was seen
}

// NewChain begins at a log's first message. Without keys, those of index 0's config are taken: that proves that the log is one,
// but not whose.
func NewChain(vkeys ...string) *Chain { return &Chain{walk: *newWalk(), keys: vkeys} }

// ResumeChain begins behind a batch that the caller trusts, its checkpoint's signature being checked here. lastLeaf is its
// last leaf. Keys are required.
func ResumeChain(b Batch, lastLeaf []byte, vkeys ...string) (*Chain, error) {
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

// ExtendChain is ResumeChain for a batch whose checkpoint the caller has opened with these keys. If opened is of another note than the batch's, the
// batch's is opened here.
func ExtendChain(b Batch, lastLeaf []byte, opened Checkpoint, vkeys ...string) (*Chain, error) {
	c, err := resume(b, lastLeaf, vkeys)
	if err != nil {
		return nil, err
	}
	if err := c.checkpoint(b, &openedNote{keys: vkeys, checkpoint: opened}); err != nil {
		return nil, err
	}
	c.keep(b)
	return c, nil
}

func resume(b Batch, lastLeaf []byte, vkeys []string) (*Chain, error) {
	c := NewChain(vkeys...)
	frontier, err := NewFrontier(b.Size, b.Frontier)
	if err != nil {
		return nil, mismatch(b.First, "frontier", "%v", err)
	}
	if frontier.Root() != b.Root {
		return nil, mismatch(b.First, "root", "the frontier does not make the root")
	}
	c.frontier, c.resumed = frontier, true
	last, err := entry.ParseEntry(lastLeaf)
	if err != nil || last.Index+1 != b.Size {
		return nil, mismatch(b.Size-1, "leaf", "not the last leaf of the batch")
	}
	c.last, c.log = last.EntryHash, last.Log
	c.account.resume(b.Input)
	return c, nil
}

// Next is Parse and Take in one.
func (c *Chain) Next(m entry.Message) ([]entry.Entry, error) { return c.Take(Parse(m)) }

// Take takes the next message. ErrVoid says that it is to be skipped, and leaves the chain as it was; a *MismatchError
// that the log is bad, after which the chain is of no use.
func (c *Chain) Take(p Parsed) ([]entry.Entry, error) {
	if p.err != nil && p.bad < 0 {
		return nil, p.err
	}
	b := p.Batch
	if err := c.continues(p); err != nil {
		return nil, err
	}
	if p.err != nil {
		return nil, mismatch(b.First+uint64(p.bad), "leaf", "%v", p.err)
	}
	for i := range p.Entries {
		if err := c.entry(&p.Entries[i]); err != nil {
			return nil, c.blame(p, i, err)
		}
	}
	if err := c.check(p, &p.Entries[len(p.Entries)-1]); err != nil {
		return nil, err
	}
	c.keep(b)
	return p.Entries, nil
}

// continues says whether the message stands behind the last valid one; else it is void.
func (c *Chain) continues(p Parsed) error {
	b := p.Batch
	if b.First != c.frontier.Size() {
		return fmt.Errorf("%w: it begins with index %d, the log has %d", ErrVoid, b.First, c.frontier.Size())
	}
	if p.bad != 0 && p.Entries[0].PreviousHash != c.last {
		return fmt.Errorf("%w: its first leaf is chained to another entry", ErrVoid)
	}
	if c.any && !b.Input.after(c.batch.Input) {
		return fmt.Errorf("%w: its input position does not go on", ErrVoid)
	}
	return nil
}

// check compares what a batch says of itself with its entries.
func (c *Chain) check(p Parsed, last *entry.Entry) error {
	b := p.Batch
	if err := c.account.reaches(b.Input, last); err != nil {
		return mismatch(b.First, "accounting", "%v", err)
	}
	own := c.frontier.Hashes()
	if len(own) != len(b.Frontier) {
		return mismatch(b.First, "frontier", "%d hashes, the leaves make %d", len(b.Frontier), len(own))
	}
	for i := range own {
		if own[i] != b.Frontier[i] {
			return mismatch(b.First, "frontier", "another one than the leaves make")
		}
	}
	if c.frontier.Root() != b.Root {
		return mismatch(b.First, "root", "the header names another than the leaves make")
	}
	if c.any && b.Payloads < c.batch.Payloads {
		return mismatch(b.First, "order", "the PAYLOADS sequence falls from %d to %d", c.batch.Payloads, b.Payloads)
	}
	if c.config != nil && b.Config != c.config.Index {
		return mismatch(b.First, "config", "the header names config %d, the newest is %d", b.Config, c.config.Index)
	}
	return c.checkpoint(b, p.note)
}

// checkpoint opens the batch's checkpoint, unless that was done with the same keys; it must be of its very size and root. What was opened counts for
// the very bytes that the batch has: else whoever changes a batch between the two would have it pass.
func (c *Chain) checkpoint(b Batch, opened *openedNote) error {
	if c.verifiers == nil {
		if err := c.pin(); err != nil {
			return mismatch(b.First, "signature", "%v", err)
		}
	}
	if opened == nil || !slices.Equal(opened.keys, c.keys) || !bytes.Equal(opened.checkpoint.Note, b.Checkpoint) {
		opened = openNote(b.Checkpoint, c.keys, c.verifiers)
	}
	cp, err := opened.checkpoint, opened.err
	switch {
	case err != nil:
		return mismatch(b.First, "signature", "checkpoint of size %d: %v", b.Size, err)
	case cp.Size != b.Size || cp.Root != b.Root:
		return mismatch(b.First, "signature", "the checkpoint is of another size or root")
	case c.origin != "" && cp.Origin != c.origin:
		return mismatch(b.First, "signature", "the checkpoint is of %.80q, the log of %.80q", cp.Origin, c.origin)
	}
	c.origin = cp.Origin
	return nil
}

// pin fixes the keys: the caller's, of which one must be the config's; or the config's own.
func (c *Chain) pin() error {
	var named []string
	if c.config != nil {
		named = c.config.Detail.(*entry.Config).Keys
	}
	if len(c.keys) == 0 {
		c.keys = named
	} else if named != nil && !contains(named, c.keys) {
		return errors.New("the log's config names none of the given keys")
	}
	if len(c.keys) == 0 {
		return errors.New("no key to check with")
	}
	var err error
	c.verifiers, err = newVerifiers(c.keys)
	return err
}

func contains(named, keys []string) bool {
	for _, n := range named {
		for _, k := range keys {
			if n == k {
				return true
			}
		}
	}
	return false
}

func (c *Chain) keep(b Batch) {
	b.Leaves = nil
	c.batch, c.any = b, true
}

// Size is the number of entries walked.
func (c *Chain) Size() uint64 { return c.frontier.Size() }

// LastHash is the entry hash of the newest entry; zero before the first.
func (c *Chain) LastHash() entry.Hash {
	h, _ := entry.ParseHash(c.last) // always written by us, or zeros
	return h
}

// Frontier is the tree's right edge. Clone it before appending.
func (c *Chain) Frontier() Frontier { return c.frontier }

// Batch is the last valid batch, without its leaves; zero before the first.
func (c *Chain) Batch() Batch { return c.batch }

// Input is the input position that the log reaches.
func (c *Chain) Input() Position { return c.batch.Input }

// Config is the newest config entry that was walked over, if any was.
func (c *Chain) Config() (entry.Entry, bool) {
	if c.config == nil {
		return entry.Entry{}, false
	}
	return *c.config, true
}

// Origin is the log's origin, once known.
func (c *Chain) Origin() string { return c.origin }

// Keys are the verifier keys in use: the caller's, or index 0's.
func (c *Chain) Keys() []string { return c.keys }
