package query_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/pkg/entry"
)

var t0 = time.Unix(1_700_000_000, 0)

// reader is a scoped reader of a test.
type reader struct {
	name     string
	patterns []string
	caller   access.Caller
	seen     []entry.Entry   // what it sees of the first log
	sees     map[uint64]bool // their indexes
	first    uint64          // the first index that it does not see
}

// readers are some scoped readers of a log.
func (s *scoped) readers(g access.Grants) (list []reader) {
	s.Helper()
	for name, patterns := range map[string][]string{
		"one agent": {"did:web:a.example"}, "a prefix": {"did:web:team*"}, "a longer prefix": {"did:web:team/*"},
		"both": {"did:web:b.example", "urn:äöü:*"}, "all light ones": lightAgents, "nobody": {"did:web:nobody"}, "nothing": nil,
	} {
		g := g
		if g.Read = patterns; patterns == nil {
			g.Proof = true
		}
		list = append(list, s.reader(name, g))
	}
	slices.SortFunc(list, func(a, b reader) int { return strings.Compare(a.name, b.name) })
	return list
}

func (s *scoped) reader(name string, g access.Grants) reader {
	s.Helper()
	who := reader{name: name, patterns: g.Read, caller: callerWith(s, g), sees: map[uint64]bool{}}
	for i := range s.all {
		if visible(&s.all[i], g.Read) {
			who.seen, who.sees[uint64(i)] = append(who.seen, s.all[i]), true
		}
	}
	for who.sees[who.first] {
		who.first++
	}
	return who
}

// TestScopedReaders asks two logs that differ only in what no scoped reader sees. It compares each
// answer with a model and with that of the other log, which must be the same byte for byte: neither
// content nor counts, errors, cursors or status tell a withheld entry from another one, or from
// none.
func TestScopedReaders(t *testing.T) {
	defer query.Parts(128)()
	requests := 10_000
	if testing.Short() {
		requests = 1500
	}
	r := rand.New(rand.NewPCG(17, 1))
	one, two := twins(r, 1200)
	signer := logtest.Signer(t, logtest.Name)
	a, b := newScoped(t, signer, one), newScoped(t, signer, two)
	logtest.Until(t, "parts are written", func() bool {
		return a.q.Status().Segments > 5 && b.q.Status().Segments > 5
	})
	if len(a.all) != len(b.all) {
		t.Fatalf("%d and %d entries", len(a.all), len(b.all))
	}
	list := a.readers(access.Grants{Export: true})
	statuses, some := map[int]int{}, 0
	for i := range requests {
		who := list[r.IntN(len(list))]
		path := a.request(r, who, i)
		got, other := a.as(who.caller, path), b.as(who.caller, path)
		x, y := a.plain(path, got.Body.String()), b.plain(path, other.Body.String())
		if got.Code != other.Code || x != y {
			t.Fatalf("%s: GET %s: %d and %d:\n%s", who.name, path, got.Code, other.Code, difference(x, y))
		}
		statuses[got.Code]++
		some += a.compare(who, path, got.Code, got.Body.Bytes())
	}
	t.Logf("%d requests; statuses %v; %d entries shown", requests, statuses, some)
	if statuses[200] < requests/3 || statuses[404] < requests/20 || statuses[403] == 0 || some < requests {
		t.Fatalf("statuses %v, %d entries shown: the test asks too little", statuses, some)
	}
	for status := range statuses {
		if status >= 500 {
			t.Fatalf("statuses %v", statuses)
		}
	}
}

// request makes a path that asks for entries of any kind.
func (s *scoped) request(r *rand.Rand, who reader, i int) string {
	e := &s.all[r.IntN(len(s.all))]
	index := r.Uint64N(uint64(len(s.all)) + 5)
	switch r.IntN(16) {
	case 0:
		return fmt.Sprintf("/v1/entries/%d%s", index, pick(r, "", "?raw=1"))
	case 1:
		return fmt.Sprintf("/v1/entries/%d/proof%s", index, pick(r, "", "?raw=1", fmt.Sprint("?size=", r.IntN(len(s.all)+3))))
	case 2:
		_, id := e.Claim()
		return "/v1/entries/id/" + url.PathEscape(pick(r, id, e.EntryID, "no-such-id", fmt.Sprint("id-", r.IntN(60)))) +
			pick(r, "", "/proof") + pick(r, "", "?agent="+url.QueryEscape(pick(r, anyAgents...)))
	case 3:
		return "/v1/traces/" + fmt.Sprint("t", r.IntN(42))
	case 4:
		return "/v1/sessions/" + fmt.Sprint("s", r.IntN(22))
	case 5:
		return "/v1/counts?top=20&" + s.filter(r).Encode() + pick(r, "", fmt.Sprint("&size=", r.IntN(len(s.all)+3)))
	case 6:
		return fmt.Sprintf("/v1/consistency?from=%d&to=%d", r.IntN(len(s.all)), r.IntN(len(s.all)+2))
	case 7:
		return pick(r, "/tile/0/000", "/tile/0/001", "/tile/1/000.p/4", "/tile/entries/000", "/logs/default/tile/0/002",
			"/v1/verify", "/v1/stats", "/")
	case 8:
		return "/v1/agents/" + url.PathEscape(pick(r, anyAgents...)) + "/entries?limit=5"
	case 9:
		return "/v1/types/" + url.PathEscape(e.EventType) + "/entries?limit=5"
	case 10:
		if i%4 == 0 {
			v := s.filter(r)
			v.Set("format", pick(r, "csv", "json", "jsonl", "cloudevents", "cloudevents-jsonl"))
			return "/v1/export?" + v.Encode()
		}
	}
	v := s.filter(r)
	v.Set("limit", fmt.Sprint(1+r.IntN(6)))
	v.Set("order", pick(r, "asc", "desc"))
	switch r.IntN(6) {
	case 0:
		if v.Get("order") == "asc" {
			v.Set("from_index", fmt.Sprint(index))
		} else {
			v.Set("before_index", fmt.Sprint(1+index))
		}
	case 1:
		v.Set("raw", "1")
	case 2:
		v.Set("proof", "1")
	case 3, 4: // a page after a few others
		for range 1 + r.IntN(3) {
			var p page
			if w := s.as(who.caller, "/v1/entries?"+v.Encode()); w.Code != 200 || json.Unmarshal(w.Body.Bytes(), &p) != nil ||
				p.NextCursor == nil {
				break
			}
			v.Set("cursor", *p.NextCursor)
		}
	}
	return "/v1/entries?" + v.Encode()
}

func pick(r *rand.Rand, list ...string) string { return list[r.IntN(len(list))] }

// filter makes a filter from values that visible and withheld entries have, and others.
func (s *scoped) filter(r *rand.Rand) url.Values {
	values := url.Values{}
	names := slices.Sorted(mapKeys(fields))
	for range r.IntN(3) {
		name := pick(r, names...)
		for range 1 + r.IntN(3) {
			if v := fields[name](&s.all[r.IntN(len(s.all))]); v != "" {
				values.Add(name, v)
			}
		}
	}
	if r.IntN(4) == 0 {
		values.Set("resource", pick(r, "/crm/*", "*", "/x"))
	}
	if r.IntN(5) == 0 {
		values.Set("from", fmt.Sprintf("2023-11-%02dT00:00:00Z", 1+r.IntN(28)))
	}
	return values
}

// compare compares an answer with the model, and returns how many entries it shows.
func (s *scoped) compare(who reader, path string, code int, body []byte) int {
	s.Helper()
	u, err := url.Parse(path)
	if err != nil {
		s.Fatal(err)
	}
	if code != http.StatusOK {
		return 0
	}
	shown := indexesIn(body)
	for _, x := range shown {
		if !who.sees[x] {
			s.Fatalf("%s: GET %s shows entry %d, which is withheld:\n%s", who.name, path, x, body)
		}
	}
	for _, h := range anyHash.FindAllString(string(body), -1) {
		if x, there := s.hashes[h]; there && x >= who.first {
			s.Fatalf("%s: GET %s shows the hash of entry %d, after the withheld %d:\n%s", who.name, path, x, who.first, body)
		}
	}
	v := u.Query()
	switch {
	case u.Path == "/v1/counts":
		var c struct {
			Matches uint64
			Size    uint64         `json:"tree_size"`
			Types   map[string]int `json:"event_types"`
		}
		if err := json.Unmarshal(body, &c); err != nil {
			s.Fatal(err)
		}
		want, sum := naive(who.seen, v), 0
		want = slices.DeleteFunc(want, func(x uint64) bool { return x >= c.Size })
		for _, n := range c.Types {
			sum += n
		}
		if int(c.Matches) != len(want) || sum != len(want) {
			s.Fatalf("%s: GET %s counts %d and by type %d, want %d", who.name, path, c.Matches, sum, len(want))
		}
	case u.Path == "/v1/entries" && v.Get("cursor") == "":
		want := naive(who.seen, v)
		limit := 0
		fmt.Sscan(v.Get("limit"), &limit)
		want = slices.DeleteFunc(want, func(x uint64) bool {
			from, before := uint64(0), uint64(len(s.all))
			fmt.Sscan(v.Get("from_index"), &from)
			fmt.Sscan(v.Get("before_index"), &before)
			return x < from || x >= before
		})
		more := len(want) > limit
		if more && v.Get("order") == "asc" {
			want = want[:limit]
		} else if more {
			want = want[len(want)-limit:]
		}
		if !slices.Equal(shown, want) || more != !strings.Contains(string(body), `"next_cursor":null`) {
			s.Fatalf("%s: GET %s shows %v, want %v, more %t:\n%s", who.name, path, shown, want, more, body)
		}
	}
	return len(shown)
}
