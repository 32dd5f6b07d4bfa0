package query

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/query/segment"
	"github.com/sealstream/sealstream/pkg/store"
)

// restore reads the segments of the folder, as far as they are whole and of this log, into an empty index. What does not fit is thrown away, with all behind
// it, and will be made from the log. Nothing of it is answered from before take has seen the log's own batch at its end.
func (q *Query) restore(ctx context.Context) error {
	if err := q.folder.open(); err != nil { // no reason not to serve
		q.log.ErrorContext(ctx, "the index keeps no files", "log", q.cfg.Log.Name, "cause", err)
		q.folder = ""
	}
	x := newIndex(q.cfg.Log.Name, q.rows)
	for {
		first := uint64(len(x.parts)) * x.rows
		data, err := q.folder.read(first)
		if err == nil && data == nil {
			break
		}
		if err == nil {
			err = x.restore(data)
		}
		if err != nil {
			q.log.WarnContext(ctx, "a segment of the index is made again", "log", q.cfg.Log.Name, "first", first, "cause", err)
			q.throwAway(ctx, first)
			break
		}
	}
	if x.loaded > 0 {
		_, err := store.FindBatch(ctx, q.cfg.Log, x.loaded-1)
		if errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("%w: the log has fewer entries", errForeign)
		} else if err != nil {
			return err
		}
	}
	q.set(func() { q.index = x })
	return nil
}

func (q *Query) throwAway(ctx context.Context, from uint64) {
	if err := q.folder.remove(from); err != nil {
		q.log.WarnContext(ctx, "a segment of the index cannot be removed", "log", q.cfg.Log.Name, "cause", err)
	}
}

// restore adds a segment that was read from a file.
func (x *index) restore(data []byte) error {
	f, err := openPart(data, int(x.rows))
	if err != nil {
		return err
	}
	first := x.loaded
	switch a := f.about; {
	case a.Log != x.log || a.First != first:
		return fmt.Errorf("%w: it is of log %.40q and begins with index %d", errPart, a.Log, a.First)
	case first == 0 && (len(a.batch) == 0 || a.batch[0].first != 0):
		return fmt.Errorf("%w: the first batch is not there", errPart)
	case first > 0 && (f.seg.HashKey() != x.key || a.Origin != x.parts[0].frozen.about.Origin):
		return fmt.Errorf("%w: it is of another index than the ones before", errPart)
	case first > 0 && len(a.batch) > 0 && a.batch[0].seq <= x.batches[len(x.batches)-1].seq:
		return fmt.Errorf("%w: batches do not rise", errPart)
	}
	top := x.top
	top.Append(f.root())
	root, err := top.Root(first/x.rows + 1)
	if err != nil || entry.FormatHash(root) != f.about.Root {
		return fmt.Errorf("%w: it does not continue the tree of the ones before", errPart)
	}
	if first == 0 {
		x.key, x.keys = f.seg.HashKey(), f.about.Keys
		n := f.seg.Value(receivedColumn, 0)
		x.received[0] = f.long.text(receivedColumn, 0, n)
	}
	x.top, x.loaded = top, f.about.Size
	again := new(segment.Bits)
	f.seg.IDs(func(hash uint64, row int) {
		if x.ids.add(hash) {
			again.Set(row)
		}
	})
	x.parts = append(x.parts, &part{first: first, frozen: f, again: again})
	x.batches = append(x.batches, f.about.batch...)
	x.count(f)
	return nil
}

// count adds a segment to what is counted over all.
func (x *index) count(f *frozen) {
	for _, i := range f.about.Erased {
		x.erased[i] = true
	}
	x.tell(func(field int, add func(string, uint64)) {
		f.seg.Values(field, func(v []byte, n int) bool { add(string(v), uint64(n)); return true })
	})
}

// tell gives what is counted over all the values of each field that is counted.
func (x *index) tell(values func(field int, add func(value string, n uint64))) {
	values(agentField, func(v string, _ uint64) { x.agents[x.key.Hash(v)] = struct{}{} })
	values(typeField, x.types.add)
	values(actionField, x.actions.add)
	values(outcomeField, x.outcomes.add)
}

// recount counts all parts anew, since one was replaced.
func (x *index) recount() {
	x.types, x.actions, x.outcomes = tally{}, tally{}, tally{}
	clear(x.agents)
	for _, p := range x.parts {
		if p.frozen != nil {
			x.count(p.frozen)
			continue
		}
		x.tell(func(field int, add func(string, uint64)) {
			p.live.rows.Values(field, func(v string, n int) bool { add(v, uint64(n)); return true })
		})
	}
}

// recheck makes the segments that were read from files again, out of the log from its first message, which is verified by that as at a start without files. A
// segment that is another is replaced, and told: nothing shows that it missed what a filter should have found. It goes at half speed, as it is in
// nobody's way to be late.
func (q *Query) recheck(ctx context.Context, restored *index, size uint64) error {
	f := store.Follower{Log: q.cfg.Log, Keys: q.cfg.Keys, Stop: true, Void: q.void}
	x := newIndex(q.cfg.Log.Name, q.rows)
	x.key = restored.key
	f.Prepare = func(b proof.Batch, entries []entry.Entry) any { return factsOf(x.key, b, entries) }
	pace, next := newPace(), 0
	for s, err := range f.Batches(ctx) {
		if err != nil {
			return err
		}
		if err := x.take(s, s.Prepared.(*facts)); err != nil {
			return err
		}
		for ; next < len(x.parts) && x.parts[next].first+x.rows <= min(x.size, size); next++ {
			f, err := q.compare(x, restored, next)
			if err != nil {
				return err
			}
			x.parts[next] = &part{first: x.parts[next].first, frozen: f, again: x.parts[next].again} // nobody else has x
		}
		if x.size >= size {
			q.set(func() { q.state.rechecked = true })
			return nil
		}
		pace.wait(ctx)
	}
	return fmt.Errorf("%w: recheck", ErrBehind)
}

// compare makes one segment again. What it returns is the right one.
func (q *Query) compare(x, restored *index, n int) (*frozen, error) {
	a, err := x.about(n)
	if err != nil {
		return nil, err
	}
	q.mu.RLock()
	was := restored.parts[n].frozen
	q.mu.RUnlock()
	data, err := x.parts[n].live.encode(x.key, a)
	if err != nil {
		return nil, err
	}
	if sha256.Sum256(data[:len(data)-sha256.Size]) == was.seg.Sum {
		return was, nil
	}
	f, err := openPart(data, int(x.rows))
	if err != nil {
		return nil, err
	}
	// What a segment says beside its rows is spread over the index.
	if b := was.about; !slices.Equal(b.batch, a.batch) || !slices.Equal(b.Erased, x.parts[n].live.erased) || !slices.Equal(b.Keys, a.Keys) {
		return nil, errDistrust
	}
	q.log.Error("a segment of the index was not what the log makes; it is replaced", "log", q.cfg.Log.Name, "first", a.First)
	if err := q.folder.write(a.First, data); err != nil {
		q.log.Error("a segment of the index cannot be replaced", "log", q.cfg.Log.Name, "first", a.First, "cause", err)
		q.throwAway(context.Background(), a.First)
	}
	again := x.parts[n].again
	q.set(func() {
		restored.freeze(n, f)
		restored.parts[n].again = again // of what was replaced, it may have known too little
		maps.Copy(restored.erased, x.erased)
		restored.recount()
	})
	return f, nil
}
