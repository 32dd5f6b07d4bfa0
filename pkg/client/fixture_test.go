package client_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/ingest"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/internal/sealer"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/client"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
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

// start runs sealer, ingest and query over a log until the test ends, and returns once the first
// entry can be read.
func start(t testing.TB, log *store.Log, signer *proof.Signer) *world {
	t.Helper()
	key := signer.VerifierKey()
	l := logtest.New(t, log, func(c *sealer.Config) { c.Signer = signer })
	in, err := ingest.New(ingest.Config{Log: log, Keys: []string{key}})
	if err != nil {
		t.Fatal(err)
	}
	q, err := query.New(query.Config{Log: log, Keys: []string{key}})
	if err != nil {
		t.Fatal(err)
	}
	logtest.Run(t, "sealer", l.Sealer().Run)
	logtest.Run(t, "ingest", in.Run)
	logtest.Run(t, "query", q.Run)
	mux := http.NewServeMux()
	mux.Handle("/", q.Handler())
	mux.Handle("/v1/events", in.Handler())
	return serve(t, log, key, mux)
}

// serve is the world of a log whose API is a handler. It returns once the first entry can be read.
func serve(t testing.TB, log *store.Log, key string, api http.Handler) *world {
	t.Helper()
	w := &world{TB: t, log: log, key: key, back: api}
	w.server = httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(w.server.Close)
	logtest.Until(t, "the first checkpoint is served", func() bool {
		answer := httptest.NewRecorder()
		w.back.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/checkpoint", nil))
		return answer.Code == http.StatusOK
	})
	return w
}

func memory(t testing.TB) *world {
	return start(t, store.NewMemory("default"), logtest.Signer(t, logtest.Name))
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

// rewrite lets the server answer requests whose path contains part with something else than it
// would.
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

// older makes the server one that knows nothing of receipts with proofs.
func (w *world) older() {
	back := w.back
	w.back = http.HandlerFunc(func(a http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || !r.URL.Query().Has("proof") {
			back.ServeHTTP(a, r)
			return
		}
		a.Header().Set("Content-Type", "application/problem+json")
		a.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(a, `{"type":"urn:sealstream:problem:bad-request","title":"Bad Request","status":400,`+
			`"detail":"unknown parameter \"proof\"","field":"proof"}`)
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
	if _, err := store.Audit(ctx, w.log, audit.Config{Keys: []string{w.key}}); err != nil {
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
	if err != nil || e.Index != r.Index || e.EntryHash.String() != r.EntryHash ||
		list[r.Index].EntryHash.String() != r.EntryHash || string(cp.Note) != r.Checkpoint {
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
