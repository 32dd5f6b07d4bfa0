package alert_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/alert"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// callerWith is a caller with some rights.
func callerWith(t testing.TB, g access.Grants) access.Caller {
	t.Helper()
	v, err := access.Compile(access.Rules{Identities: []access.Identity{{
		ID: "caller", Tokens: []access.TokenHash{{Name: "t"}}, Grants: g,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := v.Judge(access.Credential{Kind: access.Token}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestScopedAlerts: a reader of some agents gets the alerts about these alone, without what counts
// the entries of others, and without hashes that help to guess. Who reads everything gets all.
func TestScopedAlerts(t *testing.T) {
	f := newFixture(t, store.NewMemory("default"))
	f.publish(600)
	f.Append("audit.default.events.open", []byte(`{"specversion":"1.0"}`)) // becomes a rejected entry
	f.Seal()
	every := append(slices.Clone(rules),
		alert.Rule{Name: "hot", Match: []alert.Condition{{Field: "resource", Prefixes: []string{"/crm/"}}},
			Rate: &alert.Rate{Count: 9, Window: time.Hour, Per: "resource"}},
		alert.Rule{Name: "own", Match: []alert.Condition{
			{Field: "event_type", Values: []string{entry.TypeRejected, entry.TypeConfig}},
		}},
	)
	a := f.alerter(f.Store, alert.Config{Rules: every, Lag: -1, Scoped: true})
	f.Run("alerter", a.Run)
	f.Until("the end", func() bool { return a.Status().Next == 602 })
	all := f.told()
	if ofRule(all, "hot") < 5 || ofRule(all, "own") != 2 || ofRule(all, "often") < 5 {
		t.Fatalf("%d alerts: %d of the rule hot, %d own", len(all), ofRule(all, "hot"), ofRule(all, "own"))
	}
	for _, c := range []struct {
		name   string
		grants access.Grants
		sees   func(x *alert.Alert) bool
		hashes bool
	}{
		{"all", access.Grants{ReadAll: true}, func(*alert.Alert) bool { return true }, true},
		{"nothing", access.Grants{Alerts: true}, func(*alert.Alert) bool { return false }, false},
		{"one", access.Grants{Read: access.Agents{"did:web:agent-3"}}, func(x *alert.Alert) bool {
			return x.Agent == "did:web:agent-3" && x.Rule != "hot" || x.Index == 0
		}, false},
		{"every agent", access.Grants{Read: access.Agents{"*"}, Proof: true, OldHashes: true}, func(x *alert.Alert) bool {
			return x.Rule != "hot" && (x.Rule != "own" || x.Index == 0)
		}, true},
	} {
		caller := callerWith(t, c.grants)
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a.Handler().ServeHTTP(w, r.WithContext(access.With(r.Context(), caller)))
		}))
		var want []uint64
		for i := range all {
			if c.sees(&all[i]) {
				want = append(want, all[i].Seq)
			}
		}
		var page struct {
			Alerts []struct {
				Seq   uint64
				Event json.RawMessage
			}
		}
		if code := f.get(s.URL+"/v1/alerts?limit=1000&after=0", &page); code != 200 {
			t.Fatal(code)
		}
		var got []uint64
		for _, x := range page.Alerts {
			got = append(got, x.Seq)
			if has := anyHash.Match(x.Event); has != c.hashes {
				t.Fatalf("%s: hashes %t: %s", c.name, has, x.Event)
			}
			if !c.hashes && !strings.Contains(string(x.Event), `"entry":{"`) {
				t.Fatalf("%s: an alert without its entry: %s", c.name, x.Event)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%s: alerts %v, want %v", c.name, got, want)
		}
		f.streamed(s, c.name, want)
		s.Close()
	}
}

var anyHash = regexp.MustCompile(`"(entry_hash|previous_hash|sealhash)":"[0-9a-f]{64}"`)

func ofRule(list []alert.Alert, rule string) (n int) {
	for i := range list {
		if list[i].Rule == rule {
			n++
		}
	}
	return n
}

// streamed reads the alerts of some sequences from a stream.
func (f *fixture) streamed(s *httptest.Server, name string, want []uint64) {
	f.Helper()
	if len(want) == 0 {
		return
	}
	resp, err := http.Get(s.URL + "/v1/alerts/stream?after=0")
	if err != nil {
		f.Fatal(err)
	}
	defer resp.Body.Close()
	defer s.CloseClientConnections()
	ids, text := []string{}, ""
	for len(ids) < len(want) {
		b := make([]byte, 64<<10)
		n, err := resp.Body.Read(b)
		text += string(b[:n])
		if err == io.EOF || err != nil {
			f.Fatalf("%s: the stream ends after %d of %d alerts: %v", name, len(ids), len(want), err)
		}
		ids = ids[:0]
		for line := range strings.Lines(text) {
			if id, ok := strings.CutPrefix(line, "id: "); ok && strings.HasSuffix(id, "\n") {
				ids = append(ids, strings.TrimSpace(id))
			}
		}
	}
	for i, seq := range want {
		if ids[i] != fmt.Sprint(seq) {
			f.Fatalf("%s: the stream sends alert %s, want %d", name, ids[i], seq)
		}
	}
}
