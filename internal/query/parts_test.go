package query

import (
	"context"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/segment"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
)

// Tests have small parts, so that logs of a few hundred entries have many of them.
func init() { partRows = 64 }

// Parts gives the parts of services that are made before restore is called a size.
func Parts(rows uint64) (restore func()) {
	partRows = rows
	return func() { partRows = 64 }
}

// FullParts gives them their proper size.
func FullParts() (restore func()) { return Parts(segment.MaxRows) }

// Indexes is what a filter matches, before anything is read.
func (q *Query) Indexes(f api.Filter) (list []uint64, err error) {
	f, err = f.Normal()
	if err != nil {
		return nil, err
	}
	_, all, err := q.view(context.Background(), f)
	if err != nil {
		return nil, err
	}
	s := all.start(0, false)
	for x, ok := s.next(); ok; x, ok = s.next() {
		list = append(list, x)
	}
	return list, nil
}

// Forge writes segments as they would be if some rows of the log were others, each with all that a segment must have.
func Forge(ctx context.Context, q *Query, change func(index uint64, r *segment.Row)) error {
	x := newIndex(q.cfg.Log.Name, q.rows)
	x.key = q.currentIndex().key
	follower := store.Follower{Log: q.cfg.Log, Keys: q.cfg.Keys, Stop: true}
	follower.Prepare = func(b sealedlog.Batch, entries []entry.Entry) any { return factsOf(x.key, b, entries) }
	for s, err := range follower.Batches(ctx) {
		if err != nil {
			return err
		}
		f := s.Prepared.(*facts)
		for i := range f.rows {
			change(s.Batch.First+uint64(i), &f.rows[i])
		}
		if err := x.take(s, f); err != nil {
			return err
		}
	}
	for n, p := range x.parts {
		if !p.full(x.rows) {
			break
		}
		a, err := x.about(n)
		if err != nil {
			return err
		}
		data, err := p.live.encode(x.key, a)
		if err != nil {
			return err
		}
		if err := q.folder.writeSegment(a.First, data); err != nil {
			return err
		}
	}
	return nil
}

// SetBlind pretends that leaves have blind from an index on.
func SetBlind(q *Query, from uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.index.blind = blindness{checked: q.index.size, from: from}
}

// PartRows is how many entries a part has.
func PartRows() uint64 { return partRows }

// SetExportPace says how long exports wait for their readers.
func SetExportPace(q *Query, credit, stallTimeout time.Duration) {
	q.exports.credit, q.exports.stallTimeout = credit, stallTimeout
}

// Together reads entries as if they were found to be of one batch.
func Together(ctx context.Context, q *Query, indexes ...uint64) ([]Found, error) {
	q.mu.RLock()
	r := q.reader(q.index.snapshot())
	q.mu.RUnlock()
	return r.some(ctx, indexes)
}

// InTwoSteps reads an entry that is in files: first looks at the index, then at the data.
func InTwoSteps(t testing.TB, q *Query, index uint64) (first func() ([]Found, error), then func([]Found) error) {
	q.mu.RLock()
	r := q.reader(q.index.snapshot())
	q.mu.RUnlock()
	leaves := r.leavesOf(index)
	if leaves == nil {
		t.Fatal("not in files")
	}
	var wanted []*Found
	first = func() (list []Found, err error) {
		list, err = r.match([]uint64{index}, leaves.entry)
		wanted = r.withData(list)
		return list, err
	}
	return first, func([]Found) error { return r.dataFromFiles(t.Context(), leaves, wanted) }
}
