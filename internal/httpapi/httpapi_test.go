package httpapi_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/internal/sse"
	"github.com/sealstream/sealstream/pkg/api"
)

func TestProblem(t *testing.T) {
	for _, c := range []struct {
		err  error
		want api.Problem
		wait string
	}{
		{errors.New("no room"), api.Problem{Type: "about:blank", Title: "Service Unavailable", Status: 503, Detail: "no room"}, ""},
		{fmt.Errorf("submit: %w", api.Problem{Type: api.ProblemType + "busy", Status: 429, Field: "x", RetryAfter: 5}),
			api.Problem{Type: api.ProblemType + "busy", Title: "Too Many Requests", Status: 429, Field: "x"}, "5"},
	} {
		rec := httptest.NewRecorder()
		httpapi.Fail(rec, 503, c.err)
		var got api.Problem
		if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		h := rec.Header()
		if fmt.Sprint(got) != fmt.Sprint(c.want) || rec.Code != c.want.Status || h.Get("Retry-After") != c.wait ||
			h.Get("Content-Type") != "application/problem+json" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%v: %d %v %s", c.err, rec.Code, h, rec.Body)
		}
	}
}

func TestParams(t *testing.T) {
	read := func(query string) (string, error) {
		p := httpapi.ParseQuery(query)
		all := p.All("a")
		one, _ := p.One("b")
		flag, n, limit := p.Flag("c"), p.Number("n"), p.Limit("limit", 100, 1000)
		text := fmt.Sprintf("%v %q %v %d", all, one, flag, limit)
		if n != nil {
			text += fmt.Sprint(" ", *n)
		}
		return text, p.End()
	}
	if got, err := read("a=1&a=2&b=x&c=1&n=18446744073709551615&limit=7"); err != nil ||
		got != `[1 2] "x" true 7 18446744073709551615` {
		t.Errorf("%s %v", got, err)
	}
	if got, err := read(""); err != nil || got != `[] "" false 100` {
		t.Errorf("%s %v", got, err)
	}
	for query, want := range map[string]string{
		"b=": "b: empty", "b=1&b=2": "b: given more than once", "c=yes": "c: must be 0 or 1", "n=-1": "n: ", "n=007": "n: ", "n=1e3": "n: ",
		"n=18446744073709551616": "n: ", "limit=0": "limit: must be from 1 to 1000", "limit=1001": "limit: ", "agnet=x": `agnet: unknown parameter "agnet"`,
		"%zz": "malformed", "a;b": "malformed",
	} {
		if _, err := read(query); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", query, err, want)
		}
	}
}

// TestFilter: a filter comes out of its own parameters, and its normal form is the same however it was written.
func TestFilter(t *testing.T) {
	f := api.Filter{
		Agent: []string{
			"did:b", "did:a", "did:b",
		}, Type: []string{"t"}, Action: []string{"deny"}, Outcome: []string{"denied"}, Resource: []string{`/a/*`, `b\*`},
		Target: []string{"did:c"}, Rule: []string{"r&=1"}, Trace: []string{"1"}, Session: []string{"2"},
		From: "2026-01-01T01:00:00+01:00", To: "2026-01-02T00:00:00.50Z", Time: api.Received,
	}
	p := httpapi.ParseQuery(f.Values().Encode())
	got := p.Filter()
	if err := p.End(); err != nil || !reflect.DeepEqual(got, f) {
		t.Fatalf("%+v %v", got, err)
	}
	normal, err := got.Normal()
	if err != nil || fmt.Sprint(normal.Agent) != "[did:a did:b]" || normal.From != "2026-01-01T00:00:00Z" ||
		fmt.Sprint(f.Agent) != "[did:b did:a did:b]" {
		t.Fatalf("%+v %v", normal, err)
	}
	if again, err := normal.Normal(); err != nil || !reflect.DeepEqual(again, normal) {
		t.Errorf("%+v %v", again, err)
	}
	if all := (api.Filter{}).Values(); len(all) != 0 {
		t.Errorf("the filter of all entries has parameters: %v", all)
	}
	for param, wrong := range map[string]api.Filter{
		"agent": {Agent: []string{""}}, "from": {From: "yesterday"}, "to": {To: "2026-01-01"}, "time": {Time: "sealed"}, "": {Type: manyTypes()},
	} {
		_, err := wrong.Normal()
		if e, ok := errors.AsType[*api.ParamError](err); !ok || e.Param != param {
			t.Errorf("%+v: %v, want %q", wrong, err, param)
		}
	}
}

func manyTypes() (list []string) {
	for i := range 257 {
		list = append(list, fmt.Sprint(i))
	}
	return list
}

// TestStream sends events through a server and reads them back.
func TestStream(t *testing.T) {
	want := []sse.Event{
		{ID: "1", Data: []byte("one")}, {Name: "problem", Data: []byte(`{"a":1}`)}, {ID: "2", Name: "x", Data: []byte("a\n\nb")}, {ID: "3", Data: []byte{}},
		{ID: "4", Data: []byte(strings.Repeat("long", 40<<10))},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := httpapi.NewStream(w, time.Minute)
		defer s.Close()
		var events [][]byte
		for _, e := range want {
			events = append(events, httpapi.AppendEvent(nil, e.ID, e.Name, e.Data))
		}
		if err := errors.Join(s.Retry(), s.Send(events[:2]), s.Idle(), s.Send(events[2:])); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	resp, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var got []sse.Event
	for e, err := range sse.Events(bytes.NewReader(raw)) {
		if err != nil {
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Error(err)
			}
			break
		}
		e.Data = slices.Clone(e.Data)
		got = append(got, e)
	}
	if lines := bytes.Count(raw, []byte("\n")); fmt.Sprint(got) != fmt.Sprint(want) || lines < 15 {
		t.Errorf("%d lines, %.300v", lines, got)
	}
}

// TestLineBreaks: a line break in data must not end an event, not even the CR that some readers take for one.
func TestLineBreaks(t *testing.T) {
	if got := string(httpapi.AppendEvent(nil, "1", "", []byte("{\r\n}"))); got != "id: 1\ndata: {\ndata: \ndata: "+
		"}\n\n" {
		t.Errorf("%q", got)
	}
}

// TestStalled: a reader that takes nothing breaks its stream, and holds up nobody for longer.
func TestStalled(t *testing.T) {
	stalled := make(chan bool, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := httpapi.NewStream(w, 20*time.Millisecond)
		defer s.Close()
		event := httpapi.AppendEvent(nil, "1", "", []byte(strings.Repeat("x", 1<<20)))
		for s.Send([][]byte{event}) == nil {
		}
		stalled <- s.Stalled() && s.Broken()
	}))
	defer server.Close()
	resp, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if !<-stalled {
		t.Error("the stream does not say that its reader has stalled")
	}
}

// TestExposed: which hosts a request may name.
func TestExposed(t *testing.T) {
	for _, c := range []struct {
		host            string
		local, exposure int
	}{
		{"localhost:1", 200, 200}, {"127.0.0.1", 200, 200}, {"[::1]:8420", 200, 200}, {"query-1:8420", 421, 200}, {"172.18.0.4:8420", 421, 200},
		{"evil.example:8420", 421, 421}, {"", 421, 200},
	} {
		for exposed, want := range map[bool]int{false: c.local, true: c.exposure} {
			w := httptest.NewRecorder()
			r := httptest.NewRequest("GET", "/", nil)
			r.Host = c.host
			httpapi.LocalOnly(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), exposed).ServeHTTP(w, r)
			if w.Code != want {
				t.Errorf("host %q, exposed %v: status %d, want %d", c.host, exposed, w.Code, want)
			}
		}
	}
}
