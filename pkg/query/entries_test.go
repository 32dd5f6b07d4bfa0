package query_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/query"
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
		f.publish([]byte(`{"specversion":"1.0","id":"` + form.name + `","source":"urn:a","type":"t"` + form.members + `}`))
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
	if raw.Hash != e.EntryHash || raw.Leaf != string(e.Leaf) || entry.FormatHash(entry.LeafHash([]byte(raw.Leaf))) != raw.Hash {
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
	if string(got) != data || entry.FormatHash(entry.DataHash(hash(f, raw.Salt), got)) != e.DataHash {
		f.Fatalf("%s: data %q does not open data_hash: %s", path, got, a.body)
	}
	if err := entry.CheckJSON(a.body, 40); err != nil { // no member twice
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
	ids := []string{"proof", "id", "a/b", "a//b/proof", "..", ".", "%2F", "a b+c", "ü😀", "?x=1&y=2#z", "/", "a\"b\\c", "index:7"}
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
		if want := []query.Candidate{{Index: n + 1, AgentDID: "urn:one"}, {Index: n + 2, AgentDID: "urn:two"}}; !slices.Equal(p.Candidates, want) {
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

// TestRefused: what is asked wrongly is named, and never answered with something else.
func TestRefused(t *testing.T) {
	f := newFixture(t)
	f.publishAll(tau(t, 20), 5)
	var p page
	f.get("/v1/entries?limit=2&outcome=success&agent=x&agent=did:web:airline-agent-0.example.com", &p)
	if p.NextCursor == nil {
		t.Fatal("no cursor")
	}
	cursor := url.QueryEscape(*p.NextCursor)
	f.get("/v1/entries?limit=7&agent=did:web:airline-agent-0.example.com&agent=x&outcome=success&agent=x&cursor="+cursor, &p) // the same filter
	for _, c := range []struct {
		path, param string
		status      int
	}{
		{"/v1/entries?limit=0", "limit", 400}, {"/v1/entries?limit=-1", "limit", 400}, {"/v1/entries?limit=1001", "limit", 400},
		{"/v1/entries?limit=x", "limit", 400}, {"/v1/entries?limit=", "limit", 400}, {"/v1/entries?limit=1&limit=2", "limit", 400},
		{"/v1/entries?limit=99999999999999999999", "limit", 400}, {"/v1/entries?limit=+5", "limit", 400},
		{"/v1/entries?order=up", "order", 400}, {"/v1/entries?order=", "order", 400}, {"/v1/entries?order=asc&order=asc", "order", 400},
		{"/v1/entries?from=yesterday", "from", 400}, {"/v1/entries?from=2024-05-15", "from", 400}, {"/v1/entries?to=2024-05-15T20:00:60Z", "to", 400},
		{"/v1/entries?from=2024-05-15T20:00:00+02:00", "from", 400}, {"/v1/entries?from=2024-05-16T00:00:00Z&to=2024-05-15T00:00:00Z", "from", 400},
		{"/v1/entries?to=2024-05-15T20:00:00Z&to=2024-05-15T20:00:00Z", "to", 400}, {"/v1/entries?from=", "from", 400},
		{"/v1/entries?agents=x", "agents", 400}, {"/v1/entries?Agent=x", "Agent", 400}, {"/v1/entries?agent=", "agent", 400}, {"/v1/entries?agent=x&agent=", "agent", 400},
		{"/v1/entries?raw=yes", "raw", 400}, {"/v1/entries?raw=1&raw=1", "raw", 400}, {"/v1/entries?a;b", "", 400}, {"/v1/entries?agent=%zz", "", 400},
		{"/v1/entries?outcome=denied" + strings.Repeat("&agent=x", 10) + "&" + values("agent", 256), "", 400},
		{"/v1/entries?cursor=x", "cursor", 400}, {"/v1/entries?cursor=", "cursor", 400}, {"/v1/entries?cursor=e30", "cursor", 400},
		{"/v1/entries?limit=2&cursor=" + cursor, "cursor", 400}, {"/v1/entries?limit=2&outcome=failure&cursor=" + cursor, "cursor", 400},
		{"/v1/entries?outcome=success&agent=x&cursor=" + cursor, "cursor", 400},
		{"/v1/entries?outcome=success&agent=x&agent=did:web:airline-agent-0.example.com&order=asc&cursor=" + cursor, "cursor", 400},
		{"/v1/entries?outcome=success&agent=x&agent=did:web:airline-agent-0.example.com&cursor=" + cursor + "A", "cursor", 400},
		{"/v1/entries?outcome=success&agent=x&agent=did:web:airline-agent-0.example.com&cursor=" + forged(t, *p.NextCursor), "cursor", 400},
		{"/v1/entries/21", "", 404}, {"/v1/entries/99999999999999999999999", "", 404}, {"/v1/entries/9007199254740993", "", 404}, {"/v1/entries/x", "index", 400},
		{"/v1/entries/-1", "index", 400}, {"/v1/entries/01", "index", 400}, {"/v1/entries/1.0", "index", 400}, {"/v1/entries/1?limit=1", "limit", 400},
		{"/v1/entries/21/proof", "", 404}, {"/v1/entries/x/proof", "index", 400}, {"/v1/entries/1/proof?size=3", "size", 400},
		{"/v1/entries/id/none", "", 404}, {"/v1/entries/id/none/proof", "", 404}, {"/v1/entries/id/a/b/c", "", 404}, {"/v1/entries/1/x", "", 404},
		{"/v1/entries/id/none?agent=a&agent=b", "agent", 400}, {"/v1/entries/", "", 404}, {"/v2", "", 404}, {"/", "", 404}, {"/v1/events", "", 404},
		{"/v1/entries?log=other", "", 404}, {"/v1/stats?log=other", "", 404}, {"/checkpoint?log=other", "", 404}, {"/v1/export?log=", "log", 400},
		{"/v1/entries?log=default&log=default", "log", 400}, {"/v1/stats?x=1", "x", 400}, {"/v1/verify?x=1", "x", 400}, {"/checkpoint?x=1", "x", 400},
		{"/healthz?x=1", "x", 400}, {"/readyz?x=1", "x", 400}, {"/openapi.json?x=1", "x", 400},
		{"/v1/export?format=xml", "format", 400}, {"/v1/export?format=csv", "format", 400}, {"/v1/export?format=", "format", 400}, {"/v1/export?limit=5", "limit", 400},
		{"/v1/export?from=x", "from", 400}, {"/v1/export?cursor=x", "cursor", 400},
	} {
		if p := f.refused(c.status, "GET", c.path); p.Parameter != c.param {
			t.Errorf("GET %s: names %q, not %q: %s", c.path, p.Parameter, c.param, p.Detail)
		}
	}
	if p := f.refused(400, "GET", "/v1/export?format=csv"); !strings.Contains(p.Detail, "jsonl") || !strings.Contains(p.Detail, "cloudevents") {
		t.Errorf("the formats are not listed: %s", p.Detail)
	}
}

func values(name string, n int) string {
	v := url.Values{}
	for i := range n {
		v.Add(name, strings.Repeat("x", i+1))
	}
	return v.Encode()
}

// forged moves a cursor.
func forged(t *testing.T, cursor string) string {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(raw, &c); err != nil {
		t.Fatal(err)
	}
	c["i"] = c["i"].(float64) - 1
	raw, _ = json.Marshal(c)
	return base64.RawURLEncoding.EncodeToString(raw)
}

// TestMethods: everything here is read only; HEAD is GET without the body.
func TestMethods(t *testing.T) {
	f := newFixture(t)
	f.publishAll(tau(t, 5), 5)
	paths := []string{"/v1/entries", "/v1/entries/1", "/v1/entries/1/proof", "/v1/entries/id/161b202a-7282-5949-a904-d82a3094902e",
		"/v1/entries/id/161b202a-7282-5949-a904-d82a3094902e/proof", "/v1/consistency?from=1&to=2", "/v1/verify", "/v1/export", "/v1/stats", "/checkpoint",
		"/healthz", "/readyz", "/openapi.json", "/v1/entries?log=default"}
	for _, path := range paths {
		got, head := f.do("GET", path), f.do("HEAD", path)
		if got.StatusCode != 200 || head.StatusCode != 200 || len(head.body) != 0 || len(got.body) == 0 {
			t.Errorf("%s: GET %s, HEAD %s with %d bytes", path, got.Status, head.Status, len(head.body))
		}
		for _, name := range []string{"Content-Type", "X-Content-Type-Options", "Cache-Control"} {
			if got.Header.Get(name) != head.Header.Get(name) || got.Header.Get(name) == "" {
				t.Errorf("%s: %s is %q, with HEAD %q", path, name, got.Header.Get(name), head.Header.Get(name))
			}
		}
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH"} {
			f.refused(http.StatusMethodNotAllowed, method, path)
		}
		if a := f.do("DELETE", path); a.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: Allow %q", path, a.Header.Get("Allow"))
		}
	}
}

// TestEmptyAnswers: an empty page is a list, not null.
func TestEmptyAnswers(t *testing.T) {
	f := newFixture(t)
	f.await()
	if a := f.do("GET", "/v1/entries?agent=none"); string(a.body) != `{"entries":[],"next_cursor":null,"tree_size":1}`+"\n" {
		t.Fatalf("%s", a.body)
	}
	var p struct {
		MerkleProof json.RawMessage `json:"merkle_proof"`
	}
	if f.get("/v1/entries/0/proof", &p); string(p.MerkleProof) != "[]" {
		t.Fatalf("proof in a tree of one: %s", p.MerkleProof)
	}
}
