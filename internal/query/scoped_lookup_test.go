package query_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/pkg/proof"
)

// scopedLog is a log of light and dark agents.
func scopedLog(t *testing.T, seed uint64, n int) *scoped {
	t.Helper()
	one, _ := twins(rand.New(rand.NewPCG(seed, 1)), n)
	return newScoped(t, logtest.Signer(t, logtest.Name), one)
}

// TestWithheldIsAbsent looks up everything that a reader does not see. The answers must be those of
// what does not exist.
func TestWithheldIsAbsent(t *testing.T) {
	s := scopedLog(t, 5, 320)
	who := s.reader("one agent", access.Grants{Read: access.Agents{"did:web:a.example"}})
	absent := uint64(len(s.all) + 7)
	same := func(withheld, absent, text, instead string) {
		t.Helper()
		a, b := s.as(who.caller, withheld), s.as(who.caller, absent)
		if a.Code != 404 || b.Code != 404 || strings.ReplaceAll(a.Body.String(), text, instead) != b.Body.String() {
			t.Fatalf("GET %s: %d %s\nGET %s: %d %s", withheld, a.Code, a.Body, absent, b.Code, b.Body)
		}
	}
	ids := map[string]bool{}
	for i := range who.seen {
		ids[who.seen[i].EntryID] = true
	}
	withheld := 0
	for i := range s.all {
		e := &s.all[i]
		if who.sees[e.Index] {
			continue
		}
		withheld++
		for _, end := range []string{"", "?raw=1", "/proof", "/proof?raw=1"} {
			path, text := "/v1/entries/%d"+end, "entry %d:"
			same(fmt.Sprintf(path, e.Index), fmt.Sprintf(path, absent), fmt.Sprintf(text, e.Index), fmt.Sprintf(text, absent))
		}
		if id := url.PathEscape(e.EntryID); !ids[e.EntryID] {
			for _, path := range []string{"/v1/entries/id/", "/v1/entries/id/%s/proof", "/v1/entries/id/%s?agent=did:web:dark"} {
				if !strings.Contains(path, "%s") {
					path += "%s"
				}
				same(fmt.Sprintf(path, id), fmt.Sprintf(path, "no-such-id"), e.EntryID, "no-such-id")
			}
		}
	}
	if withheld < 200 || len(who.seen) < 10 {
		t.Fatalf("%d withheld, %d seen: the test looks up too little", withheld, len(who.seen))
	}
}

// TestCursorsOfOthers: a cursor of somebody who sees something else is refused. T45.
func TestCursorsOfOthers(t *testing.T) {
	s := scopedLog(t, 6, 320)
	all := append(s.readers(access.Grants{}), s.reader("all", access.Grants{ReadAll: true}))
	refused := 0
	for _, from := range all {
		var p page
		w := s.as(from.caller, "/v1/entries?limit=2")
		if err := json.Unmarshal(w.Body.Bytes(), &p); w.Code != 200 || err != nil {
			t.Fatalf("%s: %d %v", from.name, w.Code, err)
		}
		if p.NextCursor == nil {
			continue // nothing, or nobody
		}
		for _, to := range all {
			w := s.as(to.caller, "/v1/entries?limit=2&cursor="+*p.NextCursor)
			if want := map[bool]int{true: 200, false: 400}[from.name == to.name]; w.Code != want {
				t.Fatalf("a cursor of %q for %q: %d, want %d\n%s", from.name, to.name, w.Code, want, w.Body)
			}
			if w.Code == 400 {
				refused++
			}
		}
	}
	if refused < 20 {
		t.Fatalf("only %d were refused", refused)
	}
	if w := s.as(access.Caller{}, "/v1/entries"); w.Code != 200 || len(indexesIn(w.Body.Bytes())) != 0 {
		t.Fatalf("a stranger: %d %s", w.Code, w.Body)
	}
}

// TestOldHashes: whose rights include the hashes of older entries gets proofs, and exports that
// verify.
func TestOldHashes(t *testing.T) {
	s := scopedLog(t, 7, 400)
	who := s.reader("a prefix", access.Grants{
		Read: access.Agents{"did:web:team*", "did:web:a.example"}, Proof: true, OldHashes: true, Export: true,
	})
	for _, e := range who.seen {
		w := s.as(who.caller, fmt.Sprintf("/v1/entries/%d/proof", e.Index))
		p, err := proof.ParseEntryProof(w.Body.Bytes())
		if err == nil {
			_, _, err = p.Check(s.key)
		}
		if w.Code != 200 || err != nil {
			t.Fatalf("proof of %d: %d %v\n%s", e.Index, w.Code, err, w.Body)
		}
	}
	for path, want := range map[string]int{
		"/tile/0/000": 200, "/tile/0/001.p/9": 200, "/tile/entries/000": 403, "/v1/verify": 403, "/v1/consistency?from=3&to=300": 200,
		"/v1/entries?proof=1&limit=1000": 200, "/v1/entries?raw=1": 200, "/checkpoint": 200,
	} {
		if w := s.as(who.caller, path); w.Code != want {
			t.Fatalf("GET %s: %d, want %d\n%s", path, w.Code, want, w.Body)
		}
	}
	for _, filter := range []string{"", "?type=tool_invocation", "?agent=did:web:dark"} {
		w := s.as(who.caller, "/v1/export"+filter)
		report, err := audit.Export(audit.Config{Keys: []string{s.key}}, lines(w.Body.Bytes()))
		if w.Code != 200 || err != nil || !report.DataChecked {
			t.Fatalf("export%s: %d %v\n%.300s", filter, w.Code, err, w.Body)
		}
		m, err := proof.ParseManifest(w.Body.Bytes()[:bytes.IndexByte(w.Body.Bytes(), '\n')])
		if err != nil || m.Whole() || !slices.Equal(m.Filters["read"], []string{"did:web:a.example", "did:web:team*"}) {
			t.Fatalf("export%s: %v, manifest %+v", filter, err, m)
		}
		if filter == "" && m.Count != uint64(len(who.seen)) || strings.Contains(filter, "dark") && m.Count != 0 {
			t.Fatalf("export%s of %d entries", filter, m.Count)
		}
	}
	plain := s.reader("no hashes", access.Grants{Read: who.caller.Grants().Read, Proof: true})
	for path, want := range map[string]int{
		"/tile/0/000": 403, "/tile/1/000.p/1": 200, "/v1/export": 403, "/v1/entries/0/proof": 403, "/checkpoint": 200,
	} {
		if w := s.as(plain.caller, path); w.Code != want {
			t.Fatalf("without old hashes: GET %s: %d, want %d\n%s", path, w.Code, want, w.Body)
		}
	}
}

// TestWithheldByRange lists a range of the log: what is seen as always, the rest by its hash.
func TestWithheldByRange(t *testing.T) {
	s := scopedLog(t, 12, 320)
	all := access.Grants{Proof: true, OldHashes: true}
	for _, patterns := range []access.Agents{{"did:web:a.example"}, {"did:web:nobody"}, lightAgents, nil} {
		all.Read = patterns
		who := s.reader("", all)
		for limit := 1; limit < 60; limit += 11 {
			path, index := fmt.Sprintf("/v1/entries?withheld=1&order=asc&limit=%d", limit), uint64(0)
			for next := path; next != ""; {
				var p page
				w := s.as(who.caller, next)
				if err := json.Unmarshal(w.Body.Bytes(), &p); w.Code != 200 || err != nil {
					t.Fatalf("%s: %d %v\n%s", next, w.Code, err, w.Body)
				}
				for _, raw := range p.Entries {
					var e map[string]any
					if err := json.Unmarshal(raw, &e); err != nil {
						t.Fatal(err)
					}
					if e["index"] != float64(index) || e["entry_hash"] != s.all[index].EntryHash.String() ||
						(len(e) == 2) == who.sees[index] {
						t.Fatalf("entry %d for %v: %s", index, patterns, raw)
					}
					index++
				}
				if next = ""; p.NextCursor != nil {
					next = path + "&cursor=" + *p.NextCursor
				}
			}
			if index != uint64(len(s.all)) {
				t.Fatalf("%d of %d entries listed", index, len(s.all))
			}
		}
	}
	who := s.reader("", all)
	for path, want := range map[string]int{
		"/v1/entries?withheld=1": 400, "/v1/entries?withheld=1&order=asc&agent=x": 400, "/v1/entries?withheld=1&order=asc&proof=1": 400,
	} {
		if w := s.as(who.caller, path); w.Code != want {
			t.Fatalf("%s: %d, want %d\n%s", path, w.Code, want, w.Body)
		}
	}
	for _, g := range []access.Grants{{Read: lightAgents}, {Read: lightAgents, Proof: true}} { // no right to old hashes
		if w := s.as(callerWith(t, g), "/v1/entries?withheld=1&order=asc&limit=1000"); w.Code != 403 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
}

// TestHiddenHashes compares which entries come with hashes with the rule of SPEC-rules4 7: none
// after a withheld one that can be guessed, until one that cannot.
func TestHiddenHashes(t *testing.T) {
	s := scopedLog(t, 8, 330)
	r := rand.New(rand.NewPCG(9, 1))
	for range 40 {
		blind := r.Uint64N(uint64(len(s.all)) + 60)
		query.SetBlind(s.q, blind)
		who := s.readers(access.Grants{})[r.IntN(6)]
		tainted, hidden := false, map[uint64]bool{}
		for i := range uint64(len(s.all)) {
			hidden[i] = tainted
			if !who.sees[i] {
				tainted = i < blind
			}
		}
		for _, limit := range []string{"", "&raw=1"} {
			var p page
			w := s.as(who.caller, "/v1/entries?limit=1000"+limit)
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
				t.Fatal(err)
			}
			for i, x := range p.indexes(t) {
				var e map[string]any
				if err := json.Unmarshal(p.Entries[i], &e); err != nil {
					t.Fatal(err)
				}
				_, own := e["entry_hash"]
				_, previous := e["previous_hash"]
				_, leaf := e["leaf"]
				if own == hidden[x] || previous == hidden[x] || leaf != (limit != "" && !hidden[x]) || e["index"] == nil ||
					e["received_at"] == nil || e["agent_did"] == nil {
					t.Fatalf("%s, blind from %d, hidden %t: %s", who.name, blind, hidden[x], p.Entries[i])
				}
			}
		}
	}
}

// TestScopedStream: a stream shows what its reader sees, before and after it has come to the end.
func TestScopedStream(t *testing.T) {
	s := scopedLog(t, 10, 330)
	who := s.reader("a prefix", access.Grants{Read: access.Agents{"did:web:team*"}})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.handler.ServeHTTP(w, r.WithContext(access.With(r.Context(), who.caller)))
	}))
	defer server.Close()
	s.server = server
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	in, body := s.stream(ctx, server.Client(), "/v1/stream?from_index=0", "")
	defer body.Close()
	read := func(want uint64) {
		t.Helper()
		for {
			e, comment, err := in.next()
			if err != nil {
				t.Fatal(err)
			}
			if comment || e.id == "" {
				continue
			}
			if e.id != fmt.Sprint(want) || strings.Contains(e.data, "dark-") && !who.sees[want] ||
				want > who.first && strings.Contains(e.data, "_hash\":\"") && !strings.Contains(e.data, "data_hash") {
				t.Fatalf("event %s, want entry %d: %s", e.id, want, e.data)
			}
			return
		}
	}
	for _, e := range who.seen {
		read(e.Index)
	}
	s.publish(
		event("late-1", map[string]any{"source": "did:web:dark"}),
		event("late-2", map[string]any{"source": "did:web:team/2"}),
	)
	read(s.size - 1)
	if w := s.as(who.caller, "/v1/stream?proof=1&from_index=0"); !strings.Contains(w.Body.String(), "event: problem") ||
		!strings.Contains(w.Body.String(), `"status":403`) {
		t.Fatalf("a stream with proofs that help to guess: %.2000s", w.Body)
	}
}
