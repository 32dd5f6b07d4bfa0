package sealer

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// tail is the committed part of the log that was verified here: the end of SEALED and the window
// before it. The sealer's state is made from it alone. A standby keeps one up to date.
type tail struct {
	log        *store.Log
	keys       []string
	windowSize uint64 // size of the window in indexes
	slack      uint64 // older indexes that the window keeps
	// the newest checkpoint seen anywhere, which the log must pass through; nil if there is none
	newestSeen *proof.Checkpoint
	// checks that the log's first config belongs to this sealer
	checkConfig func(*entry.Config) error
	// called with every batch in order, once it is known to belong to the log
	onBatch func(committed)
	hooks   *hooks // nil outside of tests
	// the snapshot to start from; nil if there is none, or it was tried
	restore  *snapshotter
	restored bool // the walk started after the batch of a snapshot, and has not reached the end yet

	chain     *audit.Chain
	window    *window
	lastRead  uint64 // newest SEALED sequence read, void messages included
	lastValid uint64 // SEALED sequence of the newest valid batch
	void      []uint64
	// the walk started at the log's first message; otherwise after a batch trusted for its
	// signature alone
	fromFirst     bool
	partialLeaves [][]byte // newest leaves, those of a message that is not sealed completely

	began      uint64 // index of the first entry of the walk, if older access entries are not known
	beganAfter uint64 // SEALED sequence of the batch before it
	service    serviceState

	config       *entry.Config
	configIndex  uint64
	created      string // creation time of EVENTS in createdEpoch
	createdEpoch uint64 // 0 if not known
}

// committed is a batch that is in the log for good.
type committed struct {
	batch  sealedlog.Batch // without leaves
	sealed uint64          // SEALED sequence of the batch
	before uint64          // PAYLOADS sequence that the batch before it names
	tip    *tip            // only of the newest batch, for the duties
}

// errStartUntrusted reports that a walk which started after a batch trusted for its signature
// cannot go on from it.
var errStartUntrusted = errors.New("the batch that the walk started from may not belong to the log")

// advance reads and verifies SEALED up to its present end. Start, recovery and standby all use it.
// Only the chain from the first message tells which of two messages is void, so a walk that started
// in the middle and meets a void message starts again at the log's first message. A walk after a
// snapshot that finds anything wrong starts again without it.
func (t *tail) advance(ctx context.Context) error {
	if err := t.checkTip(ctx); err != nil {
		return err
	}
	err := t.walk(ctx)
	if t.restored && (errors.Is(err, errStartUntrusted) || maybeStale(err) != nil) {
		t.restore.refuse(ctx, err)
		t.reset()
		err = t.walk(ctx)
	}
	if err == nil {
		t.restored = false
	}
	if errors.Is(err, errStartUntrusted) {
		t.reset()
		t.fromFirst = true
		err = t.walk(ctx)
	}
	return err
}

// onSnapshot reports whether all that the tail knows stands on a snapshot.
func (t *tail) onSnapshot() bool { return t.restore != nil && t.chain != nil }

// reset discards everything but the newest checkpoint seen, which the log must still pass through.
func (t *tail) reset() {
	*t = tail{
		log:         t.log,
		keys:        t.keys,
		windowSize:  t.windowSize,
		slack:       t.slack,
		newestSeen:  t.newestSeen,
		checkConfig: t.checkConfig,
		onBatch:     t.onBatch,
		hooks:       t.hooks,
	}
}

// rememberCheckpoint keeps the newest checkpoint that the log was ever seen to have.
func (t *tail) rememberCheckpoint(c proof.Checkpoint) {
	if t.newestSeen == nil || c.Size > t.newestSeen.Size {
		t.newestSeen = &c
	}
}

// rememberTip keeps the checkpoint of the newest batch.
func (t *tail) rememberTip() {
	b := t.chain.Batch()
	t.rememberCheckpoint(proof.Checkpoint{Size: b.Size, Root: b.Root})
}

// checkTip checks that the newest batch is still where it was read. If SEALED was rolled back and
// grew again, it resets the tail. The new walk must pass through the newest checkpoint seen.
func (t *tail) checkTip(ctx context.Context) error {
	if t.lastValid == 0 {
		return nil
	}
	t.rememberTip()
	b := t.chain.Batch()
	m, err := t.log.Sealed.Get(ctx, t.lastValid)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("SEALED sequence %d: %w", t.lastValid, err)
	}
	if err == nil {
		if now, err := sealedlog.ParseBatch(m); err == nil && now.First == b.First && now.Size == b.Size &&
			now.Root == b.Root {
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
	case end < t.lastRead:
		return fmt.Errorf("%w: SEALED ends at sequence %d, after %d was read", ErrRolledBack, end, t.lastRead)
	}
	if t.chain == nil {
		if err := t.placeStart(ctx, end); err != nil {
			return err
		}
	}
	if t.lastRead < end {
		if err := t.read(ctx, end); err != nil {
			return err
		}
	}
	if !t.window.covers(t.chain.Size()) && !t.hooks.trustsStart() {
		return errStartUntrusted // an unreadable newest message must have named a larger size
	}
	if err := t.checkReachesSeen(); err != nil {
		return err
	}
	if err := t.loadConfig(ctx); err != nil {
		return err
	}
	return t.loadServices(ctx)
}

// unreadable separates permanent damage of the log, such as a bad object of its archive, from
// temporary trouble.
func unreadable(err error) error {
	if _, bad := errors.AsType[*audit.MismatchError](err); bad {
		return fmt.Errorf("%w: %w", ErrLogBad, err)
	}
	return fmt.Errorf("sealed stream: %w", err)
}

func (t *tail) read(ctx context.Context, end uint64) error {
	ctx, came, done := withIdleTimeout(ctx)
	defer done()
	parser := audit.NewParser(t.keys...)
	for p, err := range store.Ahead(ctx, t.log.Sealed, t.lastRead+1, end, func(m entry.Message) walked {
		return newWalked(parser.Parse(m))
	}) {
		if err != nil {
			return unreadable(err)
		}
		came()
		if err := t.message(p); err != nil {
			return err
		}
	}
	if t.lastRead < end {
		return fmt.Errorf("%w: SEALED sequences %d to %d are missing", ErrLogBad, t.lastRead+1, end)
	}
	return nil
}

// placeStart places the walk at least one window before the end: at the log's first message, or
// after a batch that is trusted for its signature alone, since everything after it is chained to
// it. It starts before the newest checkpoint seen, so that the walk passes through that. A snapshot
// spares the window before it.
func (t *tail) placeStart(ctx context.Context, end uint64) error {
	if done, err := t.tryRestore(ctx, end); done || err != nil {
		return err
	}
	from := uint64(0)
	if !t.fromFirst {
		size, err := t.hintSize(ctx, end)
		if err != nil {
			return err
		}
		if reach := t.windowSize + t.slack; size > reach {
			from = size - reach
		}
		if k := t.newestSeen; k != nil {
			from = min(from, max(k.Size, ruleset.MaxMessageEvents+1)-ruleset.MaxMessageEvents-1)
		}
	}
	if from > 0 {
		err := t.startAfter(ctx, from)
		if err == nil || !errors.Is(err, errStartUntrusted) {
			return err
		}
	}
	info, err := t.log.Sealed.Info(ctx)
	if err != nil {
		return fmt.Errorf("sealed stream: %w", err)
	}
	if info.First > 1 && info.Last > 0 {
		return fmt.Errorf("%w: SEALED starts at sequence %d, inside the window", ErrLogBad, info.First)
	}
	t.chain, t.window, t.fromFirst = audit.NewChain(t.keys...), newWindow(t.windowSize, t.slack, 0), true
	return nil
}

func (t *tail) startAfter(ctx context.Context, index uint64) error {
	at, err := store.FindBatch(ctx, t.log, index)
	if errors.Is(err, store.ErrNotFound) {
		return errStartUntrusted
	} else if err != nil {
		return fmt.Errorf("index %d: %w", index, unreadable(err))
	}
	chain, err := audit.ResumeChain(at.Batch, at.Batch.Leaves[len(at.Batch.Leaves)-1], t.keys...)
	if err != nil {
		return errStartUntrusted
	}
	t.chain, t.window = chain, newWindow(t.windowSize, t.slack, at.Batch.Size)
	t.lastRead, t.lastValid = at.Seq, at.Seq
	t.began, t.beganAfter = at.Batch.Size, at.Seq
	return nil
}

// hintSize returns the size that the newest readable batch names. It is a hint only.
func (t *tail) hintSize(ctx context.Context, end uint64) (uint64, error) {
	for seq := end; seq > 0; seq-- {
		m, err := t.log.Sealed.Get(ctx, seq)
		if errors.Is(err, store.ErrNotFound) {
			return 0, nil // everything before is gone, or the walk will report what is missing
		} else if err != nil {
			return 0, fmt.Errorf("SEALED sequence %d: %w", seq, err)
		}
		if b, err := sealedlog.ParseBatch(m); err == nil {
			return b.Size, nil
		}
	}
	return 0, nil
}

// message adds one SEALED message to chain and window.
func (t *tail) message(p walked) error {
	if p.Seq != t.lastRead+1 {
		return fmt.Errorf("%w: SEALED sequences %d to %d are missing", ErrLogBad, t.lastRead+1, p.Seq-1)
	}
	t.lastRead = p.Seq
	before, named := t.chain.Frontier().Clone(), t.chain.Batch().Payloads
	entries, err := t.chain.Take(p.Parsed)
	switch {
	case errors.Is(err, sealedlog.ErrVoid) && !t.fromFirst && !t.hooks.trustsStart():
		return errStartUntrusted
	case errors.Is(err, sealedlog.ErrVoid):
		t.void = append(t.void, p.Seq)
		return nil
	case err != nil:
		return t.verifyError(p.Parsed, err)
	}
	c := committed{batch: t.chain.Batch(), sealed: p.Seq, before: named}
	leaves := make([][]byte, len(entries))
	for i := range entries {
		t.entry(&entries[i], p.keys[i])
		leaves[i] = entries[i].Leaf
	}
	if err := t.checkRootSeen(before, entries); err != nil {
		return err
	}
	t.batchAdded(c, leaves)
	return nil
}

// verifyError says why a message that should continue the log fails to verify. If it is the first
// message, the log may belong to another sealer.
func (t *tail) verifyError(p audit.Parsed, err error) error {
	if p.Batch.First == 0 && len(p.Entries) > 0 {
		if c, ok := p.Entries[0].Detail.(*entry.Config); ok && t.checkConfig(c) != nil {
			return t.checkConfig(c)
		}
	}
	return fmt.Errorf("%w: SEALED sequence %d: %w", ErrLogBad, p.Seq, err)
}

// checkRootSeen compares the newest checkpoint seen with the tree at its size, if the batch just
// added reaches that size.
func (t *tail) checkRootSeen(before merkle.Frontier, entries []entry.Entry) error {
	k := t.newestSeen
	if k == nil || k.Size <= before.Size() || k.Size > before.Size()+uint64(len(entries)) {
		return nil
	}
	for _, e := range entries[:k.Size-before.Size()] {
		before.Append(e.EntryHash)
	}
	if root := before.Root(); root != k.Root {
		return fmt.Errorf("%w: the root of size %d is %s, but %s was seen", ErrRolledBack, k.Size,
			root.String(), k.Root.String())
	}
	return nil
}

// checkReachesSeen checks that the log still reaches the newest checkpoint seen.
func (t *tail) checkReachesSeen() error {
	if k := t.newestSeen; k != nil && t.chain.Size() < k.Size {
		return fmt.Errorf("%w: size %d, but a checkpoint of size %d was seen", ErrRolledBack, t.chain.Size(), k.Size)
	}
	return nil
}

// batchAdded records a batch that has become the newest of the log.
func (t *tail) batchAdded(c committed, leaves [][]byte) {
	t.lastValid = c.sealed
	t.window.settle(c.batch.Size)
	if n := c.batch.Input.Place; n == sealedlog.PlaceEnd {
		t.partialLeaves = nil
	} else {
		t.partialLeaves = append(t.partialLeaves, leaves...)
		t.partialLeaves = append([][]byte(nil), t.partialLeaves[max(0, len(t.partialLeaves)-n):]...)
	}
	t.onBatch(c)
}

// walked is a SEALED message with what the window keeps of each entry.
type walked struct {
	audit.Parsed
	keys []windowKeys
}

type windowKeys struct {
	event            bool
	key, fingerprint windowKey
}

func newWalked(p audit.Parsed) walked {
	w := walked{Parsed: p, keys: make([]windowKeys, len(p.Entries))}
	for i := range p.Entries {
		if e := &p.Entries[i]; e.IsEvent() {
			w.keys[i] = windowKeys{true, claimKey(e.Claim()), windowKey(e.Fingerprint())}
		}
	}
	return w
}

func (t *tail) entry(e *entry.Entry, k windowKeys) {
	t.window.add(k.event, k.key, k.fingerprint)
	t.service.note(e)
	switch d := e.Detail.(type) {
	case *entry.Config:
		t.config, t.configIndex = d, e.Index
	case *entry.Epoch:
		if e.EventType == entry.TypeEpoch {
			t.created, t.createdEpoch = d.EventsCreated, d.Epoch
		}
	}
}

// commit adds a batch of our own that SEALED has acknowledged. The window has its entries already.
func (t *tail) commit(b *batch, seq uint64) error {
	named := t.chain.Batch().Payloads
	chain, err := audit.ExtendChain(b.Batch, b.Leaves[len(b.Leaves)-1], b.parsed, t.keys...)
	if err != nil {
		return fmt.Errorf("own batch at SEALED sequence %d: %w", seq, err)
	}
	t.chain, t.lastRead = chain, seq
	t.config, t.configIndex = b.config, b.Config
	t.created, t.createdEpoch = b.eventsCreated, b.Input.Epoch
	t.service = b.service
	t.batchAdded(committed{batch: chain.Batch(), sealed: seq, before: named}, b.Leaves)
	return nil
}
