package query_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"testing"

	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// fixture is a log in memory with its sealer, and a query service over it with its HTTP server.
type fixture struct {
	*testing.T
	log    *store.Log
	signer *proof.Signer
	key    string
	secret []byte
	q      *query.Query
	server *httptest.Server
	size   uint64 // entries that there must be

	stopLast func() // ends the newest query service
}

// newFixture creates a log and starts everything.
func newFixture(t *testing.T) *fixture {
	t.Helper()
	l := logtest.Memory(t)
	l.Run("sealer", l.Sealer().Run)
	f := &fixture{T: t, log: l.Store, signer: l.Config.Signer, key: l.Key, secret: logtest.Secret, size: 1}
	f.serve(query.Config{Log: f.log, Keys: []string{f.key}, Durability: "test"})
	return f
}

// serve starts a query service in place of the one before.
func (f *fixture) serve(cfg query.Config) {
	f.Helper()
	q, err := query.New(cfg)
	if err != nil {
		f.Fatal(err)
	}
	f.q, f.server = q, httptest.NewServer(q.Handler())
	f.Cleanup(f.server.Close)
	f.stopLast = logtest.Run(f, "query", q.Run)
}

// publish appends one EVENTS message of events in the JSON format, and counts on that many entries.
func (f *fixture) publish(events ...[]byte) {
	f.Helper()
	body := append(append([]byte("["), bytes.Join(events, []byte(","))...), ']')
	if _, err := f.log.Events.Append(f.Context(), entry.Message{Subject: "audit.default.events.open", Data: body},
		nil); err != nil {
		f.Fatal(err)
	}
	f.size += uint64(len(events))
}

// await waits until all that was published is indexed.
func (f *fixture) await() {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), logtest.Bound)
	defer cancel()
	if err := f.q.Await(ctx, f.size); err != nil {
		f.Fatalf("waiting for %d entries, have %d: %v", f.size, f.q.Status().Size, err)
	}
	if got := f.q.Status().Size; got != f.size {
		f.Fatalf("%d entries indexed, published %d", got, f.size)
	}
}

// scan reads the whole log past the index.
func (f *fixture) scan() []entry.Entry {
	f.Helper()
	var list []entry.Entry
	for s, err := range (store.Follower{Log: f.log, Keys: []string{f.key}, Stop: true}).Batches(f.Context()) {
		if err != nil {
			f.Fatal(err)
		}
		list = append(list, s.Entries...)
	}
	return list
}

// tau is the events of a real agent: testdata/README.md.
func tau(t testing.TB, n int) [][]byte {
	t.Helper()
	file, err := os.Open("../demo/tau-airline.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var list [][]byte
	s := bufio.NewScanner(file)
	s.Buffer(nil, 1<<20)
	for len(list) < n {
		if !s.Scan() {
			t.Fatalf("%d lines, want %d: %v", len(list), n, s.Err())
		}
		list = append(list, bytes.Clone(s.Bytes()))
	}
	return list
}

// publishAll publishes events a few at a time, so that there are many batches.
func (f *fixture) publishAll(events [][]byte, each int) {
	f.Helper()
	for len(events) > 0 {
		n := min(each, len(events))
		f.publish(events[:n]...)
		events = events[n:]
	}
	f.await()
}

// event is an event in the JSON format; members are added or, if nil, taken out.
func event(id string, members map[string]any) []byte {
	e := map[string]any{
		"specversion": "1.0", "id": id, "source": "did:web:a.example.com", "type": "ai.agentmesh.tool.invoked",
	}
	for name, v := range members {
		if e[name] = v; v == nil {
			delete(e, name)
		}
	}
	b, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	return b
}

// answer is a response, read whole.
type answer struct {
	*http.Response
	body []byte
	err  error // of reading the body
}

func (f *fixture) do(method, path string, header ...string) answer {
	f.Helper()
	req, err := http.NewRequestWithContext(f.Context(), method, f.server.URL+path, nil)
	if err != nil {
		f.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	res, err := f.server.Client().Do(req)
	if err != nil {
		f.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return answer{res, body, err}
}

// get reads a path that must be there, as JSON into v.
func (f *fixture) get(path string, v any) answer {
	f.Helper()
	a := f.do("GET", path)
	if a.StatusCode != http.StatusOK || a.err != nil {
		f.Fatalf("GET %s: %s %v\n%s", path, a.Status, a.err, a.body)
	}
	if err := json.Unmarshal(a.body, v); err != nil {
		f.Fatalf("GET %s: %v\n%s", path, err, a.body)
	}
	return a
}

// page is the answer of /v1/entries.
type page struct {
	Entries    []json.RawMessage `json:"entries"`
	NextCursor *string           `json:"next_cursor"`
	TreeSize   uint64            `json:"tree_size"`
}

func (p page) indexes(t testing.TB) []uint64 {
	t.Helper()
	list := []uint64{}
	for _, raw := range p.Entries {
		var e struct{ Index *uint64 }
		if err := json.Unmarshal(raw, &e); err != nil || e.Index == nil {
			t.Fatalf("entry without index: %v %s", err, raw)
		}
		list = append(list, *e.Index)
	}
	return list
}

// problem is an error answer.
type problem struct {
	Type, Title, Detail, Parameter string
	Status                         int
	Index                          *uint64
	Candidates                     []api.Candidate
}

// refused reads a path that must give an error of a status.
func (f *fixture) refused(status int, method, path string) problem {
	f.Helper()
	a := f.do(method, path)
	var p problem
	if a.StatusCode != status || a.Header.Get("Content-Type") != "application/problem+json" {
		f.Fatalf("%s %s: %s %s, want %d\n%s", method, path, a.Status, a.Header.Get("Content-Type"), status, a.body)
	}
	if err := json.Unmarshal(a.body, &p); err != nil {
		f.Fatalf("%s %s: %v\n%s", method, path, err, a.body)
	}
	if p.Status != status || p.Type == "" || p.Title != http.StatusText(status) || p.Detail == "" {
		f.Fatalf("%s %s: not a whole problem: %s", method, path, a.body)
	}
	return p
}

// pages follows cursors to the end and returns all indexes in the order in which the pages came.
func (f *fixture) pages(values url.Values, limit int) (pages [][]uint64) {
	f.Helper()
	values.Set("limit", fmt.Sprint(limit))
	defer values.Del("cursor")
	for {
		var p page
		f.get("/v1/entries?"+values.Encode(), &p)
		if pages = append(pages, p.indexes(f)); p.NextCursor == nil {
			return pages
		}
		if len(p.Entries) != limit {
			f.Fatalf("%v: a page with a cursor has %d entries of %d", values, len(p.Entries), limit)
		}
		values.Set("cursor", *p.NextCursor)
	}
}
