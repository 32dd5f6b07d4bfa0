package query

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sort"
	"strconv"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
)

// Found is an entry that was read from the log and whose leaf has the verified hash.
type Found struct {
	Entry   entry.Entry
	Payload *entry.Payload // opens the entry's data_hash; nil if there is no data or it was erased
	// RepeatOf is the index at which the same event was sealed before, so long ago that the sealer
	// no longer recognised it.
	RepeatOf *uint64

	DataError string // why data that was not erased cannot be shown; usually empty

	// Hidden leaves out entry_hash, previous_hash and the leaf: the caller could confirm a guess of
	// a withheld entry by them.
	Hidden bool
}

// reader reads entries of one snapshot.
type reader struct {
	*Query
	snapshot
	// the shared cache, or the cache of a walk over much of the log, which must not evict the
	// shared one
	cache *cache[cacheKey]
	// normal filter that the entries must match; nil if they were not found by a filter
	filter *api.Filter
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

// sameBatch returns the batch of the first index, and how many of the indexes are in it.
func (s snapshot) sameBatch(indexes []uint64) (batchRef, int) {
	ref, end := s.batchOf(indexes[0])
	n, _ := slices.BinarySearch(indexes, end)
	return ref, n
}

// batchOf returns the batch of an index, and the index after it.
func (s snapshot) batchOf(index uint64) (ref batchRef, end uint64) {
	after := sort.Search(len(s.batches), func(i int) bool { return s.batches[i].first > index })
	end = s.size
	if after < len(s.batches) {
		end = s.batches[after].first
	}
	return s.batches[after-1], end
}

// batch reads entries of one batch, with their payloads.
func (r reader) batch(ctx context.Context, ref batchRef, indexes []uint64) ([]Found, error) {
	m, err := r.sealed(ctx, ref)
	if err != nil {
		return nil, err
	}
	list, err := r.match(indexes, m.entry)
	if err == nil {
		err = r.payloads(ctx, ref, r.withData(list))
	}
	if err == nil {
		err = r.repeats(ctx, list)
	}
	return list, err
}

// match reads entries, and checks that each matches the filter that found it, and is one that the
// caller sees.
func (r reader) match(indexes []uint64, read func(uint64) (entry.Entry, error)) (list []Found, err error) {
	list = make([]Found, len(indexes))
	for i, x := range indexes {
		if list[i].Entry, err = read(x); err != nil {
			return nil, err
		}
		if r.filter != nil && !r.filter.Matches(&list[i].Entry) {
			why := fmt.Errorf("%w: entry %d was found by a filter that it does not match", ErrBuilding, x)
			return nil, r.suspect(r.indexed, why)
		}
		if !r.sight.sees(&list[i].Entry) { // the index is wrong: what it showed must not be passed on
			return nil, r.suspect(r.indexed, fmt.Errorf("%w: the index is compared with the log", ErrBuilding))
		}
	}
	return list, nil
}

// repeats finds for each entry the first one of the same event.
func (r reader) repeats(ctx context.Context, list []Found) (err error) {
	for i := 0; i < len(list) && err == nil; i++ {
		list[i].RepeatOf, err = r.repeatOf(ctx, &list[i].Entry)
	}
	return err
}

// lost turns a mismatch that the store itself has found in an archive into a CorruptError.
func lost(err error) error {
	if m, ok := errors.AsType[*audit.MismatchError](err); ok {
		return &CorruptError{m}
	}
	return err
}

// suspicion is why an index must be rebuilt.
type suspicion struct {
	of  *index
	why error
}

// suspect requests a rebuild of an index and returns why.
func (q *Query) suspect(x *index, why error) error {
	select {
	case q.suspicions <- suspicion{x, why}:
	default: // a request is pending already
	}
	return why
}

// errIndexFile reports that a part of the index cannot be read from its file.
var errIndexFile = errors.New("a file of the index cannot be read")

// damaged handles an error of reading a part of an index: it is reported, and the index is read
// again. What the caller was asked is answered after that.
func (q *Query) damaged(x *index, f *frozen, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrClosed): // the index is made again already, or the service ends
		return fmt.Errorf("%w: %w: %w", ErrBuilding, errIndexFile, err)
	}
	q.alteredFile(q.folder.path(f.about.First, segmentEnd), err.Error())
	return q.suspect(x, fmt.Errorf("%w: %w: %w", ErrBuilding, errIndexFile, err))
}

// body reads a message's body.
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

// payloads finds and verifies the payloads of entries of one batch. Erased data is not shown, even
// if its bytes still exist.
func (r reader) payloads(ctx context.Context, ref batchRef, wanted []*Found) error {
	if len(wanted) == 0 {
		return nil
	}
	body, err := r.body(ctx, cacheKey{payloads: true, seq: ref.payloads})
	_, damaged := errors.AsType[*audit.MismatchError](err) // an archive holds other bytes
	if err != nil && !damaged && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	for _, f := range wanted {
		if f.Payload, err = r.payload(ctx, ref, body, &f.Entry); err == nil {
			r.readable(f.Entry.Index)
		} else if c, ok := errors.AsType[*CorruptError](err); ok {
			f.DataError = c.Mismatch.Why
			r.unreadable(c)
		} else {
			return err
		}
	}
	return nil
}

// payload returns the payload of an entry from a PAYLOADS message, or nil if it was erased. The
// error is a *CorruptError if it cannot be read.
func (r reader) payload(ctx context.Context, ref batchRef, body []byte, e *entry.Entry) (*entry.Payload, error) {
	record := recordOf(body, e.Index)
	if record == nil {
		return nil, r.mayBeMissing(ctx, ref, e.Index)
	}
	p, err := entry.ParsePayload(record)
	if err != nil || !p.Opens(*e) {
		r.cache.drop(cacheKey{payloads: true, seq: ref.payloads})
		return nil, corrupt(e.Index, "payload", "PAYLOADS sequence %d holds data that does not open data_hash", ref.payloads)
	}
	return &p, nil
}

// withData returns the entries whose data is to be shown.
func (r reader) withData(list []Found) (wanted []*Found) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for i := range list {
		if e := &list[i].Entry; e.HasPayload() && !r.indexed.erased[e.Index] {
			wanted = append(wanted, &list[i])
		}
	}
	return wanted
}

// recordOf finds the record of an index in a PAYLOADS message without parsing the others. Records
// are in log order and end in index and salt (SPEC 7), so a binary search finds them. If the
// message is malformed, it searches linearly.
func recordOf(body []byte, index uint64) []byte {
	const few = 2048 // bytes for which a linear search is faster
	lo, hi := 0, len(body)
	for hi-lo > few {
		mid := lo + (hi-lo)/2
		i := bytes.IndexByte(body[mid:hi], '\n')
		if i < 0 || mid+i+1 == hi { // the upper half is a single record
			break
		}
		start := mid + i + 1
		record, _ := cut(body[start:hi])
		got, ok := indexOfRecord(record)
		switch {
		case !ok:
			return recordIn(body, index)
		case got <= index:
			lo = start
		default:
			hi = start
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

// indexOfRecord reads the index near the end of a record. Quotes within the data are escaped, so
// nothing in the data looks like it.
func indexOfRecord(line []byte) (uint64, bool) {
	if len(line) < saltTail || string(line[len(line)-saltTail:len(line)-66]) != `,"salt":"` {
		return 0, false
	}
	line = line[:len(line)-saltTail]
	digits := line[bytes.LastIndexByte(line, ':')+1:]
	n, err := strconv.ParseUint(string(digits), 10, 64)
	return n, err == nil && bytes.HasSuffix(line[:len(line)-len(digits)], []byte(`,"index":`))
}

// saltTail is how long the end of a record is, from the comma before its salt on.
const saltTail = len(`,"salt":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}`)

// endOfContent returns where in a valid record the members before the index end.
func endOfContent(record []byte) int {
	end := len(record) - saltTail
	for canonical.IsDigit(record[end-1]) {
		end--
	}
	return end - len(`,"index":`)
}

// mayBeMissing returns nil if an erasure entry names the index. If one may be sealed but is not yet
// indexed, the error is temporary.
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
		return fmt.Errorf("%w: an erasure may follow", ErrBehind)
	}
	return corrupt(index, "payload", "its data is missing, and no erasure entry names it")
}

// remember records for the health pages that the store was altered. Data that cannot be read does
// not affect other answers.
func (q *Query) remember(err error) error {
	if c, ok := errors.AsType[*CorruptError](err); ok {
		if c.Mismatch.What == "payload" {
			q.unreadable(c)
		} else {
			q.set(func() { q.state.altered = c })
		}
	}
	return err
}

// repeatOf finds the first entry of the same event, if the event was sealed more than once.
func (r reader) repeatOf(ctx context.Context, e *entry.Entry) (*uint64, error) {
	if e.IsOwn() {
		return nil, nil
	}
	same, err := r.sameID(e)
	if err != nil {
		return nil, err
	}
	for _, i := range same {
		first, err := r.entryAt(ctx, i)
		if err != nil {
			return nil, err
		}
		if first.AgentDID == e.AgentDID && first.EntryID == e.EntryID && first.Fingerprint() == e.Fingerprint() {
			return &i, nil
		}
	}
	return nil, nil
}

// maxSame bounds how many entries of one id are looked at.
const maxSame = 64

// sameID returns the first earlier entries of the same agent that may have the id of an entry.
func (r reader) sameID(e *entry.Entry) (same []uint64, err error) {
	r.mu.RLock()
	may, parts, hash := r.indexed.mayRepeat(e.Index), r.indexed.parts, r.indexed.key.Hash(e.EntryID)
	r.mu.RUnlock()
	for _, p := range parts {
		if !may || p.first >= e.Index || len(same) >= maxSame {
			break
		}
		rows, err := r.rowsWithID(r.indexed, p, hash)
		if err != nil {
			return nil, err
		}
		if len(rows) == 0 {
			continue
		}
		// entries of other agents must not show in the answer by their number
		own, err := r.matchPart(r.indexed, p, compile(api.Filter{Agent: []string{e.AgentDID}}), nil)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if own == nil || !own.Has(row) {
				continue
			}
			if index := p.first + uint64(row); index < e.Index && len(same) < maxSame {
				same = append(same, index)
			}
		}
	}
	return same, nil
}

// entryAt reads one entry without its payload.
func (r reader) entryAt(ctx context.Context, index uint64) (entry.Entry, error) {
	if leaves := r.leavesOf(index); leaves != nil {
		e, err := leaves.entry(index)
		if !errors.Is(err, errFiles) {
			return e, err
		}
		r.distrust(leaves.in, leaves.files, err)
	}
	ref, _ := r.batchOf(index)
	m, err := r.sealed(ctx, ref)
	if err != nil {
		return entry.Entry{}, err
	}
	return m.entry(index)
}
