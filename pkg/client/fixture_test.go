package client_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealstream/sealstream/pkg/client"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/ingest"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/query"
	"github.com/sealstream/sealstream/pkg/sealer"
	"github.com/sealstream/sealstream/pkg/store"
)

// world is a whole log behind one URL, whose front can be changed while it runs.
type world struct {
	testing.TB
	log    *store.Log
	key    string
	server *httptest.Server
	front  atomic.Pointer[func(http.ResponseWriter, *http.Request)] // in place of the handler
	back   http.Handler
	posts  atomic.Int64
}

func newKey(t testing.TB) *proof.Signer {
	t.Helper()
	skey, _, err := proof.GenerateKey("test.local", "default")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := proof.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// start runs sealer, ingest and query over a log until the test ends.
func start(t testing.TB, log *store.Log, signer *proof.Signer) *world {
	t.Helper()
	w := &world{TB: t, log: log, key: signer.VerifierKey()}
	sc := sealer.Config{Log: log, Signer: signer, Secret: bytes.Repeat([]byte{1}, 32), KeepEvents: true}
	if err := sealer.Create(t.Context(), sc, true); err != nil {
		t.Fatal(err)
	}
	s, err := sealer.New(sc)
	if err != nil {
		t.Fatal(err)
	}
	in, err := ingest.New(ingest.Config{Log: log, Keys: []string{w.key}})
	if err != nil {
		t.Fatal(err)
	}
	q, err := query.New(query.Config{Log: log, Keys: []string{w.key}})
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range []func(context.Context) error{s.Run, in.Run, q.Run} {
		w.background(run)
	}
	mux := http.NewServeMux()
	mux.Handle("/", q.Handler())
	mux.Handle("/v1/events", in.Handler())
	w.back = mux
	w.server = httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(w.server.Close)
	return w
}

func memory(t testing.TB) *world { return start(t, store.NewMemory("default"), newKey(t)) }

func (w *world) background(run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	w.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			w.Errorf("a part ended: %v", err)
		}
	})
}

func (w *world) serve(a http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		w.posts.Add(1)
	}
	if front := w.front.Load(); front != nil {
		(*front)(a, r)
		return
	}
	w.back.ServeHTTP(a, r)
}

// lie puts something in front of the server; nil takes it away.
func (w *world) lie(front func(a http.ResponseWriter, r *http.Request)) {
	if front == nil {
		w.front.Store(nil)
		return
	}
	w.front.Store(&front)
}

// rewrite lets the server answer requests whose path contains part with something else than it would.
func (w *world) rewrite(part string, change func(body string) string) {
	w.lie(func(a http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.URL.Path, part) {
			w.back.ServeHTTP(a, r)
			return
		}
		rec := httptest.NewRecorder()
		w.back.ServeHTTP(rec, r)
		for name, values := range rec.Header() {
			if name != "Content-Length" {
				a.Header()[name] = values
			}
		}
		a.WriteHeader(rec.Code)
		a.Write([]byte(change(rec.Body.String())))
	})
}

// client makes a client of the world's log, with its key unless the config says otherwise.
func (w *world) client(change ...func(*client.Config)) *client.Client {
	w.Helper()
	cfg := client.Config{Server: w.server.URL, Key: w.key, Agent: "did:web:agents.example:a"}
	for _, c := range change {
		c(&cfg)
	}
	c, err := client.New(cfg)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := c.Close(ctx); err != nil {
			w.Error(err)
		}
	})
	return c
}

// entries audits the log and returns its entries, once all of EVENTS is sealed.
func (w *world) entries() []entry.Entry {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	info, err := w.log.Events.Info(ctx)
	if err != nil {
		w.Fatal(err)
	}
	for {
		if _, err := store.FindInput(ctx, w.log, 1, info.Last); err == nil {
			break
		} else if ctx.Err() != nil {
			w.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	if _, err := store.Audit(ctx, w.log, proof.AuditConfig{Keys: []string{w.key}}); err != nil {
		w.Fatalf("audit: %v", err)
	}
	var list []entry.Entry
	for s, err := range (store.Follower{Log: w.log, Keys: []string{w.key}, Stop: true}).Batches(ctx) {
		if err != nil {
			w.Fatal(err)
		}
		list = append(list, s.Entries...)
	}
	return list
}

// proven holds a receipt against the log.
func (w *world) proven(r client.Receipt, list []entry.Entry) {
	w.Helper()
	if r.Proof == nil || r.Index == 0 || r.Index >= uint64(len(list)) {
		w.Fatalf("receipt %+v", r)
	}
	e, cp, err := r.Proof.Check(w.key)
	if err != nil || e.Index != r.Index || e.EntryHash != r.EntryHash || list[r.Index].EntryHash != r.EntryHash || string(cp.Note) != r.Checkpoint {
		w.Errorf("receipt %+v: proof of index %d: %v", r, e.Index, err)
	}
	if source, id := e.Claim(); source != r.AgentDID || id != r.EntryID {
		w.Errorf("receipt %+v for %s", r, e.Leaf)
	}
}

// bounded is a context that no test outlives.
func bounded(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func parallel(n int, f func(i int)) {
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { f(i) })
	}
	group.Wait()
}
