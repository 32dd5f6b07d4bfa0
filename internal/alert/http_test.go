package alert_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sealstream/sealstream/internal/alert"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

func (f *fixture) get(url string, v any) int {
	f.Helper()
	resp, err := http.Get(url)
	if err != nil {
		f.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		f.Fatalf("%s: %v", url, err)
	}
	return resp.StatusCode
}

// TestHTTP lists alerts page by page and by filters, and compares with the stream.
func TestHTTP(t *testing.T) {
	f := newFixture(t, store.NewMemory("default"))
	f.publish(2500)
	f.Seal()
	a := f.alerter(f.Store, alert.Config{Rules: rules, Lag: -1})
	f.Run("alerter", a.Run)
	f.Until("the end", func() bool { return a.Status().Next == 2501 })
	s := httptest.NewServer(a.Handler())
	defer s.Close()
	all := f.told()
	type page struct {
		Alerts []struct {
			Seq     uint64
			Subject string
			Event   struct{ ID, Type string }
		}
		Last uint64
	}
	from, to := all[400].Time, all[len(all)-300].Time
	for _, c := range []struct {
		query string
		takes func(alert.Alert) bool
	}{
		{"&from=" + from, func(a alert.Alert) bool { return a.Time >= from }},
		{"&to=" + to + "&rule=often", func(a alert.Alert) bool { return a.Time <= to && a.Rule == "often" }},
		{"&from=" + from + "&to=" + to, func(a alert.Alert) bool { return a.Time >= from && a.Time <= to }},
		{"", func(alert.Alert) bool { return true }},
		{"&type=policy_violation", func(a alert.Alert) bool { return a.Type == "policy_violation" }},
		{"&rule=crm-1&rule=often", func(a alert.Alert) bool { return a.Rule == "crm-1" || a.Rule == "often" }},
		{"&agent=did:web:agent-3&type=tool_invocation", func(a alert.Alert) bool { return a.Agent == "did:web:agent-3" && a.Type == "tool_invocation" }},
		{"&agent=nobody", func(alert.Alert) bool { return false }},
	} {
		var want, got []uint64
		for _, a := range all {
			if c.takes(a) {
				want = append(want, a.Seq)
			}
		}
		for after, n := uint64(0), 0; ; n++ {
			var p page
			if code := f.get(fmt.Sprintf("%s/v1/alerts?limit=97&after=%d%s", s.URL, after, c.query), &p); code != 200 {
				t.Fatal(code)
			}
			for _, x := range p.Alerts {
				got = append(got, x.Seq)
				if x.Event.ID != all[x.Seq-1].ID || x.Subject != all[x.Seq-1].Subject("default") {
					t.Fatalf("%+v", x)
				}
			}
			if after = p.Last; len(p.Alerts) < 97 {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q: %d alerts, want %d", c.query, len(got), len(want))
		}
		var newest page
		f.get(s.URL+"/v1/alerts?limit=150"+c.query, &newest)
		if n := min(150, len(want)); len(newest.Alerts) != n || n > 0 && newest.Alerts[n-1].Seq != want[len(want)-1] ||
			newest.Last != uint64(len(all)) {
			t.Fatalf("%q: the newest are %d, last %d", c.query, len(newest.Alerts), newest.Last)
		}
	}
	for query, want := range map[string]int{"limit=0": 400, "limit=1001": 400, "after=x": 400, "colour=red": 400,
		"from=x": 400, "from=" + all[1].Time + "&to=2001-01-01T00:00:00Z": 400, "from=2001-01-01T00:00:00Z": 200,
		"webhook=a": 400, "log=other": 404, "log=default": 200,
		"type=%zz": 400, "type=a;rule=b": 400, "type=": 400, "log=": 400, "limit=1&limit=2": 400, "after=1&after=2": 400, "log=default&log=other": 400, "type=a&type=b": 200} {
		var p map[string]any
		if code := f.get(s.URL+"/v1/alerts?"+query, &p); code != want || want != 200 && p["status"] != float64(want) {
			t.Errorf("%s: %d %v, want %d", query, code, p, want)
		}
	}
}

// TestStream: a client that is cut off again and again gets each alert once and in order, and
// EndStreams ends what is open.
func TestStream(t *testing.T) {
	f := newFixture(t, store.NewMemory("default"))
	a := f.alerter(f.Store, alert.Config{Lag: -1})
	f.Run("alerter", a.Run)
	s := httptest.NewServer(a.Handler())
	defer s.Close()
	var publishing sync.WaitGroup
	publishing.Go(func() { // beside the reader
		for range 10 {
			body := fmt.Appendf(nil,
				`[{"specversion":"1.0","id":"x%d","source":"did:web:a","type":"ai.agentmesh.tool.blocked"}]`, f.n)
			f.Store.Events.Append(f.Context(), entry.Message{Subject: "audit.default.events.open", Data: body}, nil)
			f.n++
			f.Seal()
		}
	})
	var got []string
	last := "0"
	for round := 0; len(got) < 10; round++ {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/v1/alerts/stream?type=tool_blocked",
			nil)
		req.Header.Set("Last-Event-ID", last)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(resp.Body)
		for n := 0; n < 3 && len(got) < 10 && lines.Scan(); {
			if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
				last = id
				got = append(got, id)
				n++
			}
		}
		resp.Body.Close()
	}
	publishing.Wait() // the last alert can be there before its sealer has stopped
	for i, id := range got {
		if id != fmt.Sprint(i+1) {
			t.Fatalf("%v", got)
		}
	}
	resp, err := http.Get(s.URL + "/v1/alerts/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	a.EndStreams()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); { // until the server ends it
	}
	if again, err := http.Get(s.URL + "/v1/alerts/stream"); err != nil ||
		again.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%v, %v", again, err)
	}
}

// TestCrowd: streams are bounded, one that ends makes room, and the head of one is an answer.
func TestCrowd(t *testing.T) {
	f := newFixture(t, store.NewMemory("default"))
	a := f.alerter(f.Store, alert.Config{Lag: -1})
	f.Run("alerter", a.Run)
	s := httptest.NewServer(a.Handler())
	defer s.Close()
	alert.Crowd(a)
	if resp, err := http.Head(s.URL + "/v1/alerts/stream"); err != nil || resp.StatusCode != http.StatusOK ||
		resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatal(resp, err)
	}
	f.Until("the head to be answered", func() bool { return alert.Streams(a) == alert.MaxStreams-1 })
	first, err := http.Get(s.URL + "/v1/alerts/stream?after=0")
	if err != nil || first.StatusCode != http.StatusOK {
		t.Fatal(first, err)
	}
	var p map[string]any
	if code := f.get(s.URL+"/v1/alerts/stream", &p); code != http.StatusServiceUnavailable {
		t.Fatal(code, p)
	}
	first.Body.Close()
	f.Until("the stream to end", func() bool { return alert.Streams(a) == alert.MaxStreams-1 })
}
