package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"github.com/sealstream/sealstream/pkg/entry"
)

// history reads the entries that filters match from the API, page by page, up to the end that the log had at first. What it yields is
// recomputed from the bytes that were sealed: the leaf's hash, and the data's commitment.
type history struct {
	app   *app
	query url.Values
	page  []json.RawMessage
	size  uint64 // tree size at first; 0: not known yet
	more  bool
	head  *replayed
}

// replayed is an entry on its way.
type replayed struct {
	entry   entry.Entry
	payload *entry.Payload
	shown   json.RawMessage // as the API shows it
}

// historyPage keeps a page of the largest entries at some tens of megabytes.
const historyPage = 100

func newHistory(a *app, q url.Values, from uint64) *history {
	q.Set("order", "asc")
	q.Set("raw", "1")
	q.Set("limit", strconv.Itoa(historyPage))
	q.Set("from_index", strconv.FormatUint(from, 10))
	return &history{app: a, query: q, more: true}
}

// peek is the next entry, the same until it is taken; nil at the end.
func (h *history) peek() (*replayed, error) {
	for h.head == nil {
		if len(h.page) == 0 {
			if !h.more {
				return nil, nil
			}
			if err := h.turn(); err != nil {
				return nil, err
			}
			continue
		}
		e, err := parseReplayed(h.page[0])
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
	var p page
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
		EntryHash  string `json:"entry_hash"`
		Leaf       string
		DataRaw    json.RawMessage `json:"data_raw"`
		DataBase64 json.RawMessage `json:"data_base64"`
		Salt       string
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, fmt.Errorf("an entry of the answer: %w", err)
	}
	e, err := entry.ParseEntry([]byte(m.Leaf))
	if err != nil {
		return nil, fmt.Errorf("an entry of the answer: %w", err)
	}
	if e.EntryHash != m.EntryHash {
		return nil, failed("entry %d: its leaf has another hash than the server says", e.Index)
	}
	name, value := "data_raw", m.DataRaw
	if value == nil {
		name, value = "data_base64", m.DataBase64
	}
	if value == nil {
		return &replayed{e, nil, raw}, nil
	}
	p := entry.Payload{Index: e.Index}
	if p.Salt, err = entry.ParseHash(m.Salt); err == nil {
		p.Data, err = entry.ParsePayloadData(name, value)
	}
	if err == nil && !p.Opens(e) {
		err = errors.New("its data does not open data_hash")
	}
	if err != nil {
		return nil, failed("entry %d: %v", e.Index, err)
	}
	return &replayed{e, &p, raw}, nil
}
