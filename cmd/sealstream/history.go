package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
)

// history reads the entries that match filters from the API, page by page, up to the size that the
// log had at the first page. It checks each entry against the sealed bytes: the leaf's hash, and
// the commitment to the data.
type history struct {
	app     *app
	query   url.Values
	page    []json.RawMessage // rest of the page
	size    uint64            // tree size at the first page, 0 before it
	more    bool              // another page follows
	head    *replayed         // the next entry, once peek has read it
	skipped int               // entries whose data could not be read
}

// errNoData reports that the data of an entry cannot be read. Without its data, the replayed event
// would be another one.
var errNoData = errors.New("its data cannot be read")

// replayed is an entry that a replay sends.
type replayed struct {
	entry   entry.Entry
	payload *entry.Payload  // nil if there is none, or it was erased
	shown   json.RawMessage // the entry in the form of the API
}

// historyPage is the number of entries per page. A page of the largest entries is some tens of
// megabytes.
const historyPage = 100

func newHistory(a *app, q url.Values, from uint64) *history {
	q.Set("order", "asc")
	q.Set("raw", "1")
	q.Set("limit", strconv.Itoa(historyPage))
	q.Set("from_index", strconv.FormatUint(from, 10))
	return &history{app: a, query: q, more: true}
}

// peek returns the next entry, and the same one until take is called. It returns nil at the end.
func (h *history) peek() (*replayed, error) {
	for h.head == nil {
		if len(h.page) == 0 {
			if !h.more && h.skipped > 0 {
				return nil, failed("%d entries were left out: their data cannot be read", h.skipped)
			}
			if !h.more {
				return nil, nil
			}
			if err := h.turn(); err != nil {
				return nil, err
			}
			continue
		}
		e, err := parseReplayed(h.page[0])
		if errors.Is(err, errNoData) {
			fmt.Fprintf(h.app.err, "sealstream: left out: %s\n", plain(err.Error()))
			h.page = h.page[1:]
			h.skipped++
			continue
		}
		if err != nil {
			return nil, err
		}
		if h.page = h.page[1:]; e.entry.Index >= h.size {
			h.page, h.more = nil, false
			continue
		}
		h.head = e
	}
	return h.head, nil
}

func (h *history) take() { h.head = nil }

func (h *history) turn() error {
	var p api.Page
	if err := h.app.get("/v1/entries", h.query, &p); err != nil {
		return err
	}
	if h.size == 0 {
		h.size = p.TreeSize
	}
	h.page, h.more = p.Entries, p.NextCursor != nil
	if h.more {
		h.query.Del("from_index")
		h.query.Set("cursor", *p.NextCursor)
	}
	return nil
}

func parseReplayed(raw json.RawMessage) (*replayed, error) {
	var m struct {
		EntryHash string `json:"entry_hash"`
		Leaf      string
		DataError string `json:"data_error"`
		Salt      string
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, fmt.Errorf("an entry of the answer: %w", err)
	}
	e, err := entry.ParseEntry([]byte(m.Leaf))
	if err != nil {
		return nil, fmt.Errorf("an entry of the answer: %w", err)
	}
	if e.EntryHash.String() != m.EntryHash {
		return nil, failed("entry %d: its leaf does not have the hash that the server reports", e.Index)
	}
	if m.DataError != "" {
		return nil, fmt.Errorf("entry %d: %w: %w: %s", e.Index, errFailed, errNoData, m.DataError)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, fmt.Errorf("an entry of the answer: %w", err)
	}
	if members["salt"] == nil {
		return &replayed{e, nil, raw}, nil
	}
	p := entry.Payload{Index: e.Index}
	p.Salt, err = entry.ParseHash(m.Salt)
	for _, name := range []string{"action_salt", "data_raw", "data_base64", "dssematerial"} {
		if value := members[name]; value != nil && err == nil {
			err = p.Member(name, value)
		}
	}
	if err == nil && !p.Opens(e) {
		err = errors.New("its data does not open what the leaf commits to")
	}
	if err != nil {
		return nil, failed("entry %d: %v", e.Index, err)
	}
	return &replayed{e, &p, raw}, nil
}
