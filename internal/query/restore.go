package query

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/parallel"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/segment"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
)

// restore reads the segments of the folder into an empty index, as far as they are complete and
// belong to this log, and then those that the archive alone has. It discards a bad segment and all
// after it, which are then made from the log. Nothing is answered from them before take has seen
// the log's own batch at their end.
func (q *Query) restore(ctx context.Context) error {
	x := newIndex(q.cfg.Log.Name, q.rows)
	firsts := func(yield func(uint64, error) bool) {
		for first := uint64(0); yield(first, nil); first += x.rows {
		}
	}
	fetched := uint64(0)
	read := func(first uint64) readPart { return q.readPart(ctx, first) }
	for f, err := range parallel.Map(firsts, parallel.Ahead(), read) {
		if err = cmp.Or(err, f.err); err == nil && f.frozen == nil {
			break
		}
		first := uint64(len(x.parts)) * x.rows
		if err == nil && f.fetched && first > 0 && f.seg.HashKey() != x.key {
			break // the folder's own parts go on without those of the archive
		}
		if err == nil {
			err = x.restore(f.frozen)
		}
		switch {
		case err == nil && f.fetched:
			err = q.keepFetched(f)
			fetched += x.rows
		case err == nil:
			err = q.readFromFile(f.frozen)
		}
		if err != nil && f.fetched {
			q.logger.WarnContext(ctx, "query makes a part of the index that the archive does not give", "log", q.cfg.Log.Name,
				"first", first, "cause", err)
			break
		}
		if err != nil {
			q.logger.WarnContext(ctx, "query rebuilds a segment of the index", "log", q.cfg.Log.Name, "first", first, "cause",
				err)
			q.alteredFile(q.folder.path(first, segmentEnd), err.Error())
			q.discardFiles(ctx, first)
			break
		}
	}
	if x.fromFiles > 0 {
		_, err := store.FindBatchNear(ctx, q.cfg.Log, x.fromFiles-1, x.lastSeq())
		if errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("%w: the log has fewer entries", errOtherLog)
		} else if err != nil {
			return err
		}
	}
	if fetched > 0 {
		q.logger.InfoContext(ctx, "query begins with parts of the archive", "log", q.cfg.Log.Name, "entries", fetched)
	}
	q.set(func() { q.index, q.state.holding = x, x.fromFiles > 0 && q.cfg.CheckFirst > 0 && !q.state.rechecked })
	return nil
}

// readPart is a part that was read from its file or from the archive, or nil if there is none.
type readPart struct {
	*frozen
	data    []byte
	fetched bool // data is from the archive, and not in the folder yet
	err     error
}

// readPart reads the whole index of a part and checks it. Parts are read in parallel: it takes most
// of a start.
func (q *Query) readPart(ctx context.Context, first uint64) (p readPart) {
	if p.data, p.err = q.folder.read(first); p.data == nil && p.err == nil {
		p.data, p.err = q.fetchPart(ctx, first)
		p.fetched = true
	}
	if p.data != nil && p.err == nil {
		p.frozen, p.err = openPart(p.data, int(q.rows))
	}
	return p
}

func (q *Query) discardFiles(ctx context.Context, from uint64) {
	if err := q.folder.remove(from); err != nil {
		q.logger.WarnContext(ctx, "query cannot remove a segment of the index", "log", q.cfg.Log.Name, "cause", err)
	}
}

// alteredFile reports an index file that was changed after it was written: a disk may be failing,
// or somebody has changed it. Earlier answers from it may have been wrong. The report stays until
// the next start.
func (q *Query) alteredFile(path, why string) {
	q.cfg.Health.Set("index", health.Warning, fmt.Sprintf(
		"a file of the index was altered since it was written, and is made again (%s: %s); see who can write there, and "+
			"whether the disk is failing",
		path, why))
}

// restore adds a part that was read from a file.
func (x *index) restore(f *frozen) error {
	first := x.fromFiles
	switch a := f.about; {
	case a.Log != x.log || a.First != first:
		return fmt.Errorf("%w: it belongs to log %.40q and starts at index %d", errPart, a.Log, a.First)
	case first == 0 && (len(a.batch) == 0 || a.batch[0].first != 0):
		return fmt.Errorf("%w: the first batch is missing", errPart)
	case first > 0 && (f.seg.HashKey() != x.key || a.Origin != x.parts[0].frozen.about.Origin):
		return fmt.Errorf("%w: it belongs to another index than the segments before", errPart)
	case first > 0 && len(a.batch) > 0 && a.batch[0].seq <= x.batches[len(x.batches)-1].seq:
		return fmt.Errorf("%w: batches do not rise", errPart)
	}
	top := x.top
	top.Append(f.root())
	root, err := top.Root(first/x.rows + 1)
	if err != nil || root.String() != f.about.Root {
		return fmt.Errorf("%w: it does not continue the tree of the segments before", errPart)
	}
	if first == 0 {
		x.key, x.keys = f.seg.HashKey(), f.about.Keys
		n, err := f.seg.Value(receivedColumn, 0)
		if err != nil {
			return err
		}
		x.received[0] = f.long.text(receivedColumn, 0, n)
	}
	x.top, x.fromFiles = top, f.about.Size
	again := new(segment.Bits)
	err = f.seg.IDs(func(hash uint64, row int) {
		if x.ids.add(hash) {
			again.Set(row)
		}
	})
	if err != nil {
		return err
	}
	x.parts = append(x.parts, &part{first: first, frozen: f, repeats: again})
	x.batches, f.about.batch = append(x.batches, f.about.batch...), nil
	return x.count(f)
}

// count adds a segment to the counts over all parts.
func (x *index) count(f *frozen) (err error) {
	for _, i := range f.about.Erased {
		x.erased[i] = true
	}
	x.countValues(func(field int, add func(string, uint64)) {
		counted := f.seg.Values(field, func(v []byte, n int) bool { add(string(v), uint64(n)); return true })
		err = cmp.Or(err, counted)
	})
	return err
}

// countValues adds the values of each counted field to the counts over all parts.
func (x *index) countValues(values func(field int, add func(value string, n uint64))) {
	values(api.AgentField, func(v string, _ uint64) { x.agents[x.key.Hash(v)] = struct{}{} })
	values(api.TypeField, x.types.add)
	values(api.ActionField, x.actions.add)
	values(api.OutcomeField, x.outcomes.add)
}

// recount counts all parts again, after one was replaced.
func (x *index) recount() (err error) {
	x.types, x.actions, x.outcomes = tally{}, tally{}, tally{}
	clear(x.agents)
	for _, p := range x.parts {
		if p.frozen != nil {
			err = cmp.Or(err, x.count(p.frozen))
			continue
		}
		x.countValues(func(field int, add func(string, uint64)) {
			p.live.rows.Values(field, func(v string, n int) bool { add(v, uint64(n)); return true })
		})
	}
	return err
}

// recheck rebuilds the segments that were read from files, from the log's first message, which also
// verifies the log as at a start without files. It replaces and reports a segment that differs: no
// reader could have noticed that it lacks matches of a filter. Once answers no longer wait for it,
// it runs at half speed, and answers say that it is not finished.
func (q *Query) recheck(ctx context.Context, restored *index, size uint64) error {
	f := store.Follower{Log: q.cfg.Log, Keys: q.cfg.Keys, Stop: true, Void: q.void}
	x := newIndex(q.cfg.Log.Name, q.rows)
	x.key = restored.key
	f.Prepare = func(b sealedlog.Batch, entries []entry.Entry) any { return factsOf(x.key, b, entries) }
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
			// x is not shared
			x.parts[next] = &part{first: x.parts[next].first, frozen: f, repeats: x.parts[next].repeats}
		}
		if x.size >= size {
			q.set(func() { q.state.rechecked = true })
			return nil
		}
		if !q.isHolding() {
			pace.wait(ctx)
		}
	}
	return fmt.Errorf("%w: recheck", ErrBehind)
}

// compare rebuilds one segment and returns the correct one.
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
	// The description of a segment is spread over the index, so it cannot be replaced alone.
	batches, err := was.batches()
	if err != nil {
		return nil, q.damaged(restored, was, err)
	}
	if b := was.about; !slices.Equal(batches, a.batch) || !slices.Equal(b.Erased, x.parts[n].live.erased) ||
		!slices.Equal(b.Keys, a.Keys) {
		return nil, errWrongIndex
	}
	f.about.batch = nil
	q.logger.Error("query replaces a segment of the index that differs from the log", "log", q.cfg.Log.Name,
		"first", a.First)
	q.alteredFile(q.folder.path(a.First, segmentEnd), "it was complete, but differs from the log")
	if err := q.moveToFile(f, data); err != nil {
		q.logger.Error("query cannot replace a segment of the index", "log", q.cfg.Log.Name, "first", a.First, "cause", err)
		q.discardFiles(context.Background(), a.First)
	}
	again := x.parts[n].repeats
	q.set(func() {
		f.files.Store(was.files.Swap(nil))
		restored.freeze(n, f)
		restored.parts[n].repeats = again // the replaced segment may have lacked repeats
		maps.Copy(restored.erased, x.erased)
		err = restored.recount()
	})
	if err != nil { // which part it is shows when it is read again
		return nil, errReread
	}
	return f, nil
}
