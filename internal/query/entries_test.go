package query_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
)

// TestEntryForms reads entries of every kind of data, and compares what is shown with the leaf and the payload.
func TestEntryForms(t *testing.T) {
	binary := []byte{0, 1, 0xff}
	forms := []struct {
		name    string
		members string // of the event, beside id, source and type
		data    string // the member shown
		bytes   string // the data bytes; "-": none
	}{
		{"object", `,"data":{"id":12345678901234567890,"x":1e400, "y":[ 1 ]}`, `"data":{"id":12345678901234567890,"x":1e400, "y":[ 1 ]}`,
			`{"id":12345678901234567890,"x":1e400, "y":[ 1 ]}`},
		{"null", `,"data":null`, `"data":null`, `null`},
		{"string", `,"data":"a\"b"`, `"data":"a\"b"`, `"a\"b"`},
		{"none", ``, ``, `-`},
		{"text", `,"datacontenttype":"text/plain","data":"a\"b\n\u2028"`, `"data":"a\"b\n` + "\u2028" + `"`, "a\"b\n\u2028"},
		{"empty text", `,"datacontenttype":"text/plain","data":""`, `"data":""`, ``},
		{"binary", `,"datacontenttype":"image/png","data_base64":"AAH/"`, `"data_base64":"AAH/"`, string(binary)},
		{"JSON in base64", `,"datacontenttype":"application/json","data_base64":"IHsiYSI6MX0g"`, `"data": {"a":1} `, ` {"a":1} `},
		{"no JSON in base64", `,"datacontenttype":"application/json","data_base64":"eyJhIjoxLCJhIjoyfQ=="`, `"data":"{\"a\":1,\"a\":2}"`, `{"a":1,"a":2}`},
		{"binary as JSON", `,"data_base64":"AAH/"`, `"data_base64":"AAH/"`, string(binary)},
		{"control characters", `,"datacontenttype":"text/plain","data":"a\u0000"`, `"data_base64":"YQA="`, "a\x00"},
	}
	f := newFixture(t)
	for _, form := range forms {
		f.publish([]byte(`{"specversion":"1.0","id":"` + form.name + `","source":"urn:a","type":"t"` + form.members +
			`}`))
	}
	f.await()
	all := f.scan()
	for i, form := range forms {
		e := all[i+1]
		bare, _ := json.Marshal(e)
		plain := strings.TrimSuffix(string(bare), "}")
		if form.data != "" {
			plain += "," + form.data
		}
		path := "/v1/entries/id/" + url.PathEscape(form.name)
		a := f.do("GET", path)
		if string(a.body) != plain+"}\n" || a.StatusCode != 200 || !json.Valid(a.body) {
			t.Fatalf("%s: %s\n got %s\nwant %s}", form.name, a.Status, a.body, plain)
		}
		f.checkRaw(path+"?raw=1", e, form.bytes)
	}
}

// checkRaw checks that with raw=1 an entry brings what proves it.
func (f *fixture) checkRaw(path string, e entry.Entry, data string) {
	f.Helper()
	var raw struct {
		Hash       string  `json:"entry_hash"`
		Leaf       string  `json:"leaf"`
		DataRaw    *string `json:"data_raw"`
		DataBase64 *string `json:"data_base64"`
		Salt       string  `json:"salt"`
	}
	a := f.get(path, &raw)
	if raw.Hash != e.EntryHash.String() || raw.Leaf != string(e.Leaf) ||
		entry.LeafHash([]byte(raw.Leaf)).String() != raw.Hash {
		f.Fatalf("%s: the leaf is not the entry's: %s", path, a.body)
	}
	if data == "-" {
		if raw.DataRaw != nil || raw.DataBase64 != nil || raw.Salt != "" {
			f.Fatalf("%s: data where there is none: %s", path, a.body)
		}
		return
	}
	var got []byte
	switch {
	case (raw.DataRaw != nil) == (raw.DataBase64 != nil):
		f.Fatalf("%s: not one of data_raw and data_base64: %s", path, a.body)
	case raw.DataRaw != nil:
		got = []byte(*raw.DataRaw)
	default:
		got, _ = base64.StdEncoding.DecodeString(*raw.DataBase64)
	}
	if string(got) != data || entry.Hash(entry.DataHash(hash(f, raw.Salt), got)).String() != e.DataHash.String() {
		f.Fatalf("%s: data %q does not open data_hash: %s", path, got, a.body)
	}
	if err := canonical.CheckJSON(a.body, 40); err != nil { // no member twice
		f.Fatalf("%s: %v", path, err)
	}
}

// TestRejected shows what is kept of a refused event as text, whatever it looks like.
func TestRejected(t *testing.T) {
	f := newFixture(t)
	f.publish([]byte(`{"specversion":"1.0","id":"x"}`))
	f.await()
	var e struct {
		EventType string `json:"event_type"`
		Data      string
		Detail    struct{ Field string }
	}
	a := f.get("/v1/entries/1", &e)
	if e.EventType != entry.TypeRejected || e.Data != `{"specversion":"1.0","id":"x"}` || e.Detail.Field != "source" {
		t.Fatalf("%s", a.body)
	}
}

// TestIDs reads entries by ids that paths must escape, and by ids that are not unique.
func TestIDs(t *testing.T) {
	f := newFixture(t)
	ids := []string{
		"proof", "id", "a/b", "a//b/proof", "..", ".", "%2F", "a b+c", "ü😀", "?x=1&y=2#z", "/", "a\"b\\c", "index:7",
	}
	for _, id := range ids {
		f.publish(event(id, map[string]any{"source": "urn:one"}))
	}
	f.publish(event("twice", map[string]any{"source": "urn:one"}), event("twice", map[string]any{"source": "urn:two"}))
	f.await()
	for i, id := range ids {
		escaped := strings.ReplaceAll(url.PathEscape(id), ".", "%2E")
		var e struct {
			EntryID string `json:"entry_id"`
			Index   uint64
		}
		if f.get("/v1/entries/id/"+escaped, &e); e.EntryID != id || e.Index != uint64(i+1) {
			t.Fatalf("%q: got %+v", id, e)
		}
		var p struct {
			LeafIndex uint64 `json:"leaf_index"`
		}
		if f.get("/v1/entries/id/"+escaped+"/proof?agent=urn:one", &p); p.LeafIndex != e.Index {
			t.Fatalf("%q: proof of %d", id, p.LeafIndex)
		}
		f.refused(404, "GET", "/v1/entries/id/"+escaped+"?agent=urn:two")
	}
	n := uint64(len(ids))
	for _, path := range []string{"/v1/entries/id/twice", "/v1/entries/id/twice/proof"} {
		p := f.refused(409, "GET", path)
		if want := []api.Candidate{
			{Index: n + 1, AgentDID: "urn:one"}, {Index: n + 2, AgentDID: "urn:two"},
		}; !slices.Equal(p.Candidates, want) {
			t.Fatalf("%s: candidates %v", path, p.Candidates)
		}
	}
	var e struct{ Index uint64 }
	if f.get("/v1/entries/id/twice?agent=urn:two", &e); e.Index != n+2 {
		t.Fatalf("index %d", e.Index)
	}
	_, err := f.q.EntryByID(t.Context(), "twice", "")
	if a, ok := errors.AsType[*query.AmbiguousError](err); !ok || len(a.Candidates) != 2 {
		t.Fatalf("%v", err)
	}
}

// TestRepeats: an event that was sealed twice, because the sealer could not know any more, is
// marked; others with its id are not.
func TestRepeats(t *testing.T) {
	p := newPress(t)
	one := event("same", map[string]any{"data": 1})
	p.seal(event("x", nil), one)
	p.seal(event("same", map[string]any{"data": 2}), event("same", map[string]any{"source": "urn:other", "data": 1}))
	p.seal(one, event("y", nil))
	f := &fixture{T: t, log: p.log, key: p.signer.VerifierKey(), size: 7}
	f.serve(query.Config{Log: f.log, Keys: []string{f.key}})
	f.await()
	f.isWell()
	var list struct {
		Entries []struct {
			Index    uint64
			RepeatOf *uint64 `json:"repeat_of"`
		}
	}
	f.get("/v1/entries", &list)
	for _, e := range list.Entries {
		if (e.RepeatOf != nil) != (e.Index == 5) || e.RepeatOf != nil && *e.RepeatOf != 2 {
			t.Fatalf("index %d repeats %v", e.Index, e.RepeatOf)
		}
	}
	cp, err := f.q.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	f.checkProof(f.scan()[5], "/v1/entries/5/proof?raw=1", cp) // which shows nothing but the leaf and its data
	if p := f.refused(409, "GET", "/v1/entries/id/same"); len(p.Candidates) != 4 {
		t.Fatalf("%v", p.Candidates)
	}
	if p := f.refused(409, "GET", "/v1/entries/id/same?agent=did:web:a.example.com"); len(p.Candidates) != 3 {
		t.Fatalf("%v", p.Candidates)
	}
}

// TestConcurrentReads reads, proves and exports while the log grows: every answer holds for the tree that it names.
func TestConcurrentReads(t *testing.T) {
	f := newFixture(t)
	f.serve(query.Config{Log: f.log, Keys: []string{f.key}, CacheBytes: 20_000, MaxExports: 100})
	f.publishAll(generated(rand.New(rand.NewPCG(4, 4)), 50), 10)
	stop := make(chan struct{})
	var group sync.WaitGroup
	for worker := range 3 {
		group.Go(func() {
			r := rand.New(rand.NewPCG(5, uint64(worker)))
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := f.readAny(r, worker); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for _, e := range generated(rand.New(rand.NewPCG(6, 6)), 400) {
		f.publish(bytes.Replace(e, []byte(`"generated-`), []byte(`"more-`), 1))
	}
	f.await()
	close(stop)
	group.Wait()
	f.isWell()
}

func (f *fixture) readAny(r *rand.Rand, kind int) error {
	ctx := f.Context()
	switch kind {
	case 0:
		var b bytes.Buffer
		filter := api.Filter{Action: []string{"allow", "deny"}}
		if r.IntN(2) == 0 {
			filter = api.Filter{}
		}
		if err := f.q.Export(ctx, &b, filter, query.JSONL); err != nil {
			return err
		}
		_, err := audit.Export(audit.Config{Keys: []string{f.key}}, lines(b.Bytes()))
		return err
	case 1:
		p, err := f.q.Proof(ctx, r.Uint64N(50), true)
		if err == nil {
			_, _, err = p.Check(f.key)
		}
		return err
	}
	list, err := f.q.Entries(ctx, api.Filter{Outcome: []string{"success"}}, query.Page{Limit: 20})
	if err == nil && (len(list.Entries) < 5 || list.Entries[len(list.Entries)-1].Entry.Index >= list.TreeSize) {
		err = fmt.Errorf("%d entries, tree size %d", len(list.Entries), list.TreeSize)
	}
	return err
}

// TestLargePage: a page with more data than is held in memory goes out while it is read, and is
// broken off where something does not verify.
func TestLargePage(t *testing.T) {
	f := newFixture(t)
	f.publish(event("small", nil))
	for i := range 40 {
		f.publish(event(fmt.Sprint("large-", i), map[string]any{"data": strings.Repeat("x", 250_000)}))
	}
	f.await()
	var p page
	a := f.get("/v1/entries?raw=1", &p)
	if list := p.indexes(t); len(list) != 42 || !slices.IsSorted(list) || len(a.body) < 20_000_000 ||
		a.ContentLength != -1 {
		t.Fatalf("%v, %d bytes, announced %d", list, len(a.body), a.ContentLength)
	}
	for _, index := range []uint64{40, 1} {
		m := f.find(index)
		flip(t, m.Data, fmt.Sprintf(`"index":%d`, index))
		if index == 40 {
			if a := f.do("GET", "/v1/entries"); a.StatusCode != 200 || !errors.Is(a.err, io.ErrUnexpectedEOF) {
				t.Fatalf("%s %v", a.Status, a.err)
			}
		} else {
			f.refused(500, "GET", "/v1/entries")
		}
		flip(t, m.Data, fmt.Sprintf(`"index":%d`, index))
	}
	list, err := f.q.Entries(t.Context(), api.Filter{}, query.Page{Limit: 3})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(list)
	if a := f.do("GET", "/v1/entries?limit=3"); err != nil || string(raw) != strings.TrimSpace(string(a.body)) {
		t.Fatalf("in process it is another page: %v", err)
	}
}
