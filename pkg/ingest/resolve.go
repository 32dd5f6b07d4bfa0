package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/store"
)

// outcome is what became of one event of an EVENTS message.
type outcome struct {
	status         string
	index          uint64
	hash           string
	source, id     string // of the event; empty for a duplicate and a rejected one, whose entries do not say
	equivocationOf uint64
	checkpoint     string
	refusal        *Refusal
}

// awaitSeal completes the receipts of stored events with what they were sealed as. What is not sealed in time stays stored, and says so.
func (in *Ingest) awaitSeal(ctx context.Context, receipts []Receipt) {
	for begin := 0; begin < len(receipts); {
		if receipts[begin].Status != Stored {
			begin++
			continue
		}
		seq, positions, end := receipts[begin].InputSeq, []uint64(nil), begin
		for ; end < len(receipts) && (receipts[end].Status != Stored || receipts[end].InputSeq == seq); end++ {
			if receipts[end].Status == Stored {
				positions = append(positions, receipts[end].Position)
			}
		}
		entries, err := in.watch.resolve(ctx, in.watch.wait(seq, positions))
		if err != nil && ctx.Err() == nil {
			in.log.WarnContext(ctx, "ingest: a sealed message cannot be read back", "log", in.cfg.Log.Name, "input_seq", seq, "cause", err)
		}
		for i := begin; i < end; i++ {
			if receipts[i].Status == Stored {
				receipts[i].seal(entries)
			}
		}
		begin = end
	}
}

// seal takes the outcome at the receipt's position, if it is of this very event: after a new epoch, the same sequence is another message.
func (r *Receipt) seal(entries map[uint64]outcome) {
	o, ok := entries[r.Position]
	if !ok || o.id != "" && (o.id != r.EntryID || o.source != r.AgentDID) {
		r.Wait = "timeout"
		return
	}
	r.Status, r.Index, r.EntryHash, r.Checkpoint = o.status, o.index, o.hash, o.checkpoint
	r.EquivocationOf, r.Error = o.equivocationOf, o.refusal
}

// resolve waits until a message is sealed, and finds the entries that it became. The first of its callers does the work for all.
func (w *watch) resolve(ctx context.Context, s *sealing) (map[uint64]outcome, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.ready:
	}
	s.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		s.entries, s.err = w.entries(ctx, s)
	})
	return s.entries, s.err
}

// entries reads a message's entries, from the batch with its end backwards.
func (w *watch) entries(ctx context.Context, s *sealing) (map[uint64]outcome, error) {
	at, err := s.end, error(nil)
	if at.Seq == 0 {
		if at, err = store.FindInput(ctx, w.log, s.epoch, s.seq); err != nil {
			return nil, err
		}
	}
	found := make(map[uint64]outcome, len(s.positions))
	for {
		more, err := w.collect(ctx, s, at, found)
		if err != nil || !more || len(found) == len(s.positions) {
			return found, err
		}
		if at, err = w.before(ctx, at); err != nil {
			return found, err
		}
	}
}

// collect takes what is wanted out of one batch, and says whether entries of the message may stand in the one before it.
func (w *watch) collect(ctx context.Context, s *sealing, at store.At, found map[uint64]outcome) (more bool, err error) {
	for i, leaf := range at.Batch.Leaves {
		seq, ok := leafNumber(leaf, "input_seq")
		if !ok {
			return false, errors.New("a leaf without input_seq")
		}
		if seq != s.seq {
			continue
		}
		more = more || i == 0
		if err := w.leaf(ctx, s, at, leaf, found); err != nil {
			return false, err
		}
	}
	return more, nil
}

func (w *watch) leaf(ctx context.Context, s *sealing, at store.At, leaf []byte, found map[uint64]outcome) error {
	position, _ := leafNumber(leaf, "position")
	own := bytes.Contains(leaf, []byte(`"event_type":"`+entry.OwnPrefix))
	if !own && !s.positions[position] {
		return nil
	}
	e, err := entry.ParseEntry(leaf)
	if err != nil {
		return err
	}
	o := outcome{status: Sealed, index: e.Index, hash: e.EntryHash, checkpoint: string(at.Batch.Checkpoint)}
	switch d := e.Detail.(type) {
	case nil, *entry.Equivocation:
		if q, ok := d.(*entry.Equivocation); ok {
			o.equivocationOf = q.Original
		}
		o.source, o.id = e.Claim()
	case *entry.Rejected:
		o.status, o.refusal = Rejected, &Refusal{d.Field, d.Reason}
	case *entry.Duplicate:
		return w.duplicates(ctx, s, at, d, found)
	default: // a gap or an epoch before the message
		return nil
	}
	if s.positions[e.Position] {
		found[e.Position] = o
	}
	return nil
}

// duplicates names the originals of a message's repeats.
func (w *watch) duplicates(ctx context.Context, s *sealing, at store.At, d *entry.Duplicate, found map[uint64]outcome) error {
	holder := at // of the original before: repeats of an import stand side by side
	for _, o := range d.Originals {
		if !s.positions[o.Position] {
			continue
		}
		if o.Index < holder.Batch.First || o.Index >= holder.Batch.Size {
			var err error
			if holder, err = w.holder(ctx, o.Index); err != nil {
				return fmt.Errorf("original %d: %w", o.Index, err)
			}
		}
		hash := entry.FormatHash(entry.LeafHash(holder.Batch.Leaves[o.Index-holder.Batch.First]))
		found[o.Position] = outcome{status: Duplicate, index: o.Index, hash: hash, checkpoint: string(at.Batch.Checkpoint)}
	}
	return nil
}

// holder finds the batch of an index, among those remembered first.
func (w *watch) holder(ctx context.Context, index uint64) (store.At, error) {
	w.mu.Lock()
	for _, at := range w.recent {
		if at.Batch.First <= index && index < at.Batch.Size {
			w.mu.Unlock()
			return at, nil
		}
	}
	w.mu.Unlock()
	return store.FindBatch(ctx, w.log, index)
}

// before is the batch that a batch follows.
func (w *watch) before(ctx context.Context, at store.At) (store.At, error) {
	return w.holder(ctx, at.Batch.First-1)
}

// leafNumber reads an integer of a leaf's own without parsing the leaf. The last occurrence of the name is the leaf's: members are in
// order, nested objects with such names come before it, and in a string the quotes would be escaped.
func leafNumber(leaf []byte, name string) (uint64, bool) {
	mark := `"` + name + `":`
	i := bytes.LastIndex(leaf, []byte(mark))
	if i < 0 {
		return 0, false
	}
	rest := leaf[i+len(mark):]
	end := bytes.IndexAny(rest, ",}")
	if end < 0 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(rest[:end]), 10, 64)
	return n, err == nil
}
