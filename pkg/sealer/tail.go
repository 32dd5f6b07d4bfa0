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
	limit  uint64 // window
	chain  *proof.Chain
	window *window
	last   uint64 // SEALED sequence read so far, void messages included
	valid  uint64 // SEALED sequence of the newest batch that is not void
	void   []uint64

	config        *entry.Config
	configIndex   uint64
	eventsCreated string // of the newest epoch seen; "" if its entry lies before the window
}

// advance reads and verifies SEALED up to its present end. Recovery, start and standby are this one walk.
func (t *tail) advance(ctx context.Context) error {
	info, err := t.log.Sealed.Info(ctx)
	if err != nil {
		return fmt.Errorf("sealed stream: %w", err)
	}
	if info.Last < t.last {
		return fmt.Errorf("%w: it ends at sequence %d, after %d was read", ErrRolledBack, info.Last, t.last)
	}
	if t.chain == nil {
		if err := t.begin(ctx, info); err != nil {
			return err
		}
	}
	if t.last >= info.Last {
		return nil
	}
	r, err := t.log.Sealed.Read(ctx, t.last+1)
	if err != nil {
		return fmt.Errorf("sealed stream: %w", err)
	}
	defer r.Close()
	for t.last < info.Last {
		messages, err := r.Next(ctx, 16)
		if err != nil {
			return fmt.Errorf("sealed stream: %w", err)
		}
		for _, m := range messages {
			if err := t.message(m); err != nil {
				return err
			}
		}
	}
	return nil
}

// begin places the walk a whole window before the end: at the log's first message, or behind a batch that is trusted for
// its signature alone, since everything after it is chained to it.
func (t *tail) begin(ctx context.Context, info store.Info) error {
	size, err := t.size(ctx, info)
	if err != nil {
		return err
	}
	var from uint64
	if reach := t.limit + windowSlack; size > reach {
		from = size - reach
	}
	if from == 0 {
		if info.First > 1 && info.Last > 0 {
			return fmt.Errorf("%w: SEALED begins at sequence %d, after the window's begin", ErrLogBad, info.First)
		}
		t.chain, t.window = proof.NewChain(t.keys...), newWindow(t.limit, 0)
		return nil
	}
	at, err := store.FindBatch(ctx, t.log, from)
	if err != nil {
		return fmt.Errorf("index %d: %w", from, err)
	}
	if t.chain, err = proof.ResumeChain(at.Batch, at.Batch.Leaves[len(at.Batch.Leaves)-1], t.keys...); err != nil {
		return fmt.Errorf("%w: SEALED sequence %d: %w", ErrLogBad, at.Seq, err)
	}
	t.window = newWindow(t.limit, at.Batch.Size)
	t.last, t.valid = at.Seq, at.Seq
	return nil
}

// size is the size that the newest readable batch names; it is a hint only.
func (t *tail) size(ctx context.Context, info store.Info) (uint64, error) {
	for seq := info.Last; seq >= info.First && seq > 0; seq-- {
		m, err := t.log.Sealed.Get(ctx, seq)
		if errors.Is(err, store.ErrNotFound) {
			continue
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
func (t *tail) message(m entry.Message) error {
	if m.Seq != t.last+1 {
		return fmt.Errorf("%w: SEALED sequences %d to %d are missing", ErrLogBad, t.last+1, m.Seq-1)
	}
	t.last = m.Seq
	entries, err := t.chain.Next(m)
	if errors.Is(err, proof.ErrVoid) {
		t.void = append(t.void, m.Seq)
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: SEALED sequence %d: %w", ErrLogBad, m.Seq, err)
	}
	t.valid = m.Seq
	for i := range entries {
		t.entry(&entries[i])
	}
	return nil
}

func (t *tail) entry(e *entry.Entry) {
	if e.IsEvent() {
		t.window.add(true, claimKey(e.Claim()), windowKey(entry.Fingerprint(e)))
	} else {
		t.window.add(false, windowKey{}, windowKey{})
	}
	switch d := e.Detail.(type) {
	case *entry.Config:
		t.config, t.configIndex = d, e.Index
		if t.eventsCreated == "" && d.Epoch == e.InputEpoch {
			t.eventsCreated = d.EventsCreated
		}
	case *entry.Epoch:
		if e.EventType == entry.TypeEpoch {
			t.eventsCreated = d.EventsCreated
		}
	}
}

// commit moves the tail behind a batch of our own that SEALED has acknowledged. The window has its entries already.
func (t *tail) commit(b *batch, seq uint64) error {
	chain, err := proof.ResumeChain(b.Batch, b.Leaves[len(b.Leaves)-1], t.keys...)
	if err != nil {
		return fmt.Errorf("own batch at SEALED sequence %d: %w", seq, err)
	}
	t.chain, t.last, t.valid = chain, seq, seq
	if b.Config != t.configIndex {
		t.config = nil // loadConfig fetches the one that this batch brought
	}
	return nil
}

// loadConfig fetches the newest config if it lies before the window.
func (t *tail) loadConfig(ctx context.Context) error {
	if t.config != nil || t.chain.Size() == 0 {
		return nil
	}
	e, err := t.indexed(ctx, t.chain.Batch().Config)
	if err != nil {
		return err
	}
	c, ok := e.Detail.(*entry.Config)
	if !ok {
		return fmt.Errorf("%w: index %d is no config", ErrLogBad, e.Index)
	}
	t.config, t.configIndex = c, e.Index
	return nil
}

// indexed reads one entry from SEALED.
func (t *tail) indexed(ctx context.Context, index uint64) (entry.Entry, error) {
	at, err := store.FindBatch(ctx, t.log, index)
	if err != nil {
		return entry.Entry{}, fmt.Errorf("index %d: %w", index, err)
	}
	return entry.ParseEntry(at.Batch.Leaves[index-at.Batch.First])
}

// newest reads the last n entries of the log, oldest first.
func (t *tail) newest(ctx context.Context, n int) ([]entry.Entry, error) {
	size := t.chain.Size()
	list := make([]entry.Entry, 0, n)
	for i := size - uint64(n); i < size; {
		at, err := store.FindBatch(ctx, t.log, i)
		if err != nil {
			return nil, fmt.Errorf("index %d: %w", i, err)
		}
		for ; i < at.Batch.Size && i < size; i++ {
			e, err := entry.ParseEntry(at.Batch.Leaves[i-at.Batch.First])
			if err != nil {
				return nil, fmt.Errorf("index %d: %w", i, err)
			}
			list = append(list, e)
		}
	}
	return list, nil
}
