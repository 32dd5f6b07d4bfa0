package query_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"testing"

	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// provedPage is the answer of /v1/entries with proof=1.
type provedPage struct {
	page
	Proof json.RawMessage `json:"proof"`
}

// proven proves a page, and returns its entries and the checkpoint's size.
func (f *fixture) proven(lines []json.RawMessage, raw json.RawMessage) (entries []entry.Entry, size uint64) {
	f.Helper()
	for _, line := range lines {
		l, err := proof.ParsePageLine(line)
		if err != nil {
			f.Fatalf("%v: %s", err, line)
		}
		if (l.Payload == nil) != (l.Entry.DataHash == nil) {
			f.Fatalf("index %d comes without its data", l.Entry.Index)
		}
		entries = append(entries, l.Entry)
	}
	p, err := proof.ParseBatchProof(raw)
	if err != nil {
		f.Fatal(err)
	}
	c, err := p.Check(entries, f.key)
	if err != nil {
		f.Fatalf("%d entries: %v", len(entries), err)
	}
	return entries, c.Size
}

func indexesOf(entries []entry.Entry) (list []uint64) {
	for _, e := range entries {
		list = append(list, e.Index)
	}
	return list
}

// TestProvedPages walks a log by pages of all kinds: each page proves itself, and holds what the
// page without proof does.
func TestProvedPages(t *testing.T) {
	f := newFixture(t)
	f.publishAll(tau(t, 700), 13)
	logtest.Until(f, "files of the index", func() bool { return f.q.Status().Segments >= 9 })
	for _, filter := range []string{
		"", "type=tool_invocation", "outcome=denied", "agent=did:web:nobody.example.com", "session=tau-airline-0-4",
	} {
		for _, order := range []string{"asc", "desc"} {
			for _, limit := range []string{"7", "100", "1000"} {
				values, err := url.ParseQuery(filter + "&order=" + order + "&limit=" + limit)
				if err != nil {
					t.Fatal(err)
				}
				f.walkProved(values)
			}
		}
	}
}

// walkProved compares the pages of a walk with and without proof.
func (f *fixture) walkProved(values url.Values) {
	f.Helper()
	for {
		var bare page
		var with provedPage
		values.Del("proof")
		f.get("/v1/entries?"+values.Encode(), &bare)
		values.Set("proof", "1")
		f.get("/v1/entries?"+values.Encode(), &with)
		entries, size := f.proven(with.Entries, with.Proof)
		if size != f.size || with.TreeSize != size ||
			!slices.Equal(indexesOf(entries), bare.indexes(f)[:]) && len(entries) > 0 {
			f.Fatalf("%v: indexes %v of %d, want %v of %d", values, indexesOf(entries), size, bare.indexes(f), f.size)
		}
		if with.NextCursor == nil {
			if bare.NextCursor != nil {
				f.Fatalf("%v: the walk ends early", values)
			}
			return
		}
		values.Set("cursor", *with.NextCursor)
	}
}

// TestProvedAtASize reads pages of the log as it was: what was sealed since is not in them, and all
// of them are under one checkpoint.
func TestProvedAtASize(t *testing.T) {
	f := newFixture(t)
	events := tau(t, 700)
	f.publishAll(events[:300], 11)
	var first provedPage
	f.get("/v1/entries?order=asc&limit=100&proof=1", &first)
	entries, size := f.proven(first.Entries, first.Proof)
	at, cursor := f.size, first.NextCursor
	if size != at {
		t.Fatalf("checkpoint of size %d, want %d", size, at)
	}
	f.publishAll(events[300:], 11)
	for cursor != nil {
		var next provedPage
		f.get("/v1/entries?order=asc&limit=100&proof=1&size="+strconv.FormatUint(at, 10)+"&cursor="+
			url.QueryEscape(*cursor), &next)
		more, size := f.proven(next.Entries, next.Proof)
		if size != at || next.TreeSize != at {
			t.Fatalf("a page at size %d, want %d", size, at)
		}
		entries, cursor = append(entries, more...), next.NextCursor
	}
	for i, e := range entries {
		if e.Index != uint64(i) {
			t.Fatalf("index %d in place %d", e.Index, i)
		}
	}
	if uint64(len(entries)) != at {
		t.Fatalf("%d entries, want %d", len(entries), at)
	}
	var newest provedPage
	f.get("/v1/entries?limit=5&proof=1&size="+strconv.FormatUint(at, 10), &newest)
	if list, _ := f.proven(newest.Entries, newest.Proof); list[4].Index != at-1 {
		t.Fatalf("the newest of size %d is index %d", at, list[4].Index)
	}
	f.refused(400, "GET", "/v1/entries?proof=1&size=100000")
	f.refused(400, "GET", "/v1/entries?proof=1&size=0")
	f.refused(400, "GET", "/v1/entries?size=1")
	f.refused(404, "GET", "/v1/entries?proof=1&size=2") // no checkpoint has this size
}

// TestProvedStream follows history and what is sealed meanwhile: each entry is proven once, in order.
func TestProvedStream(t *testing.T) {
	f := newFixture(t)
	events := tau(t, 600)
	f.publishAll(events[:300], 11)
	for _, filter := range []string{"", "&type=tool_invocation"} {
		s, body := f.stream(t.Context(), f.server.Client(), "/v1/stream?proof=1&from_index=0"+filter, "")
		var waiting []json.RawMessage
		var proven []uint64
		var want []uint64
		if filter == "" {
			f.publishAll(events[300:], 11)
			for x := range f.size {
				want = append(want, x)
			}
		} else {
			for _, e := range f.scan() {
				if e.EventType == "tool_invocation" {
					want = append(want, e.Index)
				}
			}
		}
		for len(proven) < len(want) {
			e, comment, err := s.next()
			switch {
			case err != nil:
				t.Fatal(err)
			case comment:
			case e.name == "":
				waiting = append(waiting, json.RawMessage(e.data))
			case e.name == "proof" && e.id == "":
				entries, _ := f.proven(waiting, json.RawMessage(e.data))
				proven, waiting = append(proven, indexesOf(entries)...), nil
			default:
				t.Fatalf("event %+v", e)
			}
		}
		body.Close()
		if !slices.Equal(proven, want) {
			t.Fatalf("filter %q: not whole, once and in order", filter)
		}
	}
}
