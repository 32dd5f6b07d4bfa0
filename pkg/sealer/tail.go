package sealer

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/store"
)

// tail is the log as far as it is committed and has been verified here: the end of SEALED, and the window before it.
// The sealer's state is made from it and from nothing else; a standby keeps one warm.
type tail struct {
	log    *store.Log
	keys   []string
	limit  uint64                    // window
	slack  uint64                    // that the window keeps behind it
	known  *proof.Checkpoint         // the newest checkpoint seen anywhere before: the log must pass through it; nil: none
	fits   func(*entry.Config) error // whether this sealer may seal under the log's first config
	behind func(committed)           // told of every batch, in order, once it is known to be the log's
	hooks  *hooks                    // nil but in tests

	chain  *proof.Chain
	window *window
	last   uint64 // SEALED sequence read so far, void messages included
	valid  uint64 // SEALED sequence of the newest batch that is not void
	void   []uint64
	whole  bool     // the walk began at the log's first message; else behind a batch trusted for its signature alone
	part   [][]byte // newest leaves, as many as are sealed of a message that is not sealed to its end

	config       *entry.Config
	configIndex  uint64
	created      string // of EVENTS in createdEpoch
	createdEpoch uint64 // 0: not known
}

// committed is a batch that is in the log for good.
type committed struct {
	batch  proof.Batch // without leaves
	sealed uint64      // its SEALED sequence
	before uint64      // PAYLOADS sequence that the batch before it names
	hashes []entry.Hash
}

// errTrusted: a walk that began behind a batch trusted for its signature cannot go on from it.
var errTrusted = errors.New("the batch that the walk began with is not known to be the log's")

// advance reads and verifies SEALED up to its present end. Recovery, start and standby are this one walk. Which of two messages is void only
// the whole chain tells; so a walk that began in the middle and meets a void one begins again at the log's first message.
func (t *tail) advance(ctx context.Context) error {
	if err := t.compare(ctx); err != nil {
		return err
	}
	err := t.walk(ctx)
	if errors.Is(err, errTrusted) {
		t.reset()
		t.whole = true
		err = t.walk(ctx)
	}
	return err
}

// reset forgets all but what was seen before: the log must still pass through it.
func (t *tail) reset() {
	*t = tail{log: t.log, keys: t.keys, limit: t.limit, slack: t.slack, known: t.known, fits: t.fits, behind: t.behind, hooks: t.hooks}
}

// saw keeps the newest checkpoint that the log was ever seen to have.
func (t *tail) saw(c proof.Checkpoint) {
	if t.known == nil || c.Size > t.known.Size {
		t.known = &c
	}
}

// seen keeps the checkpoint that the walk stands on.
func (t *tail) seen() {
	b := t.chain.Batch()
	t.saw(proof.Checkpoint{Size: b.Size, Root: b.Root})
}

// compare looks whether the batch that the walk stands on is still where it was read. If SEALED was put back to an older state and
// grew again, the walk begins anew, and must pass through what was seen.
func (t *tail) compare(ctx context.Context) error {
	if t.valid == 0 {
		return nil
	}
	t.seen()
	b := t.chain.Batch()
	m, err := t.log.Sealed.Get(ctx, t.valid)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("SEALED sequence %d: %w", t.valid, err)
	}
	if err == nil {
		if now, err := proof.ParseBatch(m); err == nil && now.First == b.First && now.Size == b.Size && now.Root == b.Root {
			return nil
		}
	}
	t.reset()
	return nil
}

func (t *tail) walk(ctx context.Context) error {
	end, gone, err := store.End(ctx, t.log.Sealed)
	switch {
	case err != nil:
		return fmt.Errorf("sealed stream: %w", err)
	case gone > 0:
		return fmt.Errorf("%w: SEALED sequences %d to %d are unreadable", ErrLogBad, end+1, end+gone)
	case end < t.last:
		return fmt.Errorf("%w: it ends at sequence %d, after %d was read", ErrRolledBack, end, t.last)
	}
	if t.chain == nil {
		if err := t.begin(ctx, end); err != nil {
			return err
		}
	}
	if t.last < end {
		if err := t.read(ctx, end); err != nil {
			return err
		}
	}
	if !t.window.covers(t.chain.Size()) && !t.hooks.trustsBegin() {
		return errTrusted // an unreadable newest message had named a larger size
	}
	if err := t.passes(); err != nil {
		return err
	}
	return t.loadConfig(ctx)
}

// unreadable tells what is wrong with the log for good, such as an object of its archive, from trouble that passes.
func unreadable(err error) error {
	if _, bad := errors.AsType[*proof.MismatchError](err); bad {
		return fmt.Errorf("%w: %w", ErrLogBad, err)
	}
	return fmt.Errorf("sealed stream: %w", err)
}

func (t *tail) read(ctx context.Context, end uint64) error {
	ctx, came, done := impatient(ctx)
	defer done()
	parser := proof.NewParser(t.keys...)
	for p, err := range store.Ahead(ctx, t.log.Sealed, t.last+1, end, func(m entry.Message) walked { return newWalked(parser.Parse(m)) }) {
		if err != nil {
			return unreadable(err)
		}
		came()
		if err := t.message(p); err != nil {
			return err
		}
	}
	if t.last < end {
		return fmt.Errorf("%w: SEALED sequences %d to %d are missing", ErrLogBad, t.last+1, end)
	}
	return nil
}

// begin places the walk a whole window before the end: at the log's first message, or behind a batch that is trusted for
// its signature alone, since everything after it is chained to it. It begins before the newest checkpoint seen, so that the walk
// passes through it.
func (t *tail) begin(ctx context.Context, end uint64) error {
	from := uint64(0)
	if !t.whole {
		size, err := t.size(ctx, end)
		if err != nil {
			return err
		}
		if reach := t.limit + t.slack; size > reach {
			from = size - reach
		}
		if k := t.known; k != nil {
			from = min(from, max(k.Size, entry.MaxMessageEvents+1)-entry.MaxMessageEvents-1)
		}
	}
	if from > 0 {
		err := t.beginBehind(ctx, from)
		if err == nil || !errors.Is(err, errTrusted) {
			return err
		}
	}
	info, err := t.log.Sealed.Info(ctx)
	if err != nil {
		return fmt.Errorf("sealed stream: %w", err)
	}
	if info.First > 1 && info.Last > 0 {
		return fmt.Errorf("%w: SEALED begins at sequence %d, after the window's begin", ErrLogBad, info.First)
	}
	t.chain, t.window, t.whole = proof.NewChain(t.keys...), newWindow(t.limit, t.slack, 0), true
	return nil
}

func (t *tail) beginBehind(ctx context.Context, index uint64) error {
	at, err := store.FindBatch(ctx, t.log, index)
	if errors.Is(err, store.ErrNotFound) {
		return errTrusted
	} else if err != nil {
		return fmt.Errorf("index %d: %w", index, unreadable(err))
	}
	chain, err := proof.ResumeChain(at.Batch, at.Batch.Leaves[len(at.Batch.Leaves)-1], t.keys...)
	if err != nil {
		return errTrusted
	}
	t.chain, t.window = chain, newWindow(t.limit, t.slack, at.Batch.Size)
	t.last, t.valid = at.Seq, at.Seq
	return nil
}

// size is the size that the newest readable batch names; it is a hint only.
func (t *tail) size(ctx context.Context, end uint64) (uint64, error) {
	for seq := end; seq > 0; seq-- {
		m, err := t.log.Sealed.Get(ctx, seq)
		if errors.Is(err, store.ErrNotFound) {
			return 0, nil // all before is gone, or what is missing shows in the walk
		} else if err != nil {
			return 0, fmt.Errorf("SEALED sequence %d: %w", seq, err)
		}
		if b, err := proof.ParseBatch(m); err == nil {
			return b.Size, nil
		}
	}
	return 0, nil
}

// message takes one SEALED message into chain and window.
func (t *tail) message(p walked) error {
	if p.Seq != t.last+1 {
		return fmt.Errorf("%w: SEALED sequences %d to %d are missing", ErrLogBad, t.last+1, p.Seq-1)
	}
	t.last = p.Seq
	before, named := t.chain.Frontier().Clone(), t.chain.Batch().Payloads
	entries, err := t.chain.Take(p.Parsed)
	switch {
	case errors.Is(err, proof.ErrVoid) && !t.whole && !t.hooks.trustsBegin():
		return errTrusted
	case errors.Is(err, proof.ErrVoid):
		t.void = append(t.void, p.Seq)
		return nil
	case err != nil:
		return t.bad(p.Parsed, err)
	}
	c := committed{batch: t.chain.Batch(), sealed: p.Seq, before: named, hashes: make([]entry.Hash, len(entries))}
	leaves := make([][]byte, len(entries))
	for i := range entries {
		t.entry(&entries[i], p.keys[i])
		leaves[i] = entries[i].Leaf
		if c.hashes[i], err = entry.ParseHash(entries[i].EntryHash); err != nil {
			return err
		}
	}
	if err := t.through(before, c.hashes); err != nil {
		return err
	}
	t.took(c, leaves)
	return nil
}

// bad says why a message that continues the log does not verify: if it is the first one, because the log is another's.
func (t *tail) bad(p proof.Parsed, err error) error {
	if p.Batch.First == 0 && len(p.Entries) > 0 {
		if c, ok := p.Entries[0].Detail.(*entry.Config); ok && t.fits(c) != nil {
			return t.fits(c)
		}
	}
	return fmt.Errorf("%w: SEALED sequence %d: %w", ErrLogBad, p.Seq, err)
}

// through compares the checkpoint seen before with the tree at its size, if the batch just taken reaches it.
func (t *tail) through(before proof.Frontier, hashes []entry.Hash) error {
	k := t.known
	if k == nil || k.Size <= before.Size() || k.Size > before.Size()+uint64(len(hashes)) {
		return nil
	}
	for _, h := range hashes[:k.Size-before.Size()] {
		before.Append(h)
	}
	if root := before.Root(); root != k.Root {
		return fmt.Errorf("%w: another root of size %d: %s, and %s was seen", ErrRolledBack, k.Size, entry.FormatHash(root), entry.FormatHash(k.Root))
	}
	return nil
}

// passes says whether the log still reaches the newest checkpoint seen before.
func (t *tail) passes() error {
	if k := t.known; k != nil && t.chain.Size() < k.Size {
		return fmt.Errorf("%w: size %d, but a checkpoint of size %d was seen", ErrRolledBack, t.chain.Size(), k.Size)
	}
	return nil
}

// took notes what is to be known of a batch that has become the log's newest.
func (t *tail) took(c committed, leaves [][]byte) {
	t.valid = c.sealed
	if n := c.batch.Input.Place; n == proof.PlaceEnd {
		t.part = nil
	} else {
		t.part = append(t.part, leaves...)
		t.part = append([][]byte(nil), t.part[max(0, len(t.part)-n):]...)
	}
	t.behind(c)
}

// walked is a SEALED message with what the window keeps of each of its entries.
type walked struct {
	proof.Parsed
	keys []windowKeys
}

type windowKeys struct {
	event      bool
	key, print windowKey
}

func newWalked(p proof.Parsed) walked {
	w := walked{Parsed: p, keys: make([]windowKeys, len(p.Entries))}
	for i := range p.Entries {
		if e := &p.Entries[i]; e.IsEvent() {
			w.keys[i] = windowKeys{true, claimKey(e.Claim()), windowKey(entry.Fingerprint(e))}
		}
	}
	return w
}

func (t *tail) entry(e *entry.Entry, k windowKeys) {
	t.window.add(k.event, k.key, k.print)
	switch d := e.Detail.(type) {
	case *entry.Config:
		t.config, t.configIndex = d, e.Index
	case *entry.Epoch:
		if e.EventType == entry.TypeEpoch {
			t.created, t.createdEpoch = d.EventsCreated, d.Epoch
		}
	}
}

// commit moves the tail behind a batch of our own that SEALED has acknowledged. The window has its entries already.
func (t *tail) commit(b *batch, seq uint64) error {
	named := t.chain.Batch().Payloads
	chain, err := proof.ExtendChain(b.Batch, b.Leaves[len(b.Leaves)-1], b.opened, t.keys...)
	if err != nil {
		return fmt.Errorf("own batch at SEALED sequence %d: %w", seq, err)
	}
	t.chain, t.last = chain, seq
	t.config, t.configIndex = b.config, b.Config
	t.created, t.createdEpoch = b.created, b.Input.Epoch
	t.took(committed{batch: chain.Batch(), sealed: seq, before: named, hashes: b.hashes}, b.Leaves)
	return nil
}
