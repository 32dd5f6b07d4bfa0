package query

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/store"
)

// Found is an entry read back from the log, whose leaf has the hash that was verified.
type Found struct {
	Entry    entry.Entry
	Payload  *entry.Payload // opens the entry's data_hash; nil if there is no data, or it was erased
	RepeatOf *uint64        // the same event was sealed before, at this index, so long ago that the sealer did not know it any more
}

// reader reads entries of one snapshot.
type reader struct {
	*Query
	snapshot
	cache *cache // the common one, or that of a walk over much of the log, which shall not sweep it
}

func (q *Query) reader(s snapshot) reader { return reader{q, s, q.cache} }

// read reads the entries of ascending indexes, in one pass over the batches concerned.
func (r reader) read(ctx context.Context, indexes []uint64) ([]Found, error) {
	list := make([]Found, 0, len(indexes))
	hashes, err := r.hashes(indexes)
	if err != nil {
		return nil, err
	}
	for len(indexes) > 0 {
		ref, n := r.sameBatch(indexes)
		found, err := r.batch(ctx, ref, indexes[:n], hashes[:n])
		if err != nil {
			return nil, r.remember(err)
		}
		list = append(list, found...)
		indexes, hashes = indexes[n:], hashes[n:]
	}
	return list, nil
}

// sameBatch is the batch of the first index, and how many of the indexes are in it.
func (r reader) sameBatch(indexes []uint64) (batchRef, int) {
	after := sort.Search(len(r.batches), func(i int) bool { return r.batches[i].first > indexes[0] })
	end := r.size
	if after < len(r.batches) {
		end = r.batches[after].first
	}
	n, _ := slices.BinarySearch(indexes, end)
	return r.batches[after-1], n
}

// hashes reads leaf hashes from the tree.
func (q *Query) hashes(indexes []uint64) ([]entry.Hash, error) {
	q.mu.RLock()
	defer q.mu.RUnlock()
	list := make([]entry.Hash, len(indexes))
	for i, x := range indexes {
		var err error
		if list[i], err = q.index.tree.Leaf(x); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// batch reads some entries of one batch, with their payloads.
func (r reader) batch(ctx context.Context, ref batchRef, indexes []uint64, hashes []entry.Hash) ([]Found, error) {
	leaves, err := r.leaves(ctx, ref)
	if err != nil {
		return nil, err
	}
	list := make([]Found, len(indexes))
	for i, x := range indexes {
		if list[i].Entry, err = r.leaf(ref, leaves, x, hashes[i]); err != nil {
			return nil, err
		}
	}
	err = r.payloads(ctx, ref, list)
	for i := 0; i < len(list) && err == nil; i++ {
		list[i].RepeatOf, err = r.repeatOf(ctx, &list[i].Entry)
	}
	return list, err
}

// leaves are the lines of a batch.
func (r reader) leaves(ctx context.Context, ref batchRef) ([][]byte, error) {
	lines, err := r.lines(ctx, cacheKey{seq: ref.seq})
	if errors.Is(err, store.ErrNotFound) {
		return nil, corrupt(ref.first, "missing", "SEALED sequence %d is not there any more", ref.seq)
	}
	return lines, lost(err)
}

// lost makes a mismatch that the store itself has found, in an archive, what others here are.
func lost(err error) error {
	if m, ok := errors.AsType[*proof.MismatchError](err); ok {
		return &CorruptError{m}
	}
	return err
}

// leaf takes one leaf out of a batch. Its hash decides, so that nothing else of the message needs to be looked at.
func (r reader) leaf(ref batchRef, leaves [][]byte, index uint64, want entry.Hash) (entry.Entry, error) {
	i := index - ref.first
	if i >= uint64(len(leaves)) || entry.LeafHash(leaves[i]) != want {
		r.cache.drop(cacheKey{seq: ref.seq})
		return entry.Entry{}, corrupt(index, "leaf", "SEALED sequence %d holds another leaf than the one that was verified", ref.seq)
	}
	e, err := entry.ParseEntry(leaves[i])
	if err != nil {
		return entry.Entry{}, corrupt(index, "leaf", "%v", err) // its hash is right: it was parsed before
	}
	return e, nil
}

// lines is a message's body, split.
func (r reader) lines(ctx context.Context, key cacheKey) ([][]byte, error) {
	if lines, ok := r.cache.get(key); ok {
		return lines, nil
	}
	var body []byte
	if key.payloads {
		b, err := store.PayloadMessage(ctx, r.cfg.Log, key.seq)
		if err != nil {
			return nil, err
		}
		body = b
	} else {
		b, err := store.Fetch(ctx, r.cfg.Log.Sealed, key.seq)
		if err != nil {
			return nil, fmt.Errorf("SEALED sequence %d: %w", key.seq, err)
		}
		body = b
	}
	lines := bytes.Split(bytes.TrimSuffix(body, []byte("\n")), []byte("\n"))
	r.cache.put(key, lines, len(body))
	return lines, nil
}

// payloads finds and checks the payloads of entries of one batch. What was erased is not shown, though the bytes be still there.
func (r reader) payloads(ctx context.Context, ref batchRef, list []Found) error {
	wanted := r.withData(list)
	if len(wanted) == 0 {
		return nil
	}
	lines, err := r.lines(ctx, cacheKey{payloads: true, seq: ref.payloads})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return lost(err)
	}
	for _, f := range wanted {
		record, rest := recordOf(lines, f.Entry.Index)
		if record == nil {
			if err := r.mayBeMissing(ctx, ref, f.Entry.Index); err != nil {
				return err
			}
			continue
		}
		lines = rest
		p, err := entry.ParsePayload(record)
		if err != nil || !p.Opens(f.Entry) {
			r.cache.drop(cacheKey{payloads: true, seq: ref.payloads})
			return corrupt(f.Entry.Index, "payload", "PAYLOADS sequence %d holds data that does not open data_hash", ref.payloads)
		}
		f.Payload = &p
	}
	return nil
}

// withData picks the entries whose data is to be shown.
func (r reader) withData(list []Found) (wanted []*Found) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for i := range list {
		if e := &list[i].Entry; e.DataHash != "" && !r.index.erased[e.Index] {
			wanted = append(wanted, &list[i])
		}
	}
	return wanted
}

// recordOf finds the record of an index by the end that it must have (SPEC 7), so that only those that are wanted are parsed; rest
// is what stands behind it.
func recordOf(lines [][]byte, index uint64) (record []byte, rest [][]byte) {
	const tail = len(`0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}`)
	end := fmt.Appendf(nil, `,"index":%d,"salt":"`, index)
	for i, line := range lines {
		if len(line) > tail && bytes.HasSuffix(line[:len(line)-tail], end) {
			return line, lines[i+1:]
		}
	}
	return nil, nil
}

// mayBeMissing says whether an erasure entry names the index. One that is sealed but not yet indexed counts as trouble that will pass.
func (r reader) mayBeMissing(ctx context.Context, ref batchRef, index uint64) error {
	r.cache.drop(cacheKey{payloads: true, seq: ref.payloads})
	info, err := r.cfg.Log.Sealed.Info(ctx)
	if err != nil {
		return fmt.Errorf("sealed stream: %w", err)
	}
	r.mu.RLock()
	erased, position := r.index.erased[index], r.state.position
	r.mu.RUnlock()
	switch {
	case erased:
		return nil
	case info.Last > position:
		return fmt.Errorf("%w: an erasure may stand in it", ErrBehind)
	}
	return corrupt(index, "payload", "its data is missing, and no erasure entry names it")
}

// remember keeps that the store was altered, for the health pages.
func (q *Query) remember(err error) error {
	if c, ok := errors.AsType[*CorruptError](err); ok {
		q.set(func() { q.state.altered = c })
	}
	return err
}

// repeatOf finds the first entry of the same event, if the event was sealed more than once.
func (r reader) repeatOf(ctx context.Context, e *entry.Entry) (*uint64, error) {
	if e.IsOwn() {
		return nil, nil
	}
	r.mu.RLock()
	var same []uint64
	if !r.index.firstWithID(e.EntryID, e.Index) {
		same = r.index.withID(e.EntryID)
	}
	r.mu.RUnlock()
	for _, i := range same[:min(len(same), maxSame)] {
		if i >= e.Index {
			return nil, nil
		}
		first, err := r.entryAt(ctx, i)
		if err != nil {
			return nil, err
		}
		if first.AgentDID == e.AgentDID && first.EntryID == e.EntryID && entry.Fingerprint(&first) == entry.Fingerprint(e) {
			return &i, nil
		}
	}
	return nil, nil
}

// maxSame bounds how many entries of one id are looked at.
const maxSame = 64

// entryAt reads one entry without its payload.
func (r reader) entryAt(ctx context.Context, index uint64) (entry.Entry, error) {
	hashes, err := r.hashes([]uint64{index})
	if err != nil {
		return entry.Entry{}, err
	}
	ref, _ := r.sameBatch([]uint64{index})
	leaves, err := r.leaves(ctx, ref)
	if err != nil {
		return entry.Entry{}, err
	}
	return r.leaf(ref, leaves, index, hashes[0])
}
