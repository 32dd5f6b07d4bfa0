package client_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/client"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// counted counts the requests by what they ask for, until the test ends.
func (w *world) counted() func(part string) int {
	var mu sync.Mutex
	asked := map[string]int{}
	w.lie(func(a http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked[r.Method+" "+r.URL.RequestURI()]++
		mu.Unlock()
		w.back.ServeHTTP(a, r)
	})
	return func(part string) (n int) {
		mu.Lock()
		defer mu.Unlock()
		for request, times := range asked {
			if strings.Contains(request, part) {
				n += times
			}
		}
		return n
	}
}

// TestBrought: events are proven by what comes with their receipts, alone and in groups. Repeats are
// asked for, as before.
func TestBrought(t *testing.T) {
	w := memory(t)
	if _, err := w.client().Log(bounded(t), client.Event{Type: "x"}, client.WaitSealed); err != nil {
		t.Fatal(err)
	}
	c, asked := w.client(), w.counted()
	var mu sync.Mutex
	var receipts []client.Receipt
	parallel(16, func(p int) {
		for n := range 10 {
			r, err := c.Log(bounded(t), client.Event{ID: fmt.Sprint(p, "-", n), Type: "x", Data: n}, client.WaitSealed)
			if err != nil || r.Status != client.Sealed {
				t.Errorf("%+v %v", r, err)
				return
			}
			mu.Lock()
			receipts = append(receipts, r)
			mu.Unlock()
		}
	})
	events := make([]client.Event, 300)
	for i := range events {
		events[i] = client.Event{Type: "y", Data: i}
	}
	batch, err := c.LogBatch(bounded(t), events, client.WaitSealed)
	if err != nil {
		t.Fatal(err)
	}
	list := w.entries()
	for _, r := range append(receipts, batch...) {
		w.proven(r, list)
		if text, err := json.Marshal(r); err != nil || strings.Contains(string(text), `"salt"`) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if n := asked("GET /v1/entries"); n > 0 {
		t.Errorf("%d proofs or salts were asked for", n)
	}
	r, err := c.Log(bounded(t), client.Event{ID: "0-0", Type: "x", Data: 0}, client.WaitSealed)
	if err != nil || r.Status != client.Duplicate || asked("GET /v1/entries") == 0 {
		t.Errorf("a repeat: %+v %v", r, err)
	}
	w.proven(r, list)
}

// TestBroughtState: what came with receipts is in the state, for the next client.
func TestBroughtState(t *testing.T) {
	w, state := memory(t), t.TempDir()+"/state"
	c := w.client(func(cfg *client.Config) { cfg.State = state })
	for range 3 {
		r, err := c.Log(bounded(t), client.Event{Type: "x"}, client.WaitSealed)
		if err != nil {
			t.Fatal(err)
		}
		if size := savedSize(t, state); size != r.Proof.TreeSize {
			t.Errorf("the state is of size %d, the receipt of %d", size, r.Proof.TreeSize)
		}
	}
}

// TestOlderServer: a server that gives no proofs with its receipts is asked for them once, and then
// as ever.
func TestOlderServer(t *testing.T) {
	w := memory(t)
	w.older()
	c, asked := w.client(), w.counted()
	for i := range 3 {
		r, err := c.Log(bounded(t), client.Event{Type: "x", Data: i}, client.WaitSealed)
		if err != nil || r.Status != client.Sealed {
			t.Fatalf("%+v %v", r, err)
		}
		w.proven(r, w.entries())
	}
	if tried, posts := asked("proof=1"), asked("POST"); tried != 1 || posts != 4 {
		t.Errorf("%d of %d requests ask for proofs", tried, posts)
	}
}

// TestOlderServerAtOnce: of several requests that ask an older server for proofs at the same time, each
// is sent again without.
func TestOlderServerAtOnce(t *testing.T) {
	w := memory(t)
	w.older()
	const callers = 3
	var tried sync.WaitGroup
	tried.Add(callers)
	w.lie(func(a http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("proof") {
			tried.Done()
			tried.Wait()
		}
		w.back.ServeHTTP(a, r)
	})
	c := w.client()
	parallel(callers, func(i int) {
		list, err := c.LogBatch(bounded(t), []client.Event{{Type: "x", Data: i}}, client.WaitSealed)
		if err != nil || list[0].Status != client.Sealed {
			t.Errorf("%+v %v", list, err)
		}
	})
}

// TestStoredWithoutKey: while the keys of the log cannot be learned, events are sent nevertheless.
func TestStoredWithoutKey(t *testing.T) {
	w := memory(t)
	posts := atomic.Int64{}
	w.lie(func(a http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/events" {
			<-r.Context().Done()
			return
		}
		w.back.ServeHTTP(a, r)
		posts.Add(1)
	})
	c := w.client(func(cfg *client.Config) { cfg.Key = "" })
	ctx, leave := context.WithCancel(bounded(t))
	var group sync.WaitGroup
	for i := range int64(6) { // more than there are requests at a time
		group.Go(func() {
			if r, err := c.Log(ctx, client.Event{Type: "x"}, client.WaitSealed); err == nil || r.Proof != nil {
				t.Errorf("%+v", r)
			}
		})
		logtest.Until(t, "the event is sent", func() bool { return posts.Load() > i })
	}
	leave()
	group.Wait()
}

// TestProofOfUnknownKey: what comes under no key that the client knows is not believed. The server is
// asked, which can show what replaced the key.
func TestProofOfUnknownKey(t *testing.T) {
	w := memory(t)
	other := logtest.Signer(t, logtest.Name)
	w.receipts(func(got *proved) {
		for _, p := range got.Proofs {
			note, err := other.Sign(uint64(p["tree_size"].(float64)), entry.Hash{1})
			if err != nil {
				t.Error(err)
			}
			p["checkpoint"] = string(note)
		}
	})
	r, err := w.client().Log(bounded(t), client.Event{Type: "x", Data: 1}, client.WaitSealed)
	if err != nil || r.Status != client.Sealed {
		t.Fatalf("%+v %v", r, err)
	}
	w.proven(r, w.entries())
}

// TestWithoutProofs: a server may leave out any proof.
func TestWithoutProofs(t *testing.T) {
	w := memory(t)
	w.receipts(func(got *proved) {
		for _, r := range got.Receipts {
			for _, name := range []string{"proof", "leaf", "salt"} {
				delete(r, name)
			}
		}
		got.Proofs = nil
	})
	c := w.client()
	r, err := c.Log(bounded(t), client.Event{Type: "x", Data: 1}, client.WaitSealed)
	if err != nil || r.Status != client.Sealed {
		t.Fatalf("%+v %v", r, err)
	}
	w.proven(r, w.entries())
	w.receipts(func(got *proved) { delete(got.Receipts[0], "salt") })
	if r, err = c.Log(bounded(t), client.Event{ID: "salted", Type: "x", Data: 2}, client.WaitSealed); err != nil {
		t.Errorf("without the salt: %+v %v", r, err)
	}
}

// TestQueryBehindReceipt: a receipt with its proof can be quicker than query. What the client then
// asks query for, it waits for.
func TestQueryBehindReceipt(t *testing.T) {
	w := memory(t)
	var late atomic.Int64
	back := w.back
	w.back = http.HandlerFunc(func(a http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/entries/") && late.Add(-1) >= 0 {
			http.Error(a, "not yet", http.StatusNotFound)
			return
		}
		back.ServeHTTP(a, r)
	})
	w.receipts(func(got *proved) { delete(got.Receipts[0], "salt") })
	late.Store(3)
	c := w.client()
	r, err := c.Log(bounded(t), client.Event{ID: "salted", Type: "x", Data: 2}, client.WaitSealed)
	if err != nil || r.Status != client.Sealed {
		t.Fatalf("%+v %v", r, err)
	}
	late.Store(1)
	if e, err := c.EntryByID(bounded(t), "salted", ""); err != nil || e.Index != r.Index {
		t.Errorf("by id: %+v %v", e, err)
	}
}

// proved is an answer of ingest.
type proved struct {
	Receipts []map[string]any `json:"receipts"`
	Proofs   []map[string]any `json:"proofs,omitempty"`
}

// receipts changes what the server answers to events.
func (w *world) receipts(change func(got *proved)) {
	w.rewrite("/v1/events", func(body string) string {
		var got proved
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			w.Errorf("%s: %v", body, err)
			return body
		}
		change(&got)
		raw, err := json.Marshal(got)
		if err != nil {
			w.Error(err)
		}
		return string(raw)
	})
}

// TestLyingReceipts: whatever a server alters of what comes with a receipt, the event does not count
// as sealed.
func TestLyingReceipts(t *testing.T) {
	signer := logtest.Signer(t, logtest.Name)
	w := start(t, store.NewMemory("default"), signer)
	l := newLiar(t, w, 5)
	var other proved // of another event, with all that proves it
	w.receipts(func(got *proved) { other = *got })
	for range 2 {
		event := client.Event{Type: "x", Outcome: "failure", Data: "other"}
		if _, err := l.c.Log(bounded(t), event, client.WaitSealed); err != nil {
			t.Fatal(err)
		}
	}
	leaf := func(got *proved, old, new string) {
		r := got.Receipts[0]
		text := r["leaf"].(string)
		if r["leaf"] = strings.Replace(text, old, new, 1); r["leaf"] == text {
			t.Errorf("%s is not in %s", old, text)
		}
		r["entry_hash"] = entry.LeafHash([]byte(r["leaf"].(string))).String()
	}
	hashes := func(got *proved) []any { return got.Proofs[0]["hashes"].([]any) }
	size := func(got *proved) uint64 { return uint64(got.Proofs[0]["tree_size"].(float64)) }
	sign := func(s *proof.Signer, size uint64, root entry.Hash) string {
		note, err := s.Sign(size, root)
		if err != nil {
			t.Fatal(err)
		}
		return string(note)
	}
	for name, lie := range map[string]func(got *proved){
		"a leaf altered":                func(got *proved) { leaf(got, `"success"`, `"failure"`) },
		"a leaf that is not canonical":  func(got *proved) { leaf(got, `{`, `{ `) },
		"a leaf of another log":         func(got *proved) { leaf(got, `"log":"default"`, `"log":"other"`) },
		"no leaf":                       func(got *proved) { delete(got.Receipts[0], "leaf") },
		"another salt":                  func(got *proved) { got.Receipts[0]["salt"] = strings.Repeat("0", 64) },
		"a salt that is none":           func(got *proved) { got.Receipts[0]["salt"] = "0" },
		"another index":                 func(got *proved) { got.Receipts[0]["index"] = 1 },
		"another hash":                  func(got *proved) { got.Receipts[0]["entry_hash"] = other.Receipts[0]["entry_hash"] },
		"a proof that is not there":     func(got *proved) { got.Receipts[0]["proof"] = 1 },
		"a proof before the first":      func(got *proved) { got.Receipts[0]["proof"] = -1 },
		"no proofs":                     func(got *proved) { got.Proofs = nil },
		"an empty proof":                func(got *proved) { got.Proofs[0] = map[string]any{} },
		"a hash altered":                func(got *proved) { hashes(got)[0] = strings.Repeat("0", 64) },
		"a hash that is none":           func(got *proved) { hashes(got)[0] = "x" },
		"a hash missing":                func(got *proved) { got.Proofs[0]["hashes"] = hashes(got)[1:] },
		"a hash too many":               func(got *proved) { got.Proofs[0]["hashes"] = append(hashes(got), strings.Repeat("0", 64)) },
		"hashes null":                   func(got *proved) { got.Proofs[0]["hashes"] = nil },
		"another tree_size":             func(got *proved) { got.Proofs[0]["tree_size"] = size(got) + 1 },
		"a note of another root":        func(got *proved) { got.Proofs[0]["checkpoint"] = sign(signer, size(got), entry.Hash{1}) },
		"the note of an older size":     func(got *proved) { got.Proofs[0]["checkpoint"] = l.note },
		"an older size, and its note":   func(got *proved) { got.Proofs[0]["checkpoint"], got.Proofs[0]["tree_size"] = l.note, 5 },
		"the proof of another event":    func(got *proved) { got.Proofs = other.Proofs },
		"the leaf of another event":     func(got *proved) { got.Receipts[0]["leaf"] = other.Receipts[0]["leaf"] },
		"all of another event":          func(got *proved) { replay(got, other) },
		"one of the log's own entries":  func(got *proved) { l.show(got, 0) },
		"an earlier event, well proven": func(got *proved) { l.show(got, 3) },
	} {
		t.Run(name, func(t *testing.T) {
			w.receipts(lie)
			for kind, c := range map[string]*client.Client{"who has seen the log": l.c, "who has not": w.client()} {
				// an id of the caller's, so that the salt is the log's
				event := client.Event{ID: rand.Text(), Type: "x", Outcome: "success", Data: name}
				r, err := c.Log(bounded(t), event, client.WaitSealed)
				if !errors.Is(err, client.ErrProof) || r.Status == client.Sealed || r.Proof != nil || r.Checkpoint != "" {
					t.Errorf("%s: %+v %v", kind, r, err)
				}
				event.ID = rand.Text()
				list, err := c.LogBatch(bounded(t), []client.Event{event}, client.WaitSealed)
				if !errors.Is(err, client.ErrProof) || list[0].Status == client.Sealed {
					t.Errorf("%s, in a batch: %+v %v", kind, list, err)
				}
			}
		})
	}
	w.lie(nil)
	if r, err := l.c.Log(bounded(t), client.Event{Type: "x"}, client.WaitSealed); err != nil || r.Status != client.Sealed {
		t.Errorf("the honest server: %+v %v", r, err)
	}
}

// replay shows the entry of another event, with its proof, for the one that was sent.
func replay(got *proved, other proved) {
	mine := got.Receipts[0]
	got.Receipts[0] = maps.Clone(other.Receipts[0])
	for _, name := range []string{"entry_id", "agent_did"} {
		got.Receipts[0][name] = mine[name]
	}
	got.Proofs = other.Proofs
}

// show proves an entry of the log for the event that was sent.
func (l *liar) show(got *proved, index uint64) {
	p, r := l.page(index), got.Receipts[0]
	r["leaf"], r["salt"] = p.Entries[0]["leaf"], p.Entries[0]["salt"]
	r["index"], r["entry_hash"] = index, l.hashes[index].String()
	got.Proofs = []map[string]any{p.Proof}
}

// TestForkedReceipts: an entry that is proven under the log's key, but in another log than the client
// has seen, is not sealed, whatever the sizes.
func TestForkedReceipts(t *testing.T) {
	signer := logtest.Signer(t, logtest.Name)
	w := start(t, store.NewMemory("default"), signer)
	l := newLiar(t, w, 5)
	for name, c := range map[string]struct {
		ahead bool                            // the client has seen the log behind the event
		size  func(index, seen uint64) uint64 // of the forged log
	}{
		"of a size that was not seen": {false, func(index, _ uint64) uint64 { return index + 1 }},
		"longer":                      {false, func(index, _ uint64) uint64 { return index + 4 }},
		"of the size that was seen":   {true, func(_, seen uint64) uint64 { return seen }},
		"shorter":                     {true, func(index, _ uint64) uint64 { return index + 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			w.receipts(func(got *proved) {
				index, seen := uint64(got.Receipts[0]["index"].(float64)), uint64(0)
				w.append(4) // so that the server can answer for all these sizes
				for c.ahead && seen < index+2 {
					cp, err := l.c.Checkpoint(bounded(t))
					if err != nil {
						t.Error(err)
						return
					}
					seen = cp.Size
				}
				forge(t, signer, got, index, c.size(index, seen))
			})
			defer w.lie(nil)
			r, err := l.c.Log(bounded(t), client.Event{Type: "x"}, client.WaitSealed)
			if !errors.Is(err, client.ErrFork) || r.Status == client.Sealed || r.Proof != nil {
				t.Errorf("%+v %v", r, err)
			}
		})
	}
}

// append seals events past the front.
func (w *world) append(n int) {
	var list []string
	for range n {
		list = append(list, fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"did:web:b","type":"t"}`, rand.Text()))
	}
	r := httptest.NewRequest(http.MethodPost, "/v1/events?wait=sealed", strings.NewReader("["+strings.Join(list, ",")+"]"))
	r.Header.Set("Content-Type", "application/cloudevents-batch+json")
	a := httptest.NewRecorder()
	if w.back.ServeHTTP(a, r); strings.Count(a.Body.String(), `"sealed"`) != n {
		w.Errorf("%d %s", a.Code, a.Body)
	}
}

// forge proves the event's leaf at its index in a log of random leaves.
func forge(t *testing.T, signer *proof.Signer, got *proved, index, size uint64) {
	var tree merkle.Tree
	for i := range size {
		h := entry.Hash{byte(i), 1}
		if i == index {
			h = entry.LeafHash([]byte(got.Receipts[0]["leaf"].(string)))
		}
		tree.Append(h)
	}
	root, _ := tree.Root(size)
	note, err := signer.Sign(size, root)
	hashes, err2 := proof.ProveBatch([]uint64{index}, size, &tree)
	if err := errors.Join(err, err2); err != nil {
		t.Error(err)
	}
	got.Proofs = []map[string]any{{"tree_size": size, "checkpoint": string(note), "hashes": hashes}}
}

// TestQueryBehind: a server that is behind what its receipts say is waited for. It was not rolled
// back.
func TestQueryBehind(t *testing.T) {
	w := memory(t)
	l := newLiar(t, w, 3)
	if _, err := w.client().Log(bounded(t), client.Event{Type: "x"}, client.WaitSealed); err != nil {
		t.Fatal(err) // so that the client's own event does not follow what it has seen
	}
	var asked atomic.Int64
	w.lie(func(a http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/consistency" && asked.Add(1) <= 8 {
			time.Sleep(10 * time.Millisecond) // beyond the time after which a log counts as rolled back
			a.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(a, `{"status":400,"parameter":"to","detail":"the log has 3 entries"}`)
			return
		}
		w.back.ServeHTTP(a, r)
	})
	r, err := l.c.Log(bounded(t), client.Event{Type: "x"}, client.WaitSealed)
	if err != nil || r.Status != client.Sealed || asked.Load() != 9 {
		t.Errorf("%+v %v, asked %d times", r, err, asked.Load())
	}
}

// TestOneRequestACheckpoint: events whose entries have one checkpoint wait for one proof of
// consistency, and callers may leave.
func TestOneRequestACheckpoint(t *testing.T) {
	w := memory(t)
	l := newLiar(t, w, 3)
	if _, err := w.client().Log(bounded(t), client.Event{Type: "x"}, client.WaitSealed); err != nil {
		t.Fatal(err)
	}
	release, asked := make(chan struct{}), atomic.Int64{}
	w.lie(func(a http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/consistency" {
			asked.Add(1)
			select {
			case <-release:
			case <-r.Context().Done():
				return
			}
		}
		w.back.ServeHTTP(a, r)
	})
	events := make([]client.Event, 50)
	for i := range events {
		events[i] = client.Event{Type: "x", Data: i}
	}
	left, leave := context.WithCancel(t.Context())
	gone, done := make(chan error, 1), make(chan error, 1)
	go func() { _, err := l.c.Log(left, client.Event{Type: "left"}, client.WaitSealed); gone <- err }()
	logtest.Until(t, "a question", func() bool { return asked.Load() > 0 })
	leave()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("who has left: %v", err)
	}
	before := asked.Load()
	go func() { _, err := l.c.LogBatch(bounded(t), events, client.WaitSealed); done <- err }()
	logtest.Until(t, "another question", func() bool { return asked.Load() > before })
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := asked.Load() - before; n > 2 { // one a batch, and the events may stand in two
		t.Errorf("%d requests for one checkpoint", n)
	}
}

// TestOutOfOrder: of two answers, the later one comes first, so that a question is asked. When the
// other one comes, the proofs of both show that they continue what was seen, and nobody waits for
// the answer to the question.
func TestOutOfOrder(t *testing.T) {
	w := memory(t)
	l := newLiar(t, w, 3)
	sealed, asked := make(chan struct{}), make(chan struct{})
	var posts atomic.Int64
	var once sync.Once
	w.lie(func(a http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/consistency" {
			once.Do(func() { close(asked) })
			<-r.Context().Done()
			return
		}
		w.back.ServeHTTP(a, r)
		if r.Method == http.MethodPost && posts.Add(1) == 1 {
			close(sealed)
			select {
			case <-asked:
			case <-r.Context().Done():
			}
		}
	})
	errs := make(chan error, 2)
	record := func() { _, err := l.c.Log(bounded(t), client.Event{Type: "x"}, client.WaitSealed); errs <- err }
	go record()
	<-sealed
	go record()
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	select {
	case <-asked:
	default:
		t.Error("nothing was asked")
	}
}
