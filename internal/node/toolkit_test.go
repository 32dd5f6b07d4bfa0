package node

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/agtapi"
)

// collector is a client of the toolkit's collector.
type collector struct {
	t *testing.T
	h http.Handler
}

func newToolkit(t *testing.T) collector {
	t.Helper()
	l, err := Embedded(t.Context(), EmbedConfig{Plugins: withPlugins})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return collector{t, l.Handler()}
}

// do sends a request and reads its answer. body "": GET.
func (c collector) do(path, body string, want int) map[string]any {
	c.t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/api/v1/audit/"+path, nil)
	if body != "" {
		r = httptest.NewRequest(http.MethodPost, "/api/v1/audit/"+path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	c.h.ServeHTTP(w, r)
	if w.Code != want {
		c.t.Fatalf("%s %s: %d %s, want %d", path, body, w.Code, w.Body, want)
	}
	var m map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &m); err != nil {
		c.t.Fatalf("%s: %s: %v", path, w.Body, err)
	}
	return m
}

func entriesOf(m map[string]any) (list []map[string]any) {
	for _, e := range m["entries"].([]any) {
		list = append(list, e.(map[string]any))
	}
	return list
}

// Case 48: the collector's five routes, and nothing that is sent is dropped.
func TestToolkitCollector(t *testing.T) {
	c := newToolkit(t)
	if m := c.do("summary", "", 200); m["total_entries"] != 0.0 || m["chain_valid"] != true ||
		m["persistence_enabled"] != false || m["retention_days"] != nil {
		t.Errorf("summary of nothing: %v", m)
	}
	one := c.do("log", `{"event_type":"tool_blocked","agent_did":"did:web:a","action":"deny","resource":"/crm","target_did":"did:web:b","data":{"n":18446744073709551615,"action":"allow"},
		"outcome":"denied","policy_decision":"no","trace_id":"t1","session_id":"s1","approver_did":"did:web:boss"}`, 200)
	if hash, _ := one["entry_hash"].(string); len(hash) != 64 || strings.Trim(hash, "0123456789abcdef") != "" ||
		one["entry_id"] == "" || !strings.HasSuffix(fmt.Sprint(one["timestamp"]), "+00:00") {
		t.Errorf("receipt %v", one)
	}
	batch := c.do("batch",
		`{"entries":[{"agent_did":"did:web:a","action":"crm_lookup"},{"agent_did":"did:web:c","action":"allow",`+
			`"outcome":"timeout","data":null},{"agent_did":"did:web:a","action":"audit"}]}`, 200)
	ids := []any{}
	for _, e := range entriesOf(batch) {
		ids = append(ids, e["entry_id"])
		if hash, _ := e["entry_hash"].(string); len(hash) != 64 {
			t.Errorf("receipt %v", e)
		}
	}
	if batch["logged"] != 3.0 || len(ids) != 3 {
		t.Errorf("batch %v", batch)
	}
	// what was sent can be asked for at once
	all := c.do("query", `{}`, 200)
	list := entriesOf(all)
	if all["total"] != 4.0 || all["returned"] != 4.0 || len(list) != 4 {
		t.Fatalf("all: %v", all)
	}
	for i, id := range append([]any{one["entry_id"]}, ids...) {
		if list[i]["entry_id"] != id {
			t.Errorf("entry %d is %v, want %v", i, list[i]["entry_id"], id)
		}
	}
	first := list[0]
	for name, want := range map[string]any{"event_type": "tool_blocked", "agent_did": "did:web:a", "action": "deny",
		"resource": "/crm", "target_did": "did:web:b", "outcome": "denied",
		"policy_decision": "no", "trace_id": "t1", "session_id": "s1", "approver_did": "did:web:boss", "matched_rule": nil, "entry_hash": one["entry_hash"], "timestamp": one["timestamp"]} {
		if got, there := first[name]; got != want || !there {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if list[1]["action"] != "crm_lookup" || list[1]["event_type"] != "agent_action" ||
		list[1]["outcome"] != "success" || list[2]["outcome"] != "timeout" {
		t.Errorf("entries %v", list[1:])
	}
	if m := c.do("query", `{"agent_did":"did:web:a"}`, 200); m["total"] != 3.0 {
		t.Errorf("of one agent: %v", m)
	}
	if m := c.do("query", `{"agent_did":"did:web:a","event_type":"agent_action","limit":1}`, 200); m["total"] != 2.0 ||
		m["returned"] != 1.0 || entriesOf(m)[0]["action"] != "audit" {
		t.Errorf("the newest of two: %v", m)
	}
	if m := c.do("verify", "", 200); m["chain_valid"] != true || m["entry_count"] != 4.0 || m["error"] != nil {
		t.Errorf("verify: %v", m)
	}
	if m := c.do("summary", "", 200); m["total_entries"] != 4.0 || len(m["root_hash"].(string)) != 64 {
		t.Errorf("summary: %v", m)
	}
}

// Integers of any size stay as they were sent.
func TestToolkitKeepsNumbers(t *testing.T) {
	c := newToolkit(t)
	c.do("log", `{"agent_did":"d","action":"allow","data":{"n":18446744073709551615,"f":1.10}}`, 200)
	r := httptest.NewRequest(http.MethodPost, "/api/v1/audit/query", strings.NewReader(`{"agent_did":"d"}`))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	c.h.ServeHTTP(w, r)
	if !strings.Contains(w.Body.String(), `18446744073709551615`) {
		t.Error(w.Body)
	}
}

// An entry that is sent again with its own id is one entry.
func TestToolkitOwnIDs(t *testing.T) {
	c := newToolkit(t)
	body := `{"entry_id":"mine","agent_did":"d","action":"allow"}`
	first, again := c.do("log", body, 200), c.do("log", body, 200)
	if first["status"] != "sealed" || again["status"] != "duplicate" || first["entry_hash"] != again["entry_hash"] {
		t.Errorf("%v, then %v", first, again)
	}
	if m := c.do("summary", "", 200); m["total_entries"] != 1.0 {
		t.Errorf("%v", m)
	}
}

// Case 18: a batch is stored as a whole or not at all, in its order; an empty one is nothing.
func TestToolkitBatch(t *testing.T) {
	c := newToolkit(t)
	if m := c.do("batch", `{"entries":[]}`, 200); m["logged"] != 0.0 || len(entriesOf(m)) != 0 {
		t.Errorf("%v", m)
	}
	m := c.do("batch",
		`{"entries":[{"agent_did":"d","action":"allow"},{"agent_did":"d","action":"allow",`+
			`"event_type":"sealstream.config"}]}`, 422)
	if !strings.Contains(fmt.Sprint(m["detail"]), "entries[1]: event_type") {
		t.Errorf("%v", m)
	}
	if m := c.do("summary", "", 200); m["total_entries"] != 0.0 {
		t.Errorf("a batch that was refused has left %v", m)
	}
	var entries []string
	for i := range 300 {
		entries = append(entries, fmt.Sprintf(`{"agent_did":"d","action":"allow","resource":"/r/%d"}`, i))
	}
	if m := c.do("batch", `{"entries":[`+strings.Join(entries, ",")+`]}`, 200); m["logged"] != 300.0 {
		t.Errorf("%v", m["logged"])
	}
	m = c.do("query", `{"limit":1000}`, 200)
	if m["total"] != 300.0 || m["returned"] != 300.0 {
		t.Fatalf("%v of %v", m["returned"], m["total"])
	}
	for i, e := range entriesOf(m) {
		if e["resource"] != fmt.Sprintf("/r/%d", i) {
			t.Fatalf("entry %d is %v", i, e["resource"])
		}
	}
	// Case 25: the newest hundred if nothing is said, oldest first; total tells of the rest.
	m = c.do("query", `{"agent_did":"d"}`, 200)
	if list := entriesOf(m); m["total"] != 300.0 || len(list) != 100 || list[0]["resource"] != "/r/200" ||
		list[99]["resource"] != "/r/299" {
		t.Errorf("%v of %v", m["returned"], m["total"])
	}
}

// Cases 25 and 49: what is wrong is refused and named; "" is no filter for all, and 0 no limit for all.
func TestToolkitRefuses(t *testing.T) {
	c := newToolkit(t)
	c.do("log", `{"agent_did":"d","action":"allow","timestamp":"2026-05-22T01:02:03+00:00"}`, 200)
	for _, x := range []struct {
		path, body string
		status     int
		detail     string
	}{
		{"log", `{`, 400, "breaks off"}, {"log", `[]`, 422, "no object"}, {"log", `{"action":"allow"}`, 422, "agent_did is required"}, {"log", `{"agent_did":"d"}`, 422, "action is required"},
		{"log", `{"agent_did":"d","action":"allow","colour":"red"}`, 422, `"colour" is unknown`}, {"log", `{"agent_did":"d","action":7}`, 422, "no string"},
		{"log", `{"agent_did":"d","action":"allow","data":[]}`, 422, "data is no object"}, {"log", `{"agent_did":"d","action":"allow","action":"deny"}`, 400, "occurs twice"},
		{"log", `{"agent_did":"d","action":"allow","timestamp":"soon"}`, 422, "timestamp"}, {"batch", `[]`, 422, "entries"}, {"batch", `{"entries":{}}`, 422, "entries"},
		{"query", `{"limit":0}`, 422, "limit"}, {"query", `{"limit":-2}`, 422, "limit"}, {"query", `{"limit":1001}`, 422, "limit"}, {"query", `{"limit":1.5}`, 422, "limit"},
		{"query", `{"limit":"5"}`, 422, "limit"}, {"query", `{"agent_did":""}`, 422, "empty"}, {"query", `{"colour":"red"}`, 422, "unknown"}, {"query", `{"start_time":"yesterday"}`, 422, "start_time"},
		{"query", `[]`, 422, "object"},
	} {
		if m := c.do(x.path, x.body, x.status); !strings.Contains(fmt.Sprint(m["detail"]), x.detail) {
			t.Errorf("%s %s: %v, want %s", x.path, x.body, m["detail"], x.detail)
		}
	}
	for filter, want := range map[string]float64{
		`{"from":"2026-05-22T01:02:03Z"}`: 1, `{"start_time":"2026-05-22 01:02:03"}`: 1, `{"to":"2026-05-22T01:02:03+00:00","from":"2026-05-22T01:02:03Z"}`: 1, `{"end_time":"2026-05-22T01:02:02Z"}`: 0,
		`{"action":"allow","outcome":"success"}`: 1, `{"action":"deny"}`: 0, `{"agent_did":null,"limit":null}`: 1, `{"event_type":"sealstream.config"}`: 1,
	} {
		m := c.do("query", filter, 200)
		if m["total"] != want || float64(len(entriesOf(m))) != want {
			t.Errorf("%s: %v", filter, m)
		}
	}
	for path, method := range map[string]string{
		"log": http.MethodGet, "batch": http.MethodGet, "query": http.MethodGet,
	} {
		w := httptest.NewRecorder()
		c.h.ServeHTTP(w, httptest.NewRequest(method, "/api/v1/audit/"+path, nil))
		if w.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s %s: %d", method, path, w.Code)
		}
	}
	r := httptest.NewRequest(http.MethodPost, "/api/v1/audit/log",
		strings.NewReader(`{"agent_did":"d","action":"allow"}`))
	r.Header.Set("Content-Type", "text/plain") // what a page of another site may send
	w := httptest.NewRecorder()
	c.h.ServeHTTP(w, r)
	if w.Code != http.StatusUnsupportedMediaType {
		t.Errorf("text/plain: %d", w.Code)
	}
}

// Data is shown as far as JSON can say it, and never as an empty object.
func TestToolkitShowsData(t *testing.T) {
	c := newToolkit(t)
	for i, data := range []struct{ sent, shown string }{
		{`{"amount":5,"score":NaN}`, `{"amount":5,"score":"NaN"}`},
		{`{"a":[1,{"b":-Infinity,"c":[Infinity]}],"d":1e400,"e":"NaN"}`, `{"a":[1,{"b":"-Infinity","c":["Infinity"]}],"d":"1e400","e":"NaN"}`},
		{`{"a":"\ud800","b":1.5}`, `{"a":"\ud800","b":1.5}`},
		{`{"deep":` + strings.Repeat("[", 60) + strings.Repeat("]", 60) + `}`, `{"deep":` + strings.Repeat("[", 60) + strings.Repeat("]", 60) + `}`},
		{`{}`, `{}`},
	} {
		c.do("log",
			fmt.Sprintf(`{"agent_did":"did:mesh:%d","action":"allow","event_type":"tool_invocation","data":%s}`, i,
				data.sent), 200)
		e := entriesOf(c.do("query", fmt.Sprintf(`{"agent_did":"did:mesh:%d"}`, i), 200))[0]
		var want any
		if err := json.Unmarshal([]byte(data.shown), &want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(e["data"], want) {
			t.Errorf("%s is shown as %v", data.sent, e["data"])
		}
	}
	for i, x := range []struct{ kind, body, shown string }{
		{"application/json", `[1,2]`, `map[value:[1 2]]`}, {"application/json", `7`, `map[value:7]`}, {"text/plain", `some text`, `map[text:some text]`},
		{"application/octet-stream", "\xff\x00", `map[base64:/wA=]`},
	} {
		r := httptest.NewRequest(http.MethodPost, "/v1/events?wait=sealed", strings.NewReader(x.body))
		for name, value := range map[string]string{
			"Content-Type": x.kind, "ce-specversion": "1.0", "ce-id": fmt.Sprint("x", i),
			"ce-source": fmt.Sprint("did:x:", i), "ce-type": "t",
		} {
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		c.h.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		var list []map[string]any
		for range 1000 { // the index follows the seal
			if list = entriesOf(c.do("query", fmt.Sprintf(`{"agent_did":"did:x:%d"}`, i), 200)); len(list) > 0 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		if got := fmt.Sprint(list[0]["data"]); got != x.shown {
			t.Errorf("%s is shown as %s", x.body, got)
		}
	}
}

// A body that is compressed is refused as on /v1/events, on each route that reads one.
func TestToolkitCompressed(t *testing.T) {
	c := newToolkit(t)
	for _, path := range []string{"log", "batch", "query"} {
		for encoding, want := range map[string]int{"gzip": 415, "GZIP, identity": 415, "br": 415, "zstd": 415} {
			r := httptest.NewRequest(http.MethodPost, "/api/v1/audit/"+path, strings.NewReader("\x1f\x8b\x08\x00"))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Content-Encoding", encoding)
			w := httptest.NewRecorder()
			c.h.ServeHTTP(w, r)
			if w.Code != want || !strings.Contains(w.Body.String(), "decompressed") {
				t.Errorf("%s, %s: %d %s", path, encoding, w.Code, w.Body)
			}
		}
	}
	r := httptest.NewRequest(http.MethodPost, "/api/v1/audit/log",
		strings.NewReader(`{"agent_did":"d","action":"allow"}`))
	r.Header = http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"identity", ""}}
	w := httptest.NewRecorder()
	c.h.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Errorf("identity: %d %s", w.Code, w.Body)
	}
}

// A service that only writes, or only reads, has only these routes.
func TestToolkitRoutesApart(t *testing.T) {
	l, err := Embedded(t.Context(), EmbedConfig{Plugins: withPlugins})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var writing, reading []string
	for pattern := range agtapi.Writing("default", l.pipeline.ingest, nil) {
		writing = append(writing, pattern)
	}
	for pattern := range agtapi.Reading("default", l.pipeline.query, true) {
		reading = append(reading, pattern)
	}
	slices.Sort(writing)
	slices.Sort(reading)
	if !slices.Equal(writing, []string{"/api/v1/audit/batch", "/api/v1/audit/log"}) ||
		!slices.Equal(reading, []string{
			"/api/v1/audit/query", "GET /api/v1/audit/summary", "GET /api/v1/audit/verify",
		}) {
		t.Errorf("%v, %v", writing, reading)
	}
}

// Bodies are bounded, each and together.
func TestToolkitLimits(t *testing.T) {
	c := newToolkit(t)
	c.do("log", `{"agent_did":"d","action":"allow","data":{"x":"`+strings.Repeat("x", agtapi.MaxBody)+`"}}`, 413)
	c.do("log", `{"agent_did":"d","action":"allow","data":{"x":"`+strings.Repeat("x", 300<<10)+`"}}`, 422)
	agtapi.InFlight.Add(agtapi.MaxBodies)
	c.do("log", `{"agent_did":"d","action":"allow"}`, 503)
	agtapi.InFlight.Add(-agtapi.MaxBodies)
	c.do("log", `{"agent_did":"d","action":"allow"}`, 200)
}
