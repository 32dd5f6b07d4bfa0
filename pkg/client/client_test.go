package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/draft"
	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/client"
	"github.com/sealstream/sealstream/pkg/entry"
)

// TestLog logs one of every kind and looks at what the log made of it.
func TestLog(t *testing.T) {
	w := memory(t)
	c := w.client()
	when := time.Date(2026, 11, 23, 12, 0, 0, 120, time.FixedZone("", 3600))
	cases := []struct {
		event client.Event
		opts  []client.LogOption
		holds func(e entry.Entry) bool
	}{
		{client.Event{Type: "tool_invocation", Data: map[string]any{"a": 1}}, nil, func(e entry.Entry) bool {
			return e.EventType == "tool_invocation" && e.CloudEventType == "ai.agentmesh.tool.invoked" &&
				e.DataHash != nil && e.Timestamp != e.ReceivedAt
		}},
		{client.Event{ID: "mine", Type: "com.example.x", Data: json.RawMessage(`{"n": 12345678901234567890}`)}, nil, func(e entry.Entry) bool {
			return e.EntryID == "mine" && e.EventType == "com.example.x" && e.Timestamp == e.ReceivedAt &&
				e.DataHash != nil
		}},
		{client.Event{ID: "timed", Type: "x", Time: when}, nil, func(e entry.Entry) bool {
			return e.Timestamp == "2026-11-23T11:00:00.00000012Z" && e.CloudEventType == "ai.agentmesh.x" &&
				e.DataHash == nil
		}},
		{client.Event{Type: "x", Data: []byte{0, 255}}, nil, func(e entry.Entry) bool {
			return e.Extensions["datacontenttype"] == "application/octet-stream" && e.DataHash != nil
		}},
		{client.Event{Type: "x", Data: "a\x00b\n", DataContentType: "text/plain"}, nil, func(e entry.Entry) bool { return e.DataHash != nil }},
		{client.Event{Type: "x", Data: "text as JSON"}, nil, func(e entry.Entry) bool { return e.DataHash != nil && e.Extensions["datacontenttype"] == "" }},
		{client.Event{Type: "x", Data: []byte(` [1] `), DataContentType: "application/vnd.x+json"}, nil, func(e entry.Entry) bool { return e.DataHash != nil }},
		{client.Event{Agent: "did:web:other", Type: "agent_invocation", Action: "allow", Resource: `r"\é`, Target: "did:web:t", Outcome: "success",
			PolicyDecision: "d", MatchedRule: "m", Extensions: map[string]string{"custom": "1"}},
			[]client.LogOption{client.Trace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), client.Session("s-1")},
			func(e entry.Entry) bool {
				return e.AgentDID == "did:web:other" && e.Action == "allow" && e.Resource == `r"\é` &&
					e.TargetDID == "did:web:t" && e.Outcome == "success" && e.PolicyDecision == "d" &&
					e.MatchedRule == "m" && e.Extensions["custom"] == "1" &&
					e.TraceID == "0af7651916cd43dd8448eb211c80319c" && e.SessionID == "s-1"
			}},
		{client.Event{Type: "x", Trace: "own", Session: "own"}, []client.LogOption{client.Trace("t"), client.Session("s")},
			func(e entry.Entry) bool { return e.TraceID == "own" && e.SessionID == "own" }},
	}
	for i, k := range cases {
		r, err := c.Log(bounded(t), k.event, append(k.opts, client.WaitSealed)...)
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		list := w.entries()
		w.proven(r, list)
		if e := list[r.Index]; r.Status != client.Sealed || !r.KeyPinned || !k.holds(e) || r.InputSeq != e.InputSeq {
			t.Errorf("%d: receipt %+v for %s", i, r, e.Leaf)
		}
	}
	r, err := c.Log(bounded(t), client.Event{Type: "x"})
	if err != nil || r.Status != client.Stored || r.Proof != nil || r.Index != 0 || r.Durability != "fsync" ||
		r.InputSeq == 0 {
		t.Errorf("stored: %+v %v", r, err)
	}
}

// TestSameAgain: what is logged again under its own id is a repeat, from any client; other content
// is told.
func TestSameAgain(t *testing.T) {
	w := memory(t)
	same := client.Event{ID: "same", Type: "x", Data: map[string]int{"n": 1}}
	first, err := w.client().Log(bounded(t), same, client.WaitSealed)
	if err != nil || first.Status != client.Sealed {
		t.Fatalf("%+v %v", first, err)
	}
	second, err := w.client().Log(bounded(t), same, client.WaitSealed)
	if err != nil || second.Status != client.Duplicate || second.Index != first.Index ||
		second.EntryHash != first.EntryHash {
		t.Errorf("%+v %v", second, err)
	}
	w.proven(second, w.entries())
	same.Data = 2
	third, err := w.client().Log(bounded(t), same, client.WaitSealed)
	if err != nil || third.Status != client.Sealed || third.EquivocationOf != first.Index {
		t.Errorf("%+v %v", third, err)
	}
	w.proven(third, w.entries())
}

func TestRejected(t *testing.T) {
	w := memory(t)
	c := w.client()
	for field, event := range map[string]client.Event{
		"type":    {},
		"action":  {Type: "x", Action: "permit"},
		"outcome": {Type: "x", Outcome: "ok"},
		"data":    {Type: "x", Data: strings.Repeat("x", ruleset.MaxDataBytes)},
		"subject": {Type: "x", Resource: "a\x00b"},
		"Upper":   {Type: "x", Extensions: map[string]string{"Upper": "x"}},
	} {
		r, err := c.Log(bounded(t), event, client.WaitSealed)
		if rejected, ok := errors.AsType[*client.RejectedError](err); !ok || rejected.Field != field ||
			rejected.Reason == "" || r.Status != client.Rejected {
			t.Errorf("%s: %+v %v", field, r, err)
		}
	}
	for name, event := range map[string]client.Event{"unmarshallable": {Type: "x", Data: func() {}}, "not a number": {
		Type: "x", Data: math.NaN(),
	},
		"reserved": {Type: "sealstream.config"}, "text": {Type: "x", Data: 1, DataContentType: "text/plain"}} {
		if _, err := c.Log(bounded(t), event); !isRejected(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if w.posts.Load() != 0 {
		t.Error("what is refused here was sent")
	}
	// And where only the server knows.
	w.rewrite("/v1/events", func(body string) string {
		return `{"receipts":[{"status":"rejected","error":{"field":"source","reason":"is not yours"}}]}`
	})
	r, err := c.Log(bounded(t), client.Event{Type: "x"}, client.WaitSealed)
	if rejected, ok := errors.AsType[*client.RejectedError](err); !ok || rejected.Field != "source" ||
		r.Status != client.Rejected {
		t.Errorf("%+v %v", r, err)
	}
}

func isRejected(err error) bool { _, ok := errors.AsType[*client.RejectedError](err); return ok }

func TestLogBatch(t *testing.T) {
	w := memory(t)
	c := w.client()
	var events []client.Event
	for i := range 600 {
		e := client.Event{ID: fmt.Sprint(i), Type: "x", Data: i}
		if i%100 == 7 {
			e.Outcome = "ok"
		}
		events = append(events, e)
	}
	receipts, err := c.LogBatch(bounded(t), events, client.WaitSealed)
	if rejected, ok := errors.AsType[*client.RejectedError](err); !ok || rejected.EntryID != "7" ||
		strings.Count(err.Error(), "outcome") != 6 {
		t.Errorf("%v", err)
	}
	list := w.entries()
	last := uint64(0)
	for i, r := range receipts {
		if r.EntryID != fmt.Sprint(i) {
			t.Fatalf("receipt %d is of %q", i, r.EntryID)
		}
		if i%100 == 7 {
			if r.Status != client.Rejected || r.Error == nil || r.Error.Field != "outcome" {
				t.Errorf("%+v", r)
			}
			continue
		}
		if w.proven(r, list); r.Index <= last {
			t.Errorf("index %d after %d: not in order", r.Index, last)
		}
		last = r.Index
	}
	if len(list) != 1+594 || w.posts.Load() > 3 {
		t.Errorf("%d entries in %d requests", len(list), w.posts.Load())
	}
	again, err := c.LogBatch(bounded(t), events[:7], client.WaitSealed)
	for i, r := range again {
		if err != nil || r.Status != client.Duplicate || r.Index != receipts[i].Index {
			t.Errorf("%+v %v", r, err)
		}
	}
	if r, err := c.LogBatch(bounded(t), nil); err != nil || len(r) != 0 {
		t.Errorf("%v %v", r, err)
	}
}

// TestGrouping: what many goroutines log at once goes in few requests, each goroutine's events in
// its order.
func TestGrouping(t *testing.T) {
	w := memory(t)
	w.lie(func(a http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			time.Sleep(2 * time.Millisecond) // an fsync
		}
		w.back.ServeHTTP(a, r)
	})
	c := w.client()
	const loggers, each = 200, 5
	parallel(loggers, func(g int) {
		for n := range each {
			r, err := c.Log(bounded(t), client.Event{ID: fmt.Sprintf("%d-%d", g, n), Type: "x"})
			if err != nil || r.Status != client.Stored {
				t.Errorf("%+v %v", r, err)
			}
		}
	})
	next := map[string]int{}
	for _, e := range w.entries()[1:] {
		g, n, _ := strings.Cut(e.EntryID, "-")
		if n != fmt.Sprint(next[g]) {
			t.Fatalf("event %s after %d others", e.EntryID, next[g])
		}
		next[g]++
	}
	if len(next) != loggers {
		t.Errorf("%d loggers", len(next))
	}
	if posts := w.posts.Load(); posts > loggers*each/4 {
		t.Errorf("%d requests for %d events", posts, loggers*each)
	}
}

// cut is a transport that loses requests, answers, and halves of answers.
type cut struct {
	next  http.RoundTripper
	count atomic.Int64
}

func (c *cut) RoundTrip(r *http.Request) (*http.Response, error) {
	switch c.count.Add(1) % 5 {
	case 1:
		return nil, errors.New("connection refused")
	case 2:
		rec := httptest.NewRecorder()
		rec.WriteHeader(http.StatusServiceUnavailable)
		return rec.Result(), nil
	case 3: // the server has done it
		resp, err := c.next.RoundTrip(r)
		if err == nil {
			resp.Body.Close()
		}
		return nil, errors.New("connection reset")
	}
	return c.next.RoundTrip(r)
}

// TestRetries: whatever is lost on the way, each event is in the log once, and its receipt is true.
func TestRetries(t *testing.T) {
	w := memory(t)
	c := w.client(func(cfg *client.Config) {
		cfg.HTTP = &http.Client{Transport: &cut{next: http.DefaultTransport}}
	})
	var receipts [30]client.Receipt
	parallel(len(receipts), func(i int) {
		wait := client.WaitSealed
		if i%3 == 0 {
			wait = client.WaitStored
		}
		r, err := c.Log(bounded(t), client.Event{Type: "x", Resource: fmt.Sprint(i), Data: i}, wait)
		if err != nil {
			t.Errorf("%d: %v", i, err)
		}
		receipts[i] = r
	})
	batch := make([]client.Event, 20)
	for i := range batch {
		batch[i] = client.Event{Type: "x", Resource: fmt.Sprint(100 + i), Data: i}
	}
	more, err := c.LogBatch(bounded(t), batch, client.WaitSealed)
	if err != nil {
		t.Fatal(err)
	}
	list := w.entries()
	seen := map[string]uint64{}
	for _, e := range list[1:] {
		if !e.IsEvent() {
			continue
		}
		if _, twice := seen[e.Resource]; twice || e.IsOwn() {
			t.Errorf("twice in the log: %s", e.Leaf)
		}
		seen[e.Resource] = e.Index
	}
	if len(seen) != len(receipts)+len(batch) {
		t.Errorf("%d events in the log", len(seen))
	}
	for i, r := range append(receipts[:], more...) {
		if i < len(receipts) && i%3 == 0 {
			continue
		}
		w.proven(r, list)
	}
}

// TestGiveUp: without an end of the trouble, the context's is the end, and the cause is told.
func TestGiveUp(t *testing.T) {
	w := memory(t)
	w.lie(func(a http.ResponseWriter, r *http.Request) {
		a.Header().Set("Content-Type", "application/problem+json")
		a.Header().Set("Retry-After", "0")
		a.WriteHeader(http.StatusInsufficientStorage)
		fmt.Fprint(a, `{"title":"Insufficient Storage","status":507,"detail":"the log's input is full"}`)
	})
	c := w.client()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Log(ctx, client.Event{Type: "x"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Log: %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 2*time.Second) // in which at least one answer comes
	defer cancel()
	if _, err := c.Log(ctx, client.Event{Type: "x"}); !errors.Is(err, context.DeadlineExceeded) ||
		!strings.Contains(err.Error(), "input is full") {
		t.Errorf("Log: %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := c.LogBatch(ctx, []client.Event{{Type: "x"}}); !errors.Is(err, context.DeadlineExceeded) ||
		!strings.Contains(err.Error(), "input is full") {
		t.Errorf("LogBatch: %v", err)
	}
	for status, kind := range map[int]string{
		400: "bad-request", 404: "not-found", 415: "unsupported-media-type", 501: "not-witnessed",
	} {
		w.lie(func(a http.ResponseWriter, r *http.Request) {
			a.Header().Set("Content-Type", "application/problem+json")
			a.WriteHeader(status)
			fmt.Fprintf(a, `{"type":"urn:sealstream:problem:%s","title":"no","status":%d}`, kind, status)
		})
		if _, err := c.Log(bounded(t), client.Event{Type: "x"}); !errors.Is(err, client.ErrRefused) {
			t.Errorf("status %d: %v", status, err)
		}
	}
	w.lie(nil)
	if r, err := c.Log(bounded(t), client.Event{Type: "x"}, client.WaitSealed); err != nil ||
		r.Status != client.Sealed {
		t.Errorf("after: %+v %v", r, err)
	}
}

// TestForeignAnswers: what is not the log's word about events is tried again, whatever its status.
// What is too large for a proxy goes in smaller requests.
func TestForeignAnswers(t *testing.T) {
	w := memory(t)
	c := w.client()
	page := func(status int, kind, body string) func(http.ResponseWriter) {
		return func(a http.ResponseWriter) {
			a.Header().Set("Content-Type", kind)
			a.Header().Set("Location", w.server.URL+"/login")
			a.WriteHeader(status)
			fmt.Fprint(a, body)
		}
	}
	problem := func(status int, kind string) func(http.ResponseWriter) {
		return page(status, "application/problem+json",
			fmt.Sprintf(`{"type":%q,"title":"no","status":%d}`, kind, status))
	}
	html := "<html>The plain HTTP request was sent to HTTPS port</html>"
	for i, foreign := range []func(http.ResponseWriter){
		page(400, "text/html", html), page(401, "text/html", html), page(403, "text/html", html), page(404, "text/html", html),
		page(405, "text/plain", ""), page(411, "text/html", html), page(413, "text/html", html), page(422, "application/json", `{"detail":"no"}`),
		page(501, "text/html", html), page(302, "text/html", ""), page(307, "text/html", ""), page(200, "text/html", "<html>Please log in</html>"),
		page(200, "application/json", `{"ok":true}`), page(204, "text/plain", ""), problem(400, "about:blank"), problem(400, "https://gateway.example/limits"),
		problem(400, "urn:sealstream:problem:cut-off"),
	} {
		var tries atomic.Int64
		w.lie(func(a http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost && tries.Add(1) <= 2 {
				foreign(a)
				return
			}
			w.back.ServeHTTP(a, r)
		})
		if r, err := c.Log(bounded(t), client.Event{Type: "x", Data: i}); err != nil || r.Status != client.Stored ||
			tries.Load() != 3 {
			t.Errorf("answer %d: %+v %v after %d tries", i, r, err, tries.Load())
		}
	}
	w.lie(func(a http.ResponseWriter, r *http.Request) { // a proxy that takes small requests alone
		if r.ContentLength > 3000 {
			page(413, "text/html", html)(a)
			return
		}
		w.back.ServeHTTP(a, r)
	})
	events := make([]client.Event, 40)
	for i := range events {
		events[i] = client.Event{Type: "x", Data: strings.Repeat("x", 300)}
	}
	receipts, err := c.LogBatch(bounded(t), events)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range receipts {
		if r.Status != client.Stored {
			t.Errorf("receipt %d: %+v", i, r)
		}
	}
}

// TestNotSealedInTime: a server that answers stored where sealed was asked for is asked on until
// the entry is there.
func TestNotSealedInTime(t *testing.T) {
	w := memory(t)
	w.rewrite("/v1/events", func(body string) string {
		var got struct{ Receipts []map[string]any }
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Error(err)
		}
		for _, r := range got.Receipts {
			r["status"], r["wait"] = "stored", "timeout"
			delete(r, "index")
			delete(r, "entry_hash")
		}
		b, _ := json.Marshal(map[string]any{"receipts": got.Receipts})
		return string(b)
	})
	c := w.client()
	for i, e := range []client.Event{
		{ID: "1", Type: "x", Data: 1}, {ID: "1", Type: "x", Data: 1}, {ID: "1", Type: "x", Data: 2},
		{ID: "1", Type: "x", Data: 3}, {Type: "x"},
	} {
		r, err := c.Log(bounded(t), e, client.WaitSealed)
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		w.proven(r, w.entries())
		if (r.Status == client.Duplicate) != (i == 1) || (r.EquivocationOf != 0) != (i == 2 || i == 3) {
			t.Errorf("%d: %+v", i, r)
		}
	}
}

// TestLies: a server that shows anything but the truth is found out.
func TestLies(t *testing.T) {
	w := memory(t)
	w.older() // TestLyingReceipts is of proofs that come with the receipts
	honest := w.client()
	other, err := honest.Log(bounded(t), client.Event{ID: "other", Type: "x", Data: 1}, client.WaitSealed)
	if err != nil {
		t.Fatal(err)
	}
	foreign := memory(t) // another log, under another key
	for range 3 {
		if _, err := foreign.client().Log(bounded(t), client.Event{ID: "other", Type: "x", Data: 1},
			client.WaitSealed); err != nil {
			t.Fatal(err)
		}
	}
	otherProof, _ := json.Marshal(other.Proof)
	for name, c := range map[string]struct {
		part   string
		change func(string) string
		want   error
	}{
		"another event's proof": {"/proof", func(string) string { return string(otherProof) }, client.ErrProof},
		"another event's index": {"/v1/events", func(b string) string {
			return strings.Replace(b, `"index":`, `"index":`+fmt.Sprint(other.Index)+`,"x":`, 1)
		}, client.ErrProof},
		"index 0":       {"/v1/events", func(b string) string { return strings.Replace(b, `"index":`, `"x":`, 1) }, client.ErrProof},
		"another leaf":  {"/proof", func(b string) string { return strings.Replace(b, `\"success\"`, `\"failure\"`, 1) }, client.ErrProof},
		"another entry": {"/proof", func(b string) string { return strings.Replace(b, `"outcome":"success"`, `"outcome":"failure"`, 1) }, client.ErrProof},
		"another root":  {"/proof", func(b string) string { return strings.Replace(b, `"merkle_root":"`, `"merkle_root":"00`, 1) }, client.ErrProof},
		"another path":  {"/proof", func(b string) string { return strings.ReplaceAll(b, `"left"`, `"right"`) }, client.ErrProof},
		"a cut proof":   {"/proof", func(b string) string { return b[:len(b)/2] }, client.ErrProof},
		"no proof":      {"/proof", func(string) string { return `{}` }, client.ErrProof},
		"another signature": {"/proof", func(b string) string {
			return strings.Replace(b, `test.example.com/default/`, `test.example.com/default/0`, 2)
		}, client.ErrProof},
		"a foreign log":       {"/proof", func(string) string { return foreign.get("/v1/entries/2/proof") }, client.ErrProof},
		"a receipt of others": {"/v1/events", func(b string) string { return strings.Replace(b, `"entry_id":"`, `"entry_id":"x`, 1) }, nil},
		"two receipts":        {"/v1/events", func(b string) string { return strings.Replace(b, `[`, `[{"status":"stored"},`, 1) }, nil},
		"an odd status":       {"/v1/events", func(b string) string { return strings.Replace(b, `"status":"sealed"`, `"status":"fine"`, 1) }, nil},
	} {
		w.rewrite(c.part, c.change)
		r, err := w.client().Log(bounded(t), client.Event{Type: "x", Outcome: "success", Data: name}, client.WaitSealed)
		if err == nil || c.want != nil && !errors.Is(err, c.want) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %+v %v", name, r, err)
		}
		if r.Proof != nil || r.EntryHash != "" && r.Checkpoint != "" {
			t.Errorf("%s: a receipt that claims a proof: %+v", name, r)
		}
	}
	// The log's own salt is the server's word, but a wrong one opens nothing.
	w.rewrite("/v1/entries/", func(b string) string {
		return strings.Replace(b, `"salt":"`, `"salt":"`+strings.Repeat("0", 64)+`","x":"`, 1)
	})
	if r, err := w.client().Log(bounded(t), client.Event{ID: "salted", Type: "x", Data: 1},
		client.WaitSealed); !errors.Is(err, client.ErrProof) {
		t.Errorf("salt: %+v %v", r, err)
	}
	w.lie(nil)
	if r, err := honest.Log(bounded(t), client.Event{Type: "x"}, client.WaitSealed); err != nil ||
		r.Status != client.Sealed {
		t.Errorf("the honest server: %+v %v", r, err)
	}
}

// get asks past the front.
func (w *world) get(path string) string {
	rec := httptest.NewRecorder()
	for range 1000 {
		rec = httptest.NewRecorder()
		if w.back.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil)); rec.Code == http.StatusOK {
			break
		}
		time.Sleep(time.Millisecond)
	}
	return rec.Body.String()
}

// TestFork: a second log under the same key, and one that was rolled back, are told from the one
// seen before, by this client and, through its state, by the next.
func TestFork(t *testing.T) {
	signer := logtest.Signer(t, logtest.Name)
	a, b := start(t, store.NewMemory("default"), signer), start(t, store.NewMemory("default"), signer)
	state := filepath.Join(t.TempDir(), "state")
	withState := func(cfg *client.Config) { cfg.State = state }
	c := a.client(withState)
	for i := range 5 {
		if _, err := c.Log(bounded(t), client.Event{Type: "x", Data: i}, client.WaitSealed); err != nil {
			t.Fatal(err)
		}
	}
	toB := func(w http.ResponseWriter, r *http.Request) { b.back.ServeHTTP(w, r) }
	a.lie(toB)
	client.SetRollBackAfter(c, 20*time.Millisecond)
	if r, err := c.Log(bounded(t), client.Event{Type: "x"}, client.WaitSealed); !errors.Is(err, client.ErrFork) {
		t.Errorf("a shorter log: %+v %v", r, err)
	}
	for i := range 10 {
		if _, err := b.client().Log(bounded(t), client.Event{Type: "x", Data: i}, client.WaitSealed); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := c.Log(bounded(t), client.Event{Type: "x"}, client.WaitSealed); !errors.Is(err, client.ErrFork) {
		t.Errorf("a longer log: %+v %v", r, err)
	}
	next := a.client(withState)
	if r, err := next.Log(bounded(t), client.Event{Type: "x"}, client.WaitSealed); !errors.Is(err, client.ErrFork) {
		t.Errorf("after a start: %+v %v", r, err)
	}
	if r, err := a.client().Log(bounded(t), client.Event{Type: "x"}, client.WaitSealed); err != nil {
		t.Errorf("who has seen nothing cannot know: %+v %v", r, err)
	}
	a.lie(nil)
	if r, err := c.Log(bounded(t), client.Event{Type: "x"}, client.WaitSealed); err != nil ||
		r.Status != client.Sealed {
		t.Errorf("the log seen first: %+v %v", r, err)
	}
	if _, err := client.New(client.Config{
		Key: logtest.Signer(t, logtest.Name).VerifierKey(), State: state,
	}); !errors.Is(err, client.ErrFork) {
		t.Errorf("the state of another log: %v", err)
	}
}

// TestFirstUse: without a key, that of the first use is kept, and every receipt says that nobody
// vouched for it.
func TestFirstUse(t *testing.T) {
	w, foreign := memory(t), memory(t)
	state := filepath.Join(t.TempDir(), "state")
	unpinned := func(cfg *client.Config) { cfg.Key, cfg.State = "", state }
	r, err := w.client(unpinned).Log(bounded(t), client.Event{Type: "x"}, client.WaitSealed)
	if err != nil || r.KeyPinned || r.Proof == nil {
		t.Fatalf("%+v %v", r, err)
	}
	w.lie(func(a http.ResponseWriter, r *http.Request) { foreign.back.ServeHTTP(a, r) })
	if r, err := w.client(unpinned).Log(bounded(t), client.Event{Type: "x"}, client.WaitSealed); !errors.Is(err,
		client.ErrProof) {
		t.Errorf("another key later: %+v %v", r, err)
	}
}

func TestClose(t *testing.T) {
	w := memory(t)
	arrived := make(chan struct{}, 10)
	hold := func(release chan struct{}) func(http.ResponseWriter, *http.Request) {
		return func(a http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				arrived <- struct{}{}
				var body [1]byte
				r.Body.Read(body[:0]) // so that the server notices when the client goes
				select {
				case <-release:
				case <-r.Context().Done():
					return
				}
			}
			w.back.ServeHTTP(a, r)
		}
	}
	logging := func() (*client.Client, chan error) {
		c, err := client.New(client.Config{Server: w.server.URL, Key: w.key, Agent: "a"})
		if err != nil {
			t.Fatal(err)
		}
		logged := make(chan error, 1)
		go func() { _, err := c.Log(bounded(t), client.Event{Type: "x"}, client.WaitSealed); logged <- err }()
		<-arrived
		return c, logged
	}

	release := make(chan struct{})
	w.lie(hold(release))
	c, logged := logging()
	closed := make(chan error, 1)
	go func() { closed <- c.Close(bounded(t)) }()
	select {
	case err := <-closed:
		t.Errorf("closed before the call was over: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	close(release)
	if err := <-logged; err != nil {
		t.Error(err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if _, err := c.Log(bounded(t), client.Event{Type: "x"}); !errors.Is(err, client.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}

	// A call that does not end is cut off.
	release = make(chan struct{})
	defer close(release)
	w.lie(hold(release))
	c, logged = logging()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := c.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close: %v", err)
	}
	if err := <-logged; !errors.Is(err, client.ErrClosed) {
		t.Errorf("the call: %v", err)
	}
}

// TestLeave: a caller that leaves takes nobody with it, and a group that all have left is given up.
func TestLeave(t *testing.T) {
	w := memory(t)
	gone := make(chan struct{}, 10)
	arrived := make(chan struct{}, 10)
	w.lie(func(a http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		var body [1 << 10]byte
		r.Body.Read(body[:])
		<-r.Context().Done()
		gone <- struct{}{}
	})
	c := w.client()
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() { _, err := c.Log(ctx, client.Event{Type: "x"}); left <- err }()
	<-arrived
	second, drop := context.WithCancel(t.Context())
	defer drop()
	waiting := make(chan error, 1)
	go func() { _, err := c.Log(second, client.Event{Type: "y"}); waiting <- err }()
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	<-gone // the first group's request
	w.lie(nil)
	select {
	case err := <-waiting:
		if err != nil {
			t.Error(err)
		}
	case <-arrived: // it was under way before the server became honest
		drop()
		<-waiting
	}
}

func TestConfig(t *testing.T) {
	for name, cfg := range map[string]client.Config{
		"server": {Server: "127.0.0.1:8420"}, "ingest": {Ingest: "ftp://x"}, "log": {Log: "No"}, "key": {Key: "x"}, "state": {State: "/"},
	} {
		if c, err := client.New(cfg); err == nil {
			c.Close(t.Context())
			t.Errorf("%s: taken", name)
		}
	}
}

// TestOlderRules: a log of older sealing rules takes a trace id of zeros for one; the client, which
// does not, knows its event all the same.
func TestOlderRules(t *testing.T) {
	const zero = "00000000000000000000000000000000"
	for rules, want := range map[uint64]string{ruleset.First: zero, ruleset.Newest: ""} {
		log, signer := store.NewMemory("default"), logtest.Signer(t, logtest.Name)
		info, err := log.Events.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		config := entry.Config{Origin: signer.Origin(), Keys: signer.VerifierKeys(),
			EventsCreated: canonical.FormatReceived(info.Created), EventsOpen: true, Epoch: 1,
			Rules: rules, SecretFingerprint: draft.SecretFingerprint(logtest.Secret), Limits: entry.DefaultLimits()}
		first := entry.Message{
			Subject: "audit.default.control",
			Data:    inbox.FormatControl("c", signer.Origin(), entry.TypeConfig, config.AppendJSON(nil)),
		}
		if _, err := log.Events.Append(t.Context(), first, nil); err != nil {
			t.Fatal(err)
		}
		w := start(t, log, signer)
		event := client.Event{
			Type: "x", Extensions: map[string]string{"traceparent": "00-" + zero + "-0000000000000001-01"},
		}
		r, err := w.client().Log(bounded(t), event, client.WaitSealed)
		if err != nil || w.entries()[r.Index].TraceID != want {
			t.Errorf("rules %d: %+v, %v", rules, r, err)
		}
	}
}
