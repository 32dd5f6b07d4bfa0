package query

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"

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
	cache *cache[cacheKey] // the common one, or that of a walk over much of the log, which shall not sweep it
	by    *Filter          // which the entries must match, normal; nil: they were not found by a filter
}

func (q *Query) reader(s snapshot) reader { return reader{Query: q, snapshot: s, cache: q.cache} }

// read reads the entries of ascending indexes.
func (r reader) read(ctx context.Context, indexes []uint64) ([]Found, error) {
	list := make([]Found, 0, len(indexes))
	for found, err := range r.each(ctx, indexes) {
		if err != nil {
			return nil, err
		}
		list = append(list, found...)
	}
	return list, nil
}

// sameBatch is the batch of the first index, and how many of the indexes are in it.
func (s snapshot) sameBatch(indexes []uint64) (batchRef, int) {
	ref, end := s.batchOf(indexes[0])
	n, _ := slices.BinarySearch(indexes, end)
	return ref, n
}

// batchOf is the batch of an index, and where it ends.
func (s snapshot) batchOf(index uint64) (ref batchRef, end uint64) {
	after := sort.Search(len(s.batches), func(i int) bool { return s.batches[i].first > index })
	end = s.size
	if after < len(s.batches) {
		end = s.batches[after].first
	}
	return s.batches[after-1], end
}

// batch reads some entries of one batch, with their payloads.
func (r reader) batch(ctx context.Context, ref batchRef, indexes []uint64) ([]Found, error) {
	m, err := r.sealed(ctx, ref)
	if err != nil {
		return nil, err
	}
	list := make([]Found, len(indexes))
	for i, x := range indexes {
		if list[i].Entry, err = m.entry(x); err != nil {
			return nil, err
		}
		if r.by != nil && !r.by.matches(&list[i].Entry) {
			return nil, r.suspect(fmt.Errorf("%w: entry %d was found by a filter that it does not match", ErrBuilding, x))
		}
	}
	err = r.payloads(ctx, ref, list)
	for i := 0; i < len(list) && err == nil; i++ {
		list[i].RepeatOf, err = r.repeatOf(ctx, &list[i].Entry)
	}
	return list, err
}

// lost makes a mismatch that the store itself has found, in an archive, what others here are.
func lost(err error) error {
	if m, ok := errors.AsType[*proof.MismatchError](err); ok {
		return &CorruptError{m}
	}
	return err
}

// suspicion is why an index is to be made anew.
type suspicion struct {
	of  *index
	why error
}

// suspect has the index made anew.
func (r reader) suspect(why error) error {
	select {
	case r.suspicions <- suspicion{r.indexed, why}:
	default: // somebody has said so already
	}
	return why
}

// body is a message's body.
func (r reader) body(ctx context.Context, key cacheKey) (body []byte, err error) {
	if body, ok := r.cache.get(key); ok {
		return body, nil
	}
	if key.payloads {
		body, err = store.PayloadMessage(ctx, r.cfg.Log, key.seq)
	} else if body, err = store.Fetch(ctx, r.cfg.Log.Sealed, key.seq); err != nil {
		err = fmt.Errorf("SEALED sequence %d: %w", key.seq, err)
	}
	if err != nil {
		return nil, err
	}
	r.cache.put(key, body)
	return body, nil
}

// payloads finds and checks the payloads of entries of one batch. What was erased is not shown, though the bytes be still there.
func (r reader) payloads(ctx context.Context, ref batchRef, list []Found) error {
	wanted := r.withData(list)
	if len(wanted) == 0 {
		return nil
	}
	body, err := r.body(ctx, cacheKey{payloads: true, seq: ref.payloads})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return lost(err)
	}
	for _, f := range wanted {
		record := recordOf(body, f.Entry.Index)
		if record == nil {
			if err := r.mayBeMissing(ctx, ref, f.Entry.Index); err != nil {
				return err
			}
			continue
		}
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
		if e := &list[i].Entry; e.DataHash != "" && !r.indexed.erased[e.Index] {
			wanted = append(wanted, &list[i])
		}
	}
	return wanted
}

// recordOf finds the record of an index in a PAYLOADS message, so that only those that are wanted are parsed. Records stand in the order
// of the log and end in index and salt (SPEC 7): they are searched by halves, and, if the message is not as it should be, one after the other.
func recordOf(body []byte, index uint64) []byte {
	const few = 2048 // bytes that are sooner looked through
	lo, hi := 0, len(body)
	for hi-lo > few {
		mid := lo + (hi-lo)/2
		i := bytes.IndexByte(body[mid:hi], '\n')
		if i < 0 || mid+i+1 == hi { // the upper half is one record
			break
		}
		begin := mid + i + 1
		record, _ := cut(body[begin:hi])
		got, ok := indexOfRecord(record)
		switch {
		case !ok:
			return recordIn(body, index)
		case got <= index:
			lo = begin
		default:
			hi = begin
		}
	}
	if record := recordIn(body[lo:hi], index); record != nil {
		return record
	}
	return recordIn(body, index)
}

func recordIn(body []byte, index uint64) []byte {
	for len(body) > 0 {
		var record []byte
		record, body = cut(body)
		if got, ok := indexOfRecord(record); ok && got == index {
			return record
		}
	}
	return nil
}

// indexOfRecord reads the index near the end of a record. Quotes within the data are escaped, so that nothing there looks like it.
func indexOfRecord(line []byte) (uint64, bool) {
	const tail = len(`,"salt":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}`)
	if len(line) < tail || string(line[len(line)-tail:len(line)-66]) != `,"salt":"` {
		return 0, false
	}
	line = line[:len(line)-tail]
	digits := line[bytes.LastIndexByte(line, ':')+1:]
	n, err := strconv.ParseUint(string(digits), 10, 64)
	return n, err == nil && bytes.HasSuffix(line[:len(line)-len(digits)], []byte(`,"index":`))
}

// mayBeMissing says whether an erasure entry names the index. One that is sealed but not yet indexed counts as trouble that will pass.
func (r reader) mayBeMissing(ctx context.Context, ref batchRef, index uint64) error {
	r.cache.drop(cacheKey{payloads: true, seq: ref.payloads})
	info, err := r.cfg.Log.Sealed.Info(ctx)
	if err != nil {
		return fmt.Errorf("sealed stream: %w", err)
	}
	r.mu.RLock()
	erased, position := r.indexed.erased[index], r.state.position
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
	var same []uint64
	r.mu.RLock()
	if !r.indexed.again(e.Index) {
		r.mu.RUnlock()
		return nil, nil
	}
	r.indexed.withID(e.EntryID, func(index uint64) bool {
		if index < e.Index {
			same = append(same, index)
		}
		return index < e.Index && len(same) < maxSame
	})
	r.mu.RUnlock()
	for _, i := range same {
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
	ref, _ := r.batchOf(index)
	m, err := r.sealed(ctx, ref)
	if err != nil {
		return entry.Entry{}, err
	}
	return m.entry(index)
}
