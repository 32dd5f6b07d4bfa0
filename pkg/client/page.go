package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

const (
	pageLimit = 1000     // entries that the server gives at most
	maxPage   = 32 << 20 // bytes; pages with much data are asked for with fewer entries
)

// walk is one run of Entries. All of its pages are under the checkpoint of the first one.
type walk struct {
	client *Client
	filter Filter
	keys   *proof.Verifier
	limit  int    // entries a page
	left   int    // entries that are still wanted; −1: all
	least  uint64 // size that the first checkpoint must have
	size   uint64 // of the checkpoint; 0: no page has come
	cursor string
	next   uint64 // without a filter: index that comes next, or, with Newest, the one behind that
	done   bool
}

func (c *Client) walk(ctx context.Context, f Filter) (w *walk, err error) {
	w = &walk{client: c, filter: f, limit: pageLimit, left: -1, next: f.FromIndex, least: c.head.size()}
	if w.keys, err = c.trusted(ctx); err != nil {
		return nil, err
	}
	if w.filter.Filter, err = f.Filter.Normal(); err != nil {
		return nil, err
	}
	switch {
	case f.Newest && f.FromIndex != 0:
		return nil, errors.New("filter: FromIndex goes without Newest")
	case !f.Newest && f.Before != 0:
		return nil, errors.New("filter: Before goes with Newest")
	case f.Limit > 0:
		w.left, w.limit = f.Limit, min(f.Limit, pageLimit)
	}
	return w, nil
}

// query is the parameters of the next page.
func (w *walk) query() url.Values {
	q := w.filter.Values()
	q.Set("proof", "1")
	q.Set("limit", strconv.Itoa(w.limit))
	q.Set("order", "asc")
	if w.filter.Newest {
		q.Set("order", "desc")
	}
	if w.size > 0 {
		q.Set("size", strconv.FormatUint(w.size, 10))
	}
	switch {
	case w.cursor != "":
		q.Set("cursor", w.cursor)
	case w.filter.FromIndex > 0:
		q.Set("from_index", strconv.FormatUint(w.filter.FromIndex, 10))
	case w.filter.Before > 0:
		q.Set("before_index", strconv.FormatUint(w.filter.Before, 10))
	}
	return q
}

// page is the answer of /v1/entries with proof=1.
type page struct {
	Entries    []json.RawMessage
	NextCursor *string `json:"next_cursor"`
	Proof      json.RawMessage
}

// nextPage fetches and checks a page, in the filter's order.
func (w *walk) nextPage(ctx context.Context) ([]Entry, error) {
	var p page
	var entries []Entry
	err := w.client.head.retryBehind(ctx, func() (err error) {
		if p, err = w.fetch(ctx); err != nil {
			return err
		}
		entries, _, err = w.check(ctx, p)
		return err
	})
	if err != nil {
		return nil, err
	}
	if w.filter.Newest {
		slices.Reverse(entries)
	}
	if w.left > 0 {
		w.left -= len(entries)
		w.limit = min(w.limit, max(w.left, 1))
	}
	if w.done = p.NextCursor == nil || w.left == 0; !w.done {
		w.cursor = *p.NextCursor
	}
	return entries, nil
}

// fetch asks for the page, with fewer entries if it is too long.
func (w *walk) fetch(ctx context.Context) (p page, err error) {
	for {
		raw, err := w.client.api.persistUpTo(ctx, w.client.server(), "/v1/entries", w.query(), maxPage)
		switch {
		case errors.Is(err, errLong) && w.limit > 1:
			w.limit /= 4
			w.limit = max(w.limit, 1)
			continue
		case w.beyond(err):
			return p, fmt.Errorf("%w: %w", errBehind, err)
		case err != nil:
			return p, err
		}
		if p, err = parsePage(raw); err != nil {
			return p, fmt.Errorf("%w: page: %w", ErrProof, err)
		}
		return p, nil
	}
}

// pageStart is how a page begins.
const pageStart = `{"entries":[`

// parsePage takes a page apart. Its lines are for others to read, strictly, so it only looks where
// they end: to parse all of it first would take as long as all else.
func parsePage(raw []byte) (p page, err error) {
	lines, rest := []json.RawMessage(nil), raw
	if bytes.HasPrefix(raw, []byte(pageStart)) {
		lines, rest = splitLines(raw[len(pageStart):])
		rest = append([]byte(pageStart), rest...)
	}
	if err := json.Unmarshal(rest, &p); err != nil {
		return page{}, err
	}
	if len(lines) > 0 {
		p.Entries = lines
	}
	return p, nil
}

// splitLines takes the objects of an array apart, and returns what stands behind the last one. What
// is no array of objects is left in the rest, where the parser finds it.
func splitLines(raw []byte) (lines []json.RawMessage, rest []byte) {
	for len(raw) > 0 && raw[0] == '{' {
		end := objectEnd(raw)
		if end < 0 {
			return lines, raw
		}
		lines, raw = append(lines, raw[:end:end]), raw[end:]
		if len(raw) > 1 && raw[0] == ',' && raw[1] == '{' {
			raw = raw[1:]
		}
	}
	return lines, raw
}

// objectEnd is where the object ends that raw begins with, or −1.
func objectEnd(raw []byte) int {
	depth := 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		case '"':
			for i++; i < len(raw) && raw[i] != '"'; i++ {
				if raw[i] == '\\' {
					i++
				}
			}
		}
	}
	return -1
}

// beyond reports whether the server has not what was seen before.
func (w *walk) beyond(err error) bool {
	status, ok := errors.AsType[*statusError](err)
	if !ok || status.status != http.StatusBadRequest {
		return false
	}
	switch status.problem.Parameter {
	case "size", "cursor":
		return w.size > 0
	case "from_index":
		return w.filter.FromIndex <= w.least
	case "before_index":
		return w.filter.Before <= w.least
	}
	return false
}

// check proves a page: each entry, and, without a filter, that none is left out.
func (w *walk) check(ctx context.Context, p page) (entries []Entry, cp proof.Checkpoint, err error) {
	if len(p.Entries) > w.limit {
		return nil, cp, fmt.Errorf("%w: %d entries in a page of %d", ErrProof, len(p.Entries), w.limit)
	}
	if len(p.Entries) == 0 && p.NextCursor != nil {
		return nil, cp, fmt.Errorf("%w: an empty page is not the last one", ErrProof)
	}
	err = w.client.signed(ctx, w.keys, func(keys *proof.Verifier) error {
		w.keys = keys
		entries, cp, err = provePage(p, keys, w.client.cfg.Log, &w.filter)
		return err
	})
	if err != nil {
		return nil, cp, err
	}
	switch {
	case w.size == 0:
		if err := behind(cp.Size, w.least); err != nil {
			return nil, cp, err
		}
	case cp.Size != w.size:
		return nil, cp, fmt.Errorf("%w: a page of size %d, asked for under %d", ErrProof, cp.Size, w.size)
	}
	if err := w.client.head.see(ctx, cp); err != nil {
		return nil, cp, err
	}
	next, err := w.place(entries, cp.Size, p.NextCursor == nil)
	if err != nil {
		return nil, cp, err
	}
	w.size, w.next = cp.Size, next
	return entries, cp, nil
}

// place checks that a page begins where it must, and, without a filter, that it has no gap. It
// returns where the next one begins.
func (w *walk) place(entries []Entry, size uint64, last bool) (next uint64, err error) {
	next, end := w.next, uint64(0)
	if w.filter.Newest && w.cursor == "" {
		if next = size; w.filter.Before > 0 {
			next = min(next, w.filter.Before)
		}
	}
	list := entries
	if w.filter.Newest {
		list = slices.Clone(entries)
		slices.Reverse(list)
	} else {
		end = size
	}
	all := w.filter.all()
	for i := range list {
		at := list[i].Index
		switch {
		case all && w.filter.Newest && at+1 < next, all && !w.filter.Newest && at > next:
			return 0, fmt.Errorf("%w: index %d is next, the server shows %d", ErrGap, nextOf(next, w.filter.Newest), at)
		case w.filter.Newest && at >= next, !w.filter.Newest && at < next:
			return 0, fmt.Errorf("%w: index %d comes out of order, or again", ErrProof, at)
		}
		if next = at; !w.filter.Newest {
			next++
		}
	}
	if all && last && next != end && (w.left < 0 || len(list) < w.left) {
		return 0, fmt.Errorf("%w: the server ends before index %d, of %d", ErrGap, nextOf(next, w.filter.Newest), size)
	}
	return next, nil
}

func nextOf(next uint64, newest bool) uint64 {
	if newest {
		return next - 1
	}
	return next
}

// provePage checks entries and the proof beside them: the log, the form, the data, the filter, the
// signature, and that each leaf is in the tree. That the checkpoint continues what was seen is the
// caller's to check.
func provePage(p page, keys *proof.Verifier, log string, f *Filter) ([]Entry, proof.Checkpoint, error) {
	entries, bare := make([]Entry, len(p.Entries)), make([]entry.Entry, len(p.Entries))
	for i, raw := range p.Entries {
		l, err := proof.ParsePageLine(raw)
		switch {
		case err != nil:
			return nil, proof.Checkpoint{}, fmt.Errorf("%w: entry: %w", ErrProof, err)
		case l.Entry.Log != log:
			return nil, proof.Checkpoint{}, fmt.Errorf("%w: an entry of log %.40q", ErrProof, l.Entry.Log)
		case !f.Matches(&l.Entry):
			return nil, proof.Checkpoint{}, fmt.Errorf("%w: index %d does not match the filter", ErrProof, l.Entry.Index)
		}
		entries[i] = Entry{Entry: l.Entry, Payload: l.Payload, DataError: l.DataError, RepeatOf: l.RepeatOf}
		bare[i] = l.Entry
	}
	if len(p.Proof) == 0 {
		return nil, proof.Checkpoint{}, fmt.Errorf("%w: the server gives no proof; it may be older than this client",
			ErrProof)
	}
	batch, err := proof.ParseBatchProof(p.Proof)
	if err != nil {
		return nil, proof.Checkpoint{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	cp, err := keys.CheckBatch(batch, bare)
	if err != nil {
		return nil, proof.Checkpoint{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	return entries, cp, checkRepeats(entries)
}

// checkRepeats compares the entries that are said to repeat an earlier one with that one, where it
// is among them, and with its index in any case.
func checkRepeats(entries []Entry) error {
	for i := range entries {
		e := &entries[i]
		if e.RepeatOf == nil {
			continue
		}
		if e.IsOwn() || *e.RepeatOf >= e.Index {
			return fmt.Errorf("%w: index %d cannot repeat index %d", ErrProof, e.Index, *e.RepeatOf)
		}
		at, ok := slices.BinarySearchFunc(entries[:i], *e.RepeatOf, func(e Entry, index uint64) int {
			return cmp.Compare(e.Index, index)
		})
		if ok && (entries[at].AgentDID != e.AgentDID || entries[at].EntryID != e.EntryID ||
			entries[at].Fingerprint() != e.Fingerprint()) {
			return fmt.Errorf("%w: index %d does not repeat index %d", ErrProof, e.Index, *e.RepeatOf)
		}
	}
	return nil
}
