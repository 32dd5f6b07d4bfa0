package query

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/query/segment"
)

// The number of entries in a page.
const (
	DefaultLimit = 100
	MaxLimit     = 1000
)

// Page says which part of a filter's entries is wanted. The zero Page is the newest 100.
type Page struct {
	Limit  int    // 1 to MaxLimit; 0: DefaultLimit
	Cursor string // NextCursor of the page before; "": the first page
	Order  Order  // ""; Descending
	From   uint64 // of the first page in ascending order: the first index to look at
	Before uint64 // of the first page in descending order: only entries before this index; 0: all. So a page can be of the log as a checkpoint had it
}

// Entries is one page, in the order of the log.
type Entries struct {
	Entries    []Found
	NextCursor string // "" at the end; a page that has one is full
	TreeSize   uint64 // entries that the filter was applied to, the log's own among them
}

// Entries finds the entries that a filter matches. Pages do not shift while the log grows. A *RequestError says that filter or
// page are wrong.
func (q *Query) Entries(ctx context.Context, f Filter, p Page) (Entries, error) {
	plan, err := q.plan(f, p)
	if err != nil {
		return Entries{}, err
	}
	found, err := plan.read(ctx, plan.indexes)
	if err != nil {
		return Entries{}, err
	}
	return Entries{found, plan.next, plan.size}, nil
}

// plan is a page before its entries are read.
type plan struct {
	reader
	indexes []uint64 // ascending
	next    string   // cursor of the next page
}

func (q *Query) plan(f Filter, p Page) (plan, error) {
	f, err := f.normal()
	if err != nil {
		return plan{}, err
	}
	if p.Limit == 0 {
		p.Limit = DefaultLimit
	}
	if p.Order == "" {
		p.Order = Descending
	}
	switch {
	case p.Limit < 1 || p.Limit > MaxLimit:
		return plan{}, &RequestError{"limit", fmt.Sprintf("must be from 1 to %d", MaxLimit)}
	case p.Order != Ascending && p.Order != Descending:
		return plan{}, &RequestError{"order", "must be asc or desc"}
	}
	snap, all, err := q.view(f)
	if err != nil {
		return plan{}, err
	}
	indexes, next, err := pageOf(all, snap, f, p)
	r := q.reader(snap)
	r.by = &f
	return plan{r, indexes, next}, err
}

// pageOf is the indexes of a page, ascending, and the cursor of the next one.
func pageOf(all search, snap snapshot, f Filter, p Page) (indexes []uint64, next string, err error) {
	origin, descending := snap.checkpoint.Origin, p.Order == Descending
	begin := int64(min(p.From, snap.size))
	if descending {
		begin = int64(snap.size) - 1
		if p.Before > 0 {
			begin = int64(min(p.Before, snap.size)) - 1
		}
	}
	if p.Cursor != "" {
		at, err := parseCursor(p.Cursor, origin, f, p.Order)
		if err != nil {
			return nil, "", err
		}
		if begin = int64(at); descending {
			begin = min(begin, int64(snap.size)) - 1
		}
	}
	s := all.start(begin, descending)
	for len(indexes) < p.Limit {
		x, ok := s.next()
		if !ok {
			break
		}
		indexes = append(indexes, x)
	}
	more := false
	if len(indexes) == p.Limit {
		_, more = s.next()
	}
	if more {
		last := indexes[len(indexes)-1]
		if !descending {
			last++
		}
		next = formatCursor(last, origin, f, p.Order)
	}
	if descending {
		slices.Reverse(indexes)
	}
	return indexes, next, nil
}

// Entry reads one entry by its index, or says ErrNotFound.
func (q *Query) Entry(ctx context.Context, index uint64) (Found, error) {
	snap, _, err := q.view(Filter{})
	if err != nil {
		return Found{}, err
	}
	return q.entry(ctx, snap, index, true)
}

func (q *Query) entry(ctx context.Context, snap snapshot, index uint64, data bool) (Found, error) {
	if index >= snap.size {
		return Found{}, fmt.Errorf("entry %d: %w: the log has %d", index, ErrNotFound, snap.size)
	}
	r := q.reader(snap)
	if !data {
		e, err := r.entryAt(ctx, index)
		return Found{Entry: e}, q.remember(err)
	}
	list, err := r.read(ctx, []uint64{index})
	if err != nil {
		return Found{}, err
	}
	return list[0], nil
}

// EntryByID reads the entry with an id; of that agent, if one is given. ErrNotFound says that there is none, an *AmbiguousError that there
// are several.
func (q *Query) EntryByID(ctx context.Context, id, agent string) (Found, error) {
	snap, _, err := q.view(Filter{})
	if err != nil {
		return Found{}, err
	}
	return q.entryByID(ctx, snap, id, agent, true)
}

// maxCandidates bounds how many entries of one id are read.
const maxCandidates = 256

func (q *Query) entryByID(ctx context.Context, snap snapshot, id, agent string, data bool) (Found, error) {
	may := snap.candidates(q, id, agent)
	r := q.reader(snap)
	var candidates []Candidate
	for _, x := range may {
		e, err := r.entryAt(ctx, x)
		if err != nil {
			return Found{}, q.remember(err)
		}
		if e.EntryID == id && (agent == "" || e.AgentDID == agent) {
			candidates = append(candidates, Candidate{x, e.AgentDID})
		}
	}
	switch len(candidates) {
	case 0:
		return Found{}, fmt.Errorf("entry with id %.200q: %w", id, ErrNotFound)
	case 1:
		return q.entry(ctx, snap, candidates[0].Index, data)
	}
	return Found{}, &AmbiguousError{id, candidates}
}

// candidates are the entries that may have an id and, if one is given, an agent; the first ones.
func (s snapshot) candidates(q *Query, id, agent string) (list []uint64) {
	q.mu.RLock()
	defer q.mu.RUnlock()
	by := compile(Filter{Agent: []string{agent}})
	of, has := -1, (*segment.Bits)(nil)
	s.indexed.withID(id, func(x uint64) bool {
		if x >= s.size {
			return false
		}
		if n := int(x / s.indexed.rows); agent != "" && of != n {
			of, has = n, s.indexed.match(n, by, 0)
		}
		if agent == "" || has != nil && has.Has(int(x%s.indexed.rows)) {
			list = append(list, x)
		}
		return len(list) < maxCandidates
	})
	return list
}

// MarshalJSON writes the entry as the API shows it (AppendJSON).
func (f Found) MarshalJSON() ([]byte, error) { return f.AppendJSON(nil, false) }

// AppendJSON writes the members of the leaf byte for byte, entry_hash, and the data: JSON text as such, other text as a string in data, the
// rest in data_base64. With raw, it also writes what proves them: leaf, the bytes of the data, and the salt.
func (f Found) AppendJSON(dst []byte, raw bool) ([]byte, error) {
	bare, err := f.Entry.MarshalJSON()
	if err != nil {
		return nil, err
	}
	dst = append(dst, bare[:len(bare)-1]...)
	if f.RepeatOf != nil {
		dst = fmt.Appendf(dst, `,"repeat_of":%d`, *f.RepeatOf)
	}
	dst = f.appendData(dst, raw)
	if raw {
		dst = entry.AppendQuoted(append(dst, `,"leaf":`...), string(f.Entry.Leaf))
	}
	return append(dst, '}'), nil
}

func (f Found) appendData(dst []byte, raw bool) []byte {
	if f.Payload == nil {
		return dst
	}
	data, text := f.Payload.Data, entry.IsText(f.Payload.Data)
	switch {
	case f.isJSON():
		dst = append(append(dst, `,"data":`...), data...)
	case text:
		dst = entry.AppendQuoted(append(dst, `,"data":`...), string(data))
	case !raw: // raw writes it below
		b, _ := json.Marshal(data) // base64 of bytes
		dst = append(append(dst, `,"data_base64":`...), b...)
	}
	if raw {
		dst = f.Payload.AppendMembers(append(dst, ','))
	}
	return dst
}

// isJSON says whether the data is JSON text that can stand in JSON as it is. What a rejected entry keeps is bytes, whatever
// they look like, and an event's data_base64 can hold anything.
func (f Found) isJSON() bool {
	return f.Entry.EventType != entry.TypeRejected && entry.IsJSON(f.Entry.Extensions["datacontenttype"]) &&
		entry.CheckJSON(f.Payload.Data, entry.MaxDepth) == nil
}
