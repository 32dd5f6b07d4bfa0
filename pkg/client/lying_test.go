package client_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/client"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// liar stands in front of a log, knows all of it, and can prove any selection of its entries.
type liar struct {
	*world
	lines  []map[string]any // of all entries, as the server shows them
	hashes []entry.Hash
	tree   merkle.Tree
	note   string
	c      *client.Client
}

// newLiar has a log of so many entries, and a client that has read it.
func newLiar(t testing.TB, w *world, n int) *liar {
	t.Helper()
	l := &liar{world: w, c: w.client()}
	client.SetRollBackAfter(l.c, 20*time.Millisecond)
	events := make([]client.Event, n-1)
	for i := range events {
		events[i] = client.Event{
			ID: fmt.Sprint("e-", i), Type: []string{"odd", "even"}[i%2], Data: map[string]int{"n": i},
		}
	}
	for _, some := range [][]client.Event{events[:1], events[1:]} { // so that there is an earlier checkpoint
		if _, err := l.c.LogBatch(bounded(t), some, client.WaitSealed); err != nil {
			t.Fatal(err)
		}
	}
	for e, err := range l.c.Entries(bounded(t), client.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		raw, err := proof.AppendPageLine(nil, proof.PageLine{Entry: e.Entry, Payload: e.Payload})
		var line map[string]any
		if err := errors.Join(err, json.Unmarshal(raw, &line)); err != nil {
			t.Fatal(err)
		}
		h := entry.LeafHash(e.Leaf)
		l.tree.Append(h)
		l.lines, l.hashes = append(l.lines, line), append(l.hashes, h)
	}
	if len(l.lines) != n {
		t.Fatalf("%d entries, want %d", len(l.lines), n)
	}
	cp, err := l.c.Checkpoint(bounded(t))
	if err != nil || cp.Size != uint64(n) {
		t.Fatalf("%v %d", err, cp.Size)
	}
	l.note = string(cp.Note)
	return l
}

// forged is a page whose proof is right, whatever entries it shows.
type forged struct {
	Entries    []map[string]any `json:"entries"`
	NextCursor *string          `json:"next_cursor"`
	TreeSize   uint64           `json:"tree_size"`
	Proof      map[string]any   `json:"proof"`
}

func (l *liar) page(indexes ...uint64) *forged {
	size := uint64(len(l.lines))
	hashes, err := proof.ProveBatch(indexes, size, &l.tree)
	if err != nil {
		l.Fatal(err)
	}
	p := &forged{Entries: []map[string]any{}, TreeSize: size}
	texts := []string{}
	for _, h := range hashes {
		texts = append(texts, h.String())
	}
	for _, x := range indexes {
		line := map[string]any{}
		for name, v := range l.lines[x] {
			line[name] = v
		}
		p.Entries = append(p.Entries, line)
	}
	p.Proof = map[string]any{"tree_size": size, "checkpoint": l.note, "hashes": texts}
	return p
}

func upTo(n uint64) (list []uint64) {
	for x := range n {
		list = append(list, x)
	}
	return list
}

func (p *forged) hashes() []string { return p.Proof["hashes"].([]string) }

// repeat says that an entry repeats an earlier one.
func (p *forged) repeat(i int, index uint64) *forged {
	p.Entries[i]["repeat_of"] = index
	return p
}

func (p *forged) alter(i int, old, new string) {
	text := p.Entries[i]["leaf"].(string)
	p.Entries[i]["leaf"] = strings.Replace(text, old, new, 1)
	if p.Entries[i]["leaf"] == text {
		panic(old + " is not in " + text)
	}
}

// TestLyingPages: what a server can do to a page without a filter, each named.
func TestLyingPages(t *testing.T) {
	const n = 20
	signer := logtest.Signer(t, logtest.Name)
	l := newLiar(t, start(t, store.NewMemory("default"), signer), n)
	sign := func(s *proof.Signer, size uint64, root entry.Hash) string {
		note, err := s.Sign(size, root)
		if err != nil {
			t.Fatal(err)
		}
		return string(note)
	}
	root := l.tree.Root
	whole, _ := root(n)
	for name, c := range map[string]struct {
		lie  func(p *forged) *forged
		want error
	}{
		"a field altered":            {func(p *forged) *forged { p.alter(5, `"odd"`, `"even"`); return p }, client.ErrProof},
		"an index altered":           {func(p *forged) *forged { p.alter(5, `"index":5,`, `"index":6,`); return p }, client.ErrProof},
		"an entry left out":          {func(*forged) *forged { return l.page(slices.Delete(upTo(n), 7, 8)...) }, client.ErrGap},
		"the first entry left out":   {func(*forged) *forged { return l.page(upTo(n)[1:]...) }, client.ErrGap},
		"the last entry left out":    {func(*forged) *forged { return l.page(upTo(n - 1)...) }, client.ErrGap},
		"all entries left out":       {func(*forged) *forged { return l.page() }, client.ErrGap},
		"an entry left out, bluntly": {func(p *forged) *forged { p.Entries = slices.Delete(p.Entries, 7, 8); return p }, client.ErrProof},
		"entries reordered":          {func(p *forged) *forged { p.Entries[2], p.Entries[3] = p.Entries[3], p.Entries[2]; return p }, client.ErrProof},
		"an entry shown twice":       {func(p *forged) *forged { p.Entries = slices.Insert(p.Entries, 4, p.Entries[3]); return p }, client.ErrProof},
		"the proof of another page":  {func(p *forged) *forged { p.Proof = l.page(3, 4).Proof; return p }, client.ErrProof},
		"no proof":                   {func(p *forged) *forged { p.Proof = nil; return p }, client.ErrProof},
		"payloads swapped":           {func(p *forged) *forged { p.Entries[3]["data_raw"] = p.Entries[4]["data_raw"]; return p }, client.ErrProof},
		"salts swapped":              {func(p *forged) *forged { p.Entries[3]["salt"] = p.Entries[4]["salt"]; return p }, client.ErrProof},
		"data_error beside the data": {func(p *forged) *forged { p.Entries[3]["data_error"] = "gone"; return p }, client.ErrProof},
		"data without a commitment": {func(p *forged) *forged {
			p.Entries[0]["data_raw"], p.Entries[0]["salt"] = "1", p.Entries[3]["salt"]
			return p
		}, client.ErrProof},
		"a member of another's":      {func(p *forged) *forged { p.Entries[3]["outcome"] = "success"; return p }, client.ErrProof},
		"an entry of another log":    {func(p *forged) *forged { p.alter(5, `"log":"default"`, `"log":"other"`); return p }, client.ErrProof},
		"hashes truncated":           {func(*forged) *forged { p := l.page(3, 4); p.Proof["hashes"] = p.hashes()[1:]; return p }, client.ErrProof},
		"a hash too many":            {func(p *forged) *forged { p.Proof["hashes"] = append(p.hashes(), whole.String()); return p }, client.ErrProof},
		"another tree_size":          {func(p *forged) *forged { p.Proof["tree_size"] = n + 1; return p }, client.ErrProof},
		"a note without a signature": {func(p *forged) *forged { p.Proof["checkpoint"] = strings.SplitAfter(l.note, "\n\n")[0]; return p }, client.ErrProof},
		"a note of another key": {func(p *forged) *forged {
			p.Proof["checkpoint"] = sign(logtest.Signer(t, logtest.Name), n, whole)
			return p
		}, client.ErrProof},
		"a note of another root":      {func(p *forged) *forged { p.Proof["checkpoint"] = sign(signer, n, entry.Hash{1}); return p }, client.ErrProof},
		"an empty page that goes on":  {func(*forged) *forged { p := l.page(); p.NextCursor = new("x"); return p }, client.ErrProof},
		"more entries than asked for": {func(*forged) *forged { p := l.page(0); p.NextCursor = new("x"); return p }, client.ErrProof},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			l.lie(func(a http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/v1/entries" {
					l.back.ServeHTTP(a, r)
					return
				}
				if asked++; asked > 1 { // the last two go on with a page that cannot be
					json.NewEncoder(a).Encode(l.page(0))
					return
				}
				json.NewEncoder(a).Encode(c.lie(l.page(upTo(n)...)))
			})
			defer l.lie(nil)
			err := last(l.c.Entries(bounded(t), client.Filter{}))
			if !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

// last is the error that ends a series.
func last(entries func(func(client.Entry, error) bool)) (err error) {
	for _, err = range entries {
	}
	return err
}

// TestLyingFilters: an entry that does not match is refused; one that is left out cannot be seen,
// but for its index.
func TestLyingFilters(t *testing.T) {
	l := newLiar(t, memory(t), 20)
	answer := func(p *forged) {
		l.lie(func(a http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v1/entries" {
				json.NewEncoder(a).Encode(p)
				return
			}
			l.back.ServeHTTP(a, r)
		})
	}
	answer(l.page(1, 2, 3))
	if err := last(l.c.ByType(bounded(t), "odd")); !errors.Is(err, client.ErrProof) {
		t.Errorf("an entry that does not match: %v", err)
	}
	answer(l.page(1, 5))
	if err := last(l.c.ByType(bounded(t), "odd")); err != nil {
		t.Errorf("a page that leaves out a match proves itself: %v", err)
	}
	answer(l.page(6))
	if _, err := l.c.Entry(bounded(t), 5); !errors.Is(err, client.ErrGap) {
		t.Errorf("a shifted index: %v", err)
	}
	answer(l.page(5))
	if err := last(l.c.Entries(bounded(t), client.Filter{
		FromIndex: 6, Filter: api.Filter{Type: []string{"odd"}},
	})); !errors.Is(err, client.ErrProof) {
		t.Errorf("an entry before the first index: %v", err)
	}
	answer(l.page(4, 6))
	if err := last(l.c.Entries(bounded(t), client.Filter{Newest: true, Before: 7})); !errors.Is(err, client.ErrGap) {
		t.Errorf("a gap in a page of the newest: %v", err)
	}
	p := l.page(upTo(20)...)
	delete(p.Entries[3], "data_raw")
	delete(p.Entries[3], "salt")
	p.Entries[4]["data_error"] = "cannot be read"
	delete(p.Entries[4], "data_raw")
	delete(p.Entries[4], "salt")
	answer(p)
	for e, err := range l.c.Entries(bounded(t), client.Filter{}) {
		if err != nil || e.Withheld() != (e.Index == 3 || e.Index == 4) || (e.DataError != "") != (e.Index == 4) {
			t.Fatalf("index %d: %v, withheld %v, %q", e.Index, err, e.Withheld(), e.DataError)
		}
	}
}

// TestLyingHistory: logs that are not the one seen before.
func TestLyingHistory(t *testing.T) {
	signer := logtest.Signer(t, logtest.Name)
	l := newLiar(t, start(t, store.NewMemory("default"), signer), 20)
	shorter, longer := start(t, store.NewMemory("default"), signer), start(t, store.NewMemory("default"), signer)
	newLiar(t, shorter, 10)
	newLiar(t, longer, 30)
	other := memory(t)
	newLiar(t, other, 25)
	for name, c := range map[string]struct {
		back http.Handler
		want error
	}{
		"a log that was rolled back":    {shorter.back, client.ErrFork},
		"a log that was forked":         {longer.back, client.ErrFork},
		"a log of another key":          {other.back, client.ErrProof},
		"a checkpoint that is stale":    {l.stale(t), client.ErrFork},
		"a checkpoint that contradicts": {l.contradicts(t, signer), client.ErrFork},
	} {
		t.Run(name, func(t *testing.T) {
			l.lie(c.back.ServeHTTP)
			defer l.lie(nil)
			if err := last(l.c.Entries(bounded(t), client.Filter{})); !errors.Is(err, c.want) {
				t.Errorf("entries: %v, want %v", err, c.want)
			}
			if _, err := l.c.Checkpoint(bounded(t)); !errors.Is(err, c.want) {
				t.Errorf("checkpoint: %v, want %v", err, c.want)
			}
			if err := last(l.c.Follow(bounded(t), client.Filter{})); !errors.Is(err, c.want) {
				t.Errorf("follow: %v, want %v", err, c.want)
			}
		})
	}
}

// stale is a server that stands still at its first checkpoint, whatever the client has seen.
func (l *liar) stale(t *testing.T) http.Handler {
	var old proof.Checkpoint
	for s, err := range (store.Follower{Log: l.log, Keys: []string{l.key}, Stop: true}).Batches(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if s.Batch.Size < 20 {
			old.Size, old.Note = s.Batch.Size, s.Batch.Checkpoint
		}
	}
	return http.HandlerFunc(func(a http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/checkpoint":
			a.Write(old.Note)
		case "/v1/entries":
			q := r.URL.Query()
			q.Set("size", strconv.FormatUint(old.Size, 10))
			r.URL.RawQuery = q.Encode()
			l.back.ServeHTTP(a, r)
		case "/v1/stream":
			rec := httptest.NewRecorder()
			l.back.ServeHTTP(rec,
				httptest.NewRequest("GET", "/v1/entries?order=asc&proof=1&limit=1000&size="+
					strconv.FormatUint(old.Size, 10), nil))
			tell(a, rec.Body)
		default:
			l.back.ServeHTTP(a, r)
		}
	})
}

// contradicts is a server whose key has signed a second tree.
func (l *liar) contradicts(t *testing.T, signer *proof.Signer) http.Handler {
	twin := &liar{world: l.world, lines: append(slices.Clone(l.lines), nil)}
	changed := slices.Clone(l.hashes)
	changed[19] = entry.Hash{2}
	for _, h := range append(changed, entry.Hash{1}) {
		twin.tree.Append(h)
	}
	root, err := twin.tree.Root(21)
	if err != nil {
		t.Fatal(err)
	}
	note, err := signer.Sign(21, root)
	if err != nil {
		t.Fatal(err)
	}
	twin.note = string(note)
	return http.HandlerFunc(func(a http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/checkpoint":
			io.WriteString(a, twin.note)
		case "/v1/entries":
			p := twin.page(upTo(19)...)
			p.NextCursor = new("x")
			json.NewEncoder(a).Encode(p)
		case "/v1/stream":
			raw, _ := json.Marshal(twin.page(upTo(19)...))
			tell(a, strings.NewReader(string(raw)))
		case "/v1/consistency":
			hashes, err := proof.Consistency(20, 21, &twin.tree)
			if err != nil {
				t.Error(err)
			}
			texts := []string{}
			for _, h := range hashes {
				texts = append(texts, h.String())
			}
			json.NewEncoder(a).Encode(map[string]any{"proof": texts})
		default:
			l.back.ServeHTTP(a, r)
		}
	})
}

// tell sends a page as a stream.
func tell(a http.ResponseWriter, page io.Reader) {
	var p struct {
		Entries []json.RawMessage
		Proof   json.RawMessage
	}
	if err := json.NewDecoder(page).Decode(&p); err != nil {
		panic(err)
	}
	for _, line := range p.Entries {
		fmt.Fprintf(a, "id: 0\ndata: %s\n\n", line)
	}
	if p.Proof != nil {
		fmt.Fprintf(a, "event: proof\ndata: %s\n\n", p.Proof)
	}
}

// TestLyingStreams: what a server can do to a stream without a filter.
func TestLyingStreams(t *testing.T) {
	l := newLiar(t, memory(t), 20)
	for name, c := range map[string]struct {
		pages []*forged
		want  error
	}{
		"an entry skipped":                {[]*forged{l.page(0, 1, 2), l.page(4, 5)}, client.ErrGap},
		"an entry skipped within":         {[]*forged{l.page(0, 1, 3)}, client.ErrGap},
		"the first entries skipped":       {[]*forged{l.page(1, 2)}, client.ErrGap},
		"an entry repeated":               {[]*forged{l.page(0, 1, 2), l.page(2, 3)}, client.ErrProof},
		"all again":                       {[]*forged{l.page(0, 1, 2), l.page(0, 1, 2)}, client.ErrProof},
		"an entry altered":                {[]*forged{func() *forged { p := l.page(0, 1, 2); p.alter(1, `"odd"`, `"add"`); return p }()}, client.ErrProof},
		"the proof of other entries":      {[]*forged{func() *forged { p := l.page(0, 1, 2); p.Proof = l.page(0, 1).Proof; return p }()}, client.ErrProof},
		"entries in another order":        {[]*forged{func() *forged { p := l.page(0, 1, 2); slices.Reverse(p.Entries); return p }()}, client.ErrProof},
		"entries without end, no proof":   {[]*forged{func() *forged { p := l.page(0); p.Entries = slices.Repeat(p.Entries, 300); p.Proof = nil; return p }()}, client.ErrProof},
		"data of another entry":           {[]*forged{func() *forged { p := l.page(0, 1, 2); p.Entries[1]["data_raw"] = "3"; return p }()}, client.ErrProof},
		"a proof that is none":            {[]*forged{func() *forged { p := l.page(0, 1); p.Proof = map[string]any{}; return p }()}, client.ErrProof},
		"a repeat of itself":              {[]*forged{l.page(0, 1, 2).repeat(1, 1)}, client.ErrProof},
		"a repeat of a later entry":       {[]*forged{l.page(0, 1, 2).repeat(1, 2)}, client.ErrProof},
		"a repeat of another event":       {[]*forged{l.page(0, 1, 2).repeat(2, 1)}, client.ErrProof},
		"a problem: it does not verify":   {nil, client.ErrRefused},
		"an entry that is not of the log": {[]*forged{func() *forged { p := l.page(0, 1); p.Entries[1]["leaf"] = "{}"; return p }()}, client.ErrProof},
	} {
		t.Run(name, func(t *testing.T) {
			l.lie(func(a http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/v1/stream" {
					l.back.ServeHTTP(a, r)
					return
				}
				for _, p := range c.pages {
					raw, _ := json.Marshal(p)
					tell(a, strings.NewReader(string(raw)))
				}
				if c.pages == nil {
					io.WriteString(a,
						"event: problem\ndata: {\"status\":500,\"detail\":\"the log does not verify\"}\n\n")
				}
			})
			defer l.lie(nil)
			if err := last(l.c.Follow(bounded(t), client.Filter{})); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

// TestLyingClaims: counts and ids are the server's word, until they are looked into.
func TestLyingClaims(t *testing.T) {
	l := newLiar(t, memory(t), 20)
	odd := api.Filter{Type: []string{"odd"}}
	honest, err := l.c.Counts(bounded(t), odd)
	if err != nil || honest.Matches != 10 {
		t.Fatalf("%+v %v", honest, err)
	}
	if r, err := l.c.Verify(bounded(t), honest); err != nil || r.Checkpoint.Size != 20 || r.Events != 19 ||
		r.Payloads != 19 {
		t.Fatalf("%+v %v", r, err)
	}
	for name, change := range map[string][2]string{
		"more matches":   {`"matches":10`, `"matches":12`},
		"another type":   {`"odd":10`, `"even":10`},
		"another first":  {`"first":1`, `"first":3`},
		"another agent":  {`"agents":1`, `"agents":2`},
		"a larger log":   {`"tree_size":20`, `"tree_size":21`},
		"fewer outcomes": {`"outcomes":{}`, `"outcomes":{"success":1}`},
	} {
		l.rewrite("/v1/counts", func(body string) string {
			changed := strings.Replace(strings.Join(strings.Fields(body), ""), change[0], change[1], 1)
			if !strings.Contains(changed, change[1]) {
				t.Errorf("%s: %s", name, body)
			}
			return changed
		})
		claim, err := l.c.Counts(bounded(t), odd)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.c.Verify(bounded(t), claim); !errors.Is(err, client.ErrCounts) {
			t.Errorf("%s: %v", name, err)
		}
	}
	l.rewrite("/v1/entries/id/", func(body string) string { return strings.Replace(body, `"index":4`, `"index":5`, 1) })
	if _, err := l.c.EntryByID(bounded(t), "e-3", ""); !errors.Is(err, client.ErrProof) {
		t.Errorf("an id that is another entry's: %v", err)
	}
	lines := func(change func(list []string) []string) func(string) string {
		return func(body string) string { return strings.Join(change(strings.SplitAfter(body, "\n")), "") }
	}
	for name, c := range map[string]struct {
		change func(string) string
		want   error
	}{
		"an entry altered":   {lines(func(l []string) []string { l[5] = strings.Replace(l[5], "even", "evil", 1); return l }), client.ErrProof},
		"an entry left out":  {lines(func(l []string) []string { return slices.Delete(l, 5, 6) }), client.ErrProof},
		"the end is missing": {lines(func(l []string) []string { return l[:15] }), client.ErrFork},
		"a part as the whole": {func(body string) string {
			return strings.Replace(body, `"filters":{}`, `"filters":{"type":["odd"]}`, 1)
		}, client.ErrGap},
		"data altered": {lines(func(l []string) []string { l[5] = strings.Replace(l[5], `\"n\":`, `\"m\":`, 1); return l }), client.ErrProof},
	} {
		l.rewrite("/v1/export", c.change)
		_, err := l.c.Verify(bounded(t))
		if fault, ok := errors.AsType[*client.FaultError](err); !errors.Is(err, c.want) ||
			!ok && c.want != client.ErrGap || ok && fault.Kind == "" {
			t.Errorf("export, %s: %v, want %v", name, err, c.want)
		}
		if err := l.c.Export(bounded(t), io.Discard, "jsonl"); !errors.Is(err, c.want) {
			t.Errorf("export, %s: %v, want %v", name, err, c.want)
		}
	}
}
