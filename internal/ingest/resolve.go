package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
)

// outcome is what one event of an EVENTS message was sealed as.
type outcome struct {
	status string
	index  uint64
	hash   string
	// claim of the event; empty for duplicate and rejected events, whose entries do not have it
	source, id     string
	equivocationOf uint64
	checkpoint     string
	of             *held // the batch with the entry; nil for a duplicate
	refusal        *api.Refusal
}

// awaitSeal completes the receipts of stored events with their entries. Receipts of events that are
// not sealed before ctx is done stay stored, with wait "timeout". Unless p is nil, it gets the
// proofs of the entries.
func (in *Ingest) awaitSeal(ctx context.Context, receipts []api.Receipt, p *proofs) {
	for first := 0; first < len(receipts); {
		if receipts[first].Status != api.Stored {
			first++
			continue
		}
		seq, positions, end := receipts[first].InputSeq, []uint64(nil), first
		for ; end < len(receipts) && (receipts[end].Status != api.Stored || receipts[end].InputSeq == seq); end++ {
			if receipts[end].Status == api.Stored {
				positions = append(positions, receipts[end].Position)
			}
		}
		entries, err := in.watch.resolve(ctx, in.watch.wait(seq, positions))
		if err != nil && ctx.Err() == nil {
			in.logger.WarnContext(ctx, "ingest cannot read back a sealed message", "log", in.cfg.Log.Name,
				"input_seq", seq, "cause", err)
		}
		for i := first; i < end; i++ {
			if receipts[i].Status != api.Stored {
				continue
			}
			if of := seal(&receipts[i], entries); of != nil {
				p.add(ctx, &receipts[i], of)
			}
		}
		first = end
	}
	p.end(ctx)
}

// seal completes a receipt with the outcome at its position, if that belongs to the same event: in
// a new epoch, the same sequence is another message. It returns the batch if the event is sealed.
func seal(r *api.Receipt, entries map[uint64]outcome) *held {
	o, ok := entries[r.Position]
	if !ok || o.id != "" && (o.id != r.EntryID || o.source != r.AgentDID) {
		r.Wait = "timeout"
		return nil
	}
	r.Status, r.Index, r.EntryHash, r.Checkpoint = o.status, o.index, o.hash, o.checkpoint
	r.EquivocationOf, r.Error = o.equivocationOf, o.refusal
	if o.status != api.Sealed {
		return nil
	}
	return o.of
}

// resolve waits until a message is sealed and returns the outcomes of its events. The first caller
// does the work for all.
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

// entries reads the entries of a message, from the batch with its end backwards.
func (w *watch) entries(ctx context.Context, s *sealing) (map[uint64]outcome, error) {
	at := s.end
	if at == nil {
		end, err := store.FindInput(ctx, w.log, s.epoch, s.seq)
		if err != nil {
			return nil, err
		}
		at = hold(end)
	}
	found := make(map[uint64]outcome, len(s.positions))
	for {
		more, err := w.collect(ctx, s, at, found)
		if err != nil || !more || len(found) == len(s.positions) {
			return found, err
		}
		if at, err = w.batchBefore(ctx, at); err != nil {
			return found, err
		}
	}
}

// collect collects the wanted outcomes from one batch. more reports whether the batch before may
// hold entries of the message, too.
func (w *watch) collect(ctx context.Context, s *sealing, at *held, found map[uint64]outcome) (more bool, err error) {
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

func (w *watch) leaf(ctx context.Context, s *sealing, at *held, leaf []byte, found map[uint64]outcome) error {
	position, _ := leafNumber(leaf, "position")
	own := bytes.Contains(leaf, []byte(`"event_type":"`+ruleset.OwnPrefix))
	if !own && !s.positions[position] {
		return nil
	}
	e, err := entry.ParseEntry(leaf)
	if err != nil {
		return err
	}
	o := outcome{status: api.Sealed, index: e.Index, hash: e.EntryHash.String(), checkpoint: at.note, of: at}
	switch d := e.Detail.(type) {
	case nil, *entry.Equivocation:
		if q, ok := d.(*entry.Equivocation); ok {
			o.equivocationOf = q.Original
		}
		o.source, o.id = e.Claim()
	case *entry.Rejected:
		o.status, o.refusal = api.Rejected, &api.Refusal{Field: d.Field, Reason: d.Reason}
	case *entry.Duplicate:
		return w.duplicates(ctx, s, at, d, found)
	default: // a gap or epoch entry before the message
		return nil
	}
	if s.positions[e.Position] {
		found[e.Position] = o
	}
	return nil
}

// duplicates adds the originals of a message's repeats.
func (w *watch) duplicates(
	ctx context.Context,
	s *sealing,
	at *held,
	d *entry.Duplicate,
	found map[uint64]outcome,
) error {
	holder := at // batch of the original before: repeats of an import are neighbours
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
		hash := entry.LeafHash(holder.Batch.Leaves[o.Index-holder.Batch.First]).String()
		found[o.Position] = outcome{
			status:     api.Duplicate,
			index:      o.Index,
			hash:       hash,
			checkpoint: at.note,
		}
	}
	return nil
}

// holder finds the batch of an index. It looks among the recent batches first.
func (w *watch) holder(ctx context.Context, index uint64) (*held, error) {
	w.mu.Lock()
	for _, at := range w.recent {
		if at.Batch.First <= index && index < at.Batch.Size {
			w.mu.Unlock()
			return at, nil
		}
	}
	w.mu.Unlock()
	at, err := store.FindBatch(ctx, w.log, index)
	return hold(at), err
}

// batchBefore returns the batch before another.
func (w *watch) batchBefore(ctx context.Context, at *held) (*held, error) {
	return w.holder(ctx, at.Batch.First-1)
}

// leafNumber reads an integer member of a leaf without parsing the leaf. The last occurrence of the
// name is the leaf's own: members are sorted, nested objects with such names come before it, and in
// a string the quotes would be escaped.
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
