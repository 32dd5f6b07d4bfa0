package query_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

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
	// the same filter
	f.get("/v1/entries?limit=7&agent=did:web:airline-agent-0.example.com&agent=x&outcome=success&agent=x&cursor="+
		cursor, &p)
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
		{"/v1/entries/21/proof", "", 404}, {"/v1/entries/x/proof", "index", 400}, {"/v1/entries/1/proof?tree=3", "tree", 400}, {"/v1/entries/1/proof?size=3", "", 404},
		{"/v1/entries/id/none", "", 404}, {"/v1/entries/id/none/proof", "", 404}, {"/v1/entries/id/a/b/c", "", 404}, {"/v1/entries/1/x", "", 404},
		{"/v1/entries/id/none?agent=a&agent=b", "agent", 400}, {"/v1/entries/", "", 404}, {"/v2", "", 404}, {"/?x=1", "x", 400}, {"/v1/events", "", 404},
		{"/v1/entries?log=other", "", 404}, {"/v1/stats?log=other", "", 404}, {"/checkpoint?log=other", "", 404}, {"/v1/export?log=", "log", 400},
		{"/v1/entries?log=default&log=default", "log", 400}, {"/v1/stats?x=1", "x", 400}, {"/v1/verify?x=1", "x", 400}, {"/checkpoint?x=1", "x", 400},
		{"/healthz?x=1", "x", 400}, {"/readyz?x=1", "x", 400}, {"/openapi.json?x=1", "x", 400},
		{"/v1/export?format=xml", "format", 400}, {"/v1/export?format=", "format", 400}, {"/v1/export?limit=5", "limit", 400},
		{"/v1/export?from=x", "from", 400}, {"/v1/export?cursor=x", "cursor", 400},
	} {
		if p := f.refused(c.status, "GET", c.path); p.Parameter != c.param {
			t.Errorf("GET %s: names %q, not %q: %s", c.path, p.Parameter, c.param, p.Detail)
		}
	}
	if p := f.refused(400, "GET", "/v1/export?format=xml"); !strings.Contains(p.Detail, "jsonl") ||
		!strings.Contains(p.Detail, "cloudevents") {
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
	paths := []string{"/v1/entries", "/v1/entries/1", "/v1/entries/1/proof",
		"/v1/entries/id/161b202a-7282-5949-a904-d82a3094902e",
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
	if a := f.do("GET", "/v1/entries?agent=none"); string(a.body) != `{"entries":[],"next_cursor":null,"tree_size":1}`+
		"\n" {
		t.Fatalf("%s", a.body)
	}
	var p struct {
		MerkleProof json.RawMessage `json:"merkle_proof"`
	}
	if f.get("/v1/entries/0/proof", &p); string(p.MerkleProof) != "[]" {
		t.Fatalf("proof in a tree of one: %s", p.MerkleProof)
	}
}
