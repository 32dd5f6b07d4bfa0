package query_test

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sealstream/sealstream/internal/eventgen"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
)

// fields are the parameters, and the members that they filter.
var fields = map[string]func(e *entry.Entry) string{
	"agent":    func(e *entry.Entry) string { return e.AgentDID },
	"type":     func(e *entry.Entry) string { return e.EventType },
	"action":   func(e *entry.Entry) string { return e.Action },
	"outcome":  func(e *entry.Entry) string { return e.Outcome },
	"resource": func(e *entry.Entry) string { return e.Resource },
	"target":   func(e *entry.Entry) string { return e.TargetDID },
	"rule":     func(e *entry.Entry) string { return e.MatchedRule },
	"trace":    func(e *entry.Entry) string { return e.TraceID },
	"session":  func(e *entry.Entry) string { return e.SessionID },
}

// matches is the naive filter: it looks at one entry at a time.
func matches(e *entry.Entry, values url.Values) bool {
	for name, of := range fields {
		if want := values[name]; len(want) > 0 && !slices.ContainsFunc(want, func(v string) bool {
			if name != "resource" || !strings.HasSuffix(v, "*") {
				return v == of(e)
			}
			if strings.HasSuffix(v, `\*`) {
				return strings.TrimSuffix(v, `\*`)+"*" == of(e)
			}
			return of(e) != "" && strings.HasPrefix(of(e), strings.TrimSuffix(v, "*"))
		}) {
			return false
		}
	}
	at := e.Timestamp
	if values.Get("time") == "received" {
		at = e.ReceivedAt
	}
	if v := values.Get("from"); v != "" && instant(at).Cmp(instant(v)) < 0 {
		return false
	}
	if v := values.Get("to"); v != "" && instant(at).Cmp(instant(v)) > 0 {
		return false
	}
	return true
}

// instant is a time as an exact number of seconds.
func instant(s string) *big.Rat {
	base, fraction := s[:19], strings.TrimLeft(s[19:], ".")
	digits := fraction[:len(fraction)-len(strings.TrimLeft(fraction, "0123456789"))]
	zone := strings.TrimPrefix(fraction, digits)
	t, err := time.Parse(time.RFC3339, base+zone)
	if err != nil {
		panic(err)
	}
	r := new(big.Rat).SetInt64(t.Unix())
	if digits != "" {
		f, _ := new(big.Rat).SetString("0." + digits)
		r.Add(r, f)
	}
	return r
}

func naive(all []entry.Entry, values url.Values) []uint64 {
	list := []uint64{}
	for i := range all {
		if matches(&all[i], values) {
			list = append(list, all[i].Index)
		}
	}
	return list
}

// check compares what the API gives for a filter, in both orders, with the naive scan.
func (f *fixture) check(all []entry.Entry, values url.Values, limit int) (matched int) {
	f.Helper()
	want := naive(all, values)
	values.Set("order", "asc")
	if got := slices.Concat(f.pages(values, limit)...); !slices.Equal(got, want) {
		f.Fatalf("%v ascending by %d:\n got %v\nwant %v", values, limit, got, want)
	}
	values.Set("order", "desc")
	got := f.pages(values, limit)
	slices.Reverse(got)
	if got := slices.Concat(got...); !slices.Equal(got, want) {
		f.Fatalf("%v descending by %d:\n got %v\nwant %v", values, limit, got, want)
	}
	values.Del("order")
	return len(want)
}

// TestFilters compares every filter with a naive scan: each value of each field, and random combinations.
func TestFilters(t *testing.T) {
	defer query.Parts(512)()
	f := newFixture(t)
	events := append(tau(t, 713), generated(rand.New(rand.NewPCG(1, 2)), 687)...)
	events = append(events, eventsOf(1, 600)...)
	rand.New(rand.NewPCG(3, 4)).Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	f.publishAll(events, 37)
	all := f.scan()
	if len(all) != 2001 {
		t.Fatalf("%d entries", len(all))
	}
	r := rand.New(rand.NewPCG(5, 6))
	for name, of := range fields {
		values := map[string]bool{}
		for i := range all {
			values[of(&all[i])] = true
		}
		delete(values, "")
		list := slices.Sorted(mapKeys(values))
		if len(list) < 4 {
			t.Fatalf("%s: only %d values", name, len(list))
		}
		for _, v := range list[:min(len(list), 12)] {
			if n := f.check(all, url.Values{name: {v}}, 1000); n == 0 || n == len(all) {
				t.Fatalf("%s=%s matches %d of %d", name, v, n, len(all))
			}
		}
		f.check(all, url.Values{name: {list[0], list[2], list[3], list[0]}}, 50)
		f.check(all, url.Values{name: {"no such value"}}, 10)
		f.check(all, url.Values{name: {"no such value", list[1]}}, 10)
	}
	for v, most := range map[string]int{`/crm/\*`: 600, "/crm/*": 1000, "/*": 1900, "*": 2001, `\*`: 1} {
		if n := f.check(all, url.Values{"resource": {v}}, 500); n >= most || n == 0 && most > 1 {
			t.Fatalf("resource=%s matches %d of %d", v, n, len(all))
		}
	}
	f.refused(400, "GET", "/v1/entries?time=sealed&from=2024-01-01T00:00:00Z")
	some, combinations := 0, 150
	if testing.Short() {
		combinations = 50
	}
	for range combinations {
		values := combination(r, all)
		if n := f.check(all, values, 1+r.IntN(300)); n > 0 && n < len(all) {
			some++
		}
	}
	if some < combinations/2 {
		t.Fatalf("only %d of %d combinations match some and not all", some, combinations)
	}
	f.check(all, url.Values{}, 333)
}

// combination takes one to four conditions from an entry of the log, so that it matches at least
// that one, most of the time.
func combination(r *rand.Rand, all []entry.Entry) url.Values {
	values := url.Values{}
	e := &all[r.IntN(len(all))]
	names := slices.Sorted(mapKeys(fields))
	for range 1 + r.IntN(3) {
		name := names[r.IntN(len(names))]
		if v := fields[name](e); v != "" {
			values[name] = []string{v}
		}
		for range r.IntN(3) {
			if v := fields[name](&all[r.IntN(len(all))]); v != "" {
				values[name] = append(values[name], v)
			}
		}
	}
	if r.IntN(4) == 0 && e.Resource != "" {
		at := 1 + r.IntN(len(e.Resource))
		for !utf8.RuneStart((e.Resource + " ")[at]) {
			at--
		}
		values["resource"] = append(values["resource"], e.Resource[:at]+"*")
	}
	if r.IntN(2) == 0 {
		from, to := e.Timestamp, all[r.IntN(len(all))].Timestamp
		if r.IntN(3) == 0 {
			from, to = e.ReceivedAt, all[r.IntN(len(all))].ReceivedAt
			values.Set("time", "received")
		}
		if instant(from).Cmp(instant(to)) > 0 {
			from, to = to, from
		}
		if r.IntN(3) > 0 {
			values.Set("from", from)
		}
		if r.IntN(3) > 0 {
			values.Set("to", to)
		}
	}
	return values
}

// eventsOf is events with hostile strings, times of any precision and binary data.
func eventsOf(seed uint64, n int) [][]byte {
	g, list := eventgen.New(seed, eventgen.Options{}), make([][]byte, n)
	for i := range list {
		ev := g.Event()
		list[i] = ev.AppendJSON(nil)
	}
	return list
}

// generated is events of all types, actions and outcomes, with traces over several agents and
// values that URLs must escape.
func generated(r *rand.Rand, n int) [][]byte {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	list := make([][]byte, n)
	for i := range list {
		m := map[string]any{
			"source": pick("did:web:a.example.com", "did:web:b.example.com", "did:key:z6Mk/x y&z=%2F?#+", "urn:äöü:😀"),
			"type": pick("ai.agentmesh.tool.invoked", "ai.agentmesh.tool.blocked", "ai.agentmesh.policy.violation", "ai.agentmesh.rogue_detection",
				"com.example.other"),
			"time": time.Unix(1700000000+int64(r.IntN(500)), int64(r.IntN(3))*1000).UTC().Format(time.RFC3339Nano),
			"data": map[string]any{"n": i, "text": pick("a\nb", "\"quoted\"", "ü\u2028")},
		}
		for _, a := range []struct {
			name    string
			choices []string
		}{
			{"subject", []string{"/crm/1", "/crm/2", "/crm/*", "../x"}}, {"action", ruleset.Actions}, {"outcome", ruleset.Outcomes},
			{"matchedrule", []string{"r1", "r2", "r3", "r 4"}}, {"targetdid", []string{"did:web:b.example.com", "did:web:c.example.com", "d", "e"}},
			{"traceid", []string{"t1", "t2", "t3", "t4", "t5", "t6"}}, {"sessionid", []string{"s1", "s2", "s3", "s4"}},
		} {
			if r.IntN(4) > 0 {
				m[a.name] = pick(a.choices...)
			}
		}
		list[i] = event(fmt.Sprintf("generated-%d", i), m)
	}
	return list
}

func mapKeys[K comparable, V any](m map[K]V) func(yield func(K) bool) {
	return func(yield func(K) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// TestTimeRange filters times that no integer of nanoseconds holds: more than nine digits, years
// long ago and far ahead.
func TestTimeRange(t *testing.T) {
	f := newFixture(t)
	times := []string{"0001-01-01T00:00:00Z", "0000-01-01T00:00:00.5Z", "1677-09-21T00:12:43.1Z",
		"1969-12-31T23:59:59.999999999Z", "1970-01-01T00:00:00Z",
		"2024-05-15T20:00:00Z", "2024-05-15T20:00:00.0Z", "2024-05-15T20:00:00.000000000000Z", "2024-05-15T20:00:00.0000000001Z",
		"2024-05-15T20:00:00.00000000010Z", "2024-05-15T20:00:00.0000000002Z", "2024-05-15T20:00:00.000000001Z", "2024-05-15T22:00:00+02:00",
		"2262-04-11T23:47:16.854775807Z", "2262-04-11T23:47:16.8547758071Z", "2263-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z",
		"9999-12-31T23:59:59.9999999999Z"}
	for i, at := range slices.Repeat(times, 5) { // the first ones in a part that is full
		f.publish(event(fmt.Sprint("time-", i), map[string]any{"time": at}))
	}
	f.await()
	logtest.Until(f, "a part is written", func() bool { return f.q.Status().Segments > 0 })
	all := f.scan()
	some := 0
	for _, from := range append(times, "") {
		for _, to := range append(times, "") {
			values := url.Values{}
			if from != "" {
				values.Set("from", from)
			}
			if to != "" {
				values.Set("to", to)
			}
			if from != "" && to != "" && instant(from).Cmp(instant(to)) > 0 {
				f.refused(400, "GET", "/v1/entries?"+values.Encode())
			} else if n := f.check(all, values, 50); n > 0 && n < len(all) {
				some++
			}
		}
	}
	if some < 100 {
		t.Fatalf("only %d ranges match some and not all", some)
	}
}

// TestPagesWhileGrowing walks pages of every small size while entries are added between them.
func TestPagesWhileGrowing(t *testing.T) {
	f := newFixture(t)
	r := rand.New(rand.NewPCG(7, 8))
	events := generated(r, 600)
	f.publishAll(events[:90], 7)
	events = events[90:]
	grow := func() {
		if r.IntN(3) == 0 {
			f.publish(events[0], events[1])
			events = events[2:]
			f.await()
		}
	}
	for limit := 1; limit <= 7; limit++ {
		for _, order := range []string{"asc", "desc"} {
			values := url.Values{
				"limit": {fmt.Sprint(limit)}, "order": {order}, "action": {"allow", "deny", "audit"},
				"outcome": {"success", "failure"},
			}
			start, got := f.scan(), []uint64{}
			for {
				var p page
				f.get("/v1/entries?"+values.Encode(), &p)
				list := p.indexes(f)
				if !slices.IsSorted(list) {
					t.Fatalf("a page is not in the order of the log: %v", list)
				}
				if got = append(got, list...); order == "desc" {
					got = append(list, got[:len(got)-len(list)]...)
				}
				if p.NextCursor == nil {
					break
				}
				values.Set("cursor", *p.NextCursor)
				grow()
			}
			want := naive(start, values)
			if order == "asc" { // what was added meanwhile is seen at the end
				want = naive(f.scan(), values)
			}
			if !slices.Equal(got, want) || len(want) < 8 {
				t.Fatalf("%s by %d:\n got %v\nwant %v", order, limit, got, want)
			}
		}
	}
}
