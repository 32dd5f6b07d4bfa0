package query

import (
	"context"
	"fmt"
	"slices"

	"github.com/sealstream/sealstream/internal/segment"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Numbers of entries in a page.
const (
	DefaultLimit = 100
	MaxLimit     = 1000
)

// Page selects a part of the entries that a filter matches. The zero Page is the newest 100.
type Page struct {
	Limit  int    // 1 to MaxLimit; 0 means DefaultLimit
	Cursor string // NextCursor of the previous page; empty for the first page
	Order  Order  // empty means Descending
	From   uint64 // From is the lowest index of the first page in ascending order.
	// Before limits the first page in descending order to entries before this index. 0 means all
	// entries. With the size of a checkpoint, a page shows the log as that checkpoint had it.
	Before uint64
	// of any page: the log as it was at this size, which a checkpoint has; 0: as it is
	Size uint64
	// Withheld lists the entries that the caller may not read, too, by index and hash. It goes with
	// ascending order and without a filter.
	Withheld bool
}

// Entries is one page, in log order.
type Entries struct {
	Entries    []Found
	NextCursor string // empty on the last page; a page with one is full
	TreeSize   uint64 // size of the log that the filter was applied to
	// Rechecking is the number of entries whose index was read from files and is not yet compared
	// with the log. Those files may have been altered.
	Rechecking uint64
}

// Entries returns a page of the entries that a filter matches. Pages do not shift while the log
// grows. The error is an *api.ParamError if the filter or the page are invalid.
func (q *Query) Entries(ctx context.Context, f api.Filter, p Page) (Entries, error) {
	plan, err := q.plan(ctx, f, p)
	if err != nil {
		return Entries{}, err
	}
	found, err := plan.read(ctx, plan.indexes)
	if err != nil {
		return Entries{}, err
	}
	return Entries{found, plan.next, plan.size, plan.unchecked}, nil
}

// plan is a page whose entries are not read yet.
type plan struct {
	reader
	indexes []uint64 // ascending
	next    string   // cursor of the next page
	// withheld are indexes of the page that the caller does not see, ascending
	withheld []uint64
}

func (q *Query) plan(ctx context.Context, f api.Filter, p Page) (plan, error) {
	f, err := f.Normal()
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
		return plan{}, &api.ParamError{Param: "limit", Reason: fmt.Sprintf("must be from 1 to %d", MaxLimit)}
	case p.Order != Ascending && p.Order != Descending:
		return plan{}, &api.ParamError{Param: "order", Reason: "must be asc or desc"}
	case p.Withheld && (p.Order != Ascending || len(f.Values()) > 0):
		return plan{}, &api.ParamError{Param: "withheld", Reason: "goes with order=asc, and without filters"}
	}
	snap, all, err := q.view(ctx, f)
	if err != nil {
		return plan{}, err
	}
	if p.Size > 0 {
		if p.Size > snap.size {
			return plan{}, beyond("size", snap.size)
		}
		if snap, err = q.at(ctx, snap, p.Size); err != nil {
			return plan{}, err
		}
		all.size = snap.size
	}
	if p.Withheld {
		all.sight = nil
	}
	switch {
	case p.From > snap.size:
		return plan{}, beyond("from_index", snap.size)
	case p.Before > snap.size:
		return plan{}, beyond("before_index", snap.size)
	}
	indexes, next, err := pageOf(all, snap, f, p)
	r := q.reader(snap)
	r.filter = &f
	made := plan{r, indexes, next, nil}
	if err == nil && p.Withheld {
		err = made.withhold(ctx)
	}
	return made, err
}

// pageOf returns the indexes of a page, ascending, and the cursor of the next page.
func pageOf(all search, snap snapshot, f api.Filter, p Page) (indexes []uint64, next string, err error) {
	origin, descending := snap.checkpoint.Origin, p.Order == Descending
	start := int64(min(p.From, snap.size))
	if descending {
		start = int64(snap.size) - 1
		if p.Before > 0 {
			start = int64(min(p.Before, snap.size)) - 1
		}
	}
	if p.Cursor != "" {
		at, err := parseCursor(p.Cursor, origin, snap.sight, f, p.Order)
		if err != nil {
			return nil, "", err
		}
		if start = int64(at); descending {
			start = min(start, int64(snap.size)) - 1
		}
	}
	s := all.start(start, descending)
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
	if s.err != nil {
		return nil, "", s.err
	}
	if more {
		last := indexes[len(indexes)-1]
		if !descending {
			last++
		}
		next = formatCursor(last, origin, snap.sight, f, p.Order)
	}
	if descending {
		slices.Reverse(indexes)
	}
	return indexes, next, nil
}

// Entry reads the entry with an index. The error wraps ErrNotFound if the log has no such entry.
func (q *Query) Entry(ctx context.Context, index uint64) (Found, error) {
	snap, _, err := q.view(ctx, api.Filter{})
	if err != nil {
		return Found{}, err
	}
	return q.entry(ctx, snap, index, true)
}

func (q *Query) entry(ctx context.Context, snap snapshot, index uint64, data bool) (Found, error) {
	if err := snap.mustSee(q, index); err != nil {
		return Found{}, err
	}
	r := q.reader(snap)
	if !data {
		list, err := r.match([]uint64{index}, func(x uint64) (entry.Entry, error) { return r.entryAt(ctx, x) })
		if err == nil && r.sight != nil {
			err = r.hide(ctx, list)
		}
		if err != nil {
			return Found{}, q.remember(err)
		}
		return list[0], nil
	}
	list, err := r.read(ctx, []uint64{index})
	if err != nil {
		return Found{}, err
	}
	return list[0], nil
}

// EntryByID reads the entry with an id and, unless agent is empty, of that agent. The error wraps
// ErrNotFound if there is none, and is an *AmbiguousError if there are several.
func (q *Query) EntryByID(ctx context.Context, id, agent string) (Found, error) {
	snap, _, err := q.view(ctx, api.Filter{})
	if err != nil {
		return Found{}, err
	}
	return q.entryByID(ctx, snap, id, agent, true)
}

// maxCandidates limits the entries of one id that are read.
const maxCandidates = 256

func (q *Query) entryByID(ctx context.Context, snap snapshot, id, agent string, data bool) (Found, error) {
	may, err := snap.candidates(q, id, agent)
	if err != nil {
		return Found{}, err
	}
	r := q.reader(snap)
	var candidates []api.Candidate
	for _, x := range may {
		e, err := r.entryAt(ctx, x)
		if err != nil {
			return Found{}, q.remember(err)
		}
		if e.EntryID == id && (agent == "" || e.AgentDID == agent) {
			candidates = append(candidates, api.Candidate{Index: x, AgentDID: e.AgentDID})
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

// mustSee returns an error unless the caller sees the entry with an index. For a caller that does
// not see everything, the error of a withheld entry is that of one that does not exist.
func (s snapshot) mustSee(q *Query, index uint64) error {
	if s.sight == nil && index >= s.size {
		return fmt.Errorf("entry %d: %w: the log has %d", index, ErrNotFound, s.size)
	}
	if index < s.size {
		if there, err := s.sees(q, index); there || err != nil {
			return err
		}
	}
	return fmt.Errorf("entry %d: %w", index, ErrNotFound)
}

// candidates returns the first entries that may have an id and, if one is given, an agent, of those
// that the caller sees.
func (s snapshot) candidates(q *Query, id, agent string) (list []uint64, err error) {
	by := compile(api.Filter{})
	if agent != "" {
		by = compile(api.Filter{Agent: []string{agent}})
	}
	q.mu.RLock()
	parts, hash := s.indexed.parts, s.indexed.key.Hash(id)
	q.mu.RUnlock()
	for _, p := range parts {
		rows, err := q.rowsWithID(s.indexed, p, hash)
		if err != nil {
			return nil, err
		}
		var has *segment.Bits
		limited := agent != "" || s.sight != nil
		if limited && len(rows) > 0 {
			if has, err = q.matchPart(s.indexed, p, by, s.sight); err != nil {
				return nil, err
			}
		}
		for _, row := range rows {
			if !limited || has != nil && has.Has(row) {
				list = append(list, p.first+uint64(row))
			}
			if len(list) == maxCandidates || p.first+uint64(row) >= s.size {
				break
			}
		}
		if len(list) == maxCandidates {
			break
		}
	}
	return slices.DeleteFunc(list, func(x uint64) bool { return x >= s.size }), nil
}

// MarshalJSON writes the entry as the API shows it (AppendJSON).
func (f Found) MarshalJSON() ([]byte, error) { return f.AppendJSON(nil, false) }

// AppendJSON writes the entry as the API shows it; with raw, also what proves it.
func (f Found) AppendJSON(dst []byte, raw bool) ([]byte, error) {
	if f.Hidden {
		return api.AppendUnlinked(dst, f.line(), raw)
	}
	return api.AppendEntry(dst, f.line(), raw)
}

// hashes returns previous_hash and entry_hash, empty if they are hidden.
func (f Found) hashes() (previous, own string) {
	if f.Hidden {
		return "", ""
	}
	return f.Entry.PreviousHash.String(), f.Entry.EntryHash.String()
}

func (f Found) line() proof.PageLine {
	return proof.PageLine{Entry: f.Entry, Payload: f.Payload, DataError: f.DataError, RepeatOf: f.RepeatOf}
}
