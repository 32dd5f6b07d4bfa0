package query_test

import (
	"bytes"
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
)

// TestBadLog appends a batch that does not verify: what stands before it is served on, and every page says so.
func TestBadLog(t *testing.T) {
	f := newFixture(t)
	f.publishAll(tau(t, 20), 10)
	copied := copyOf(t, f.log)
	f.publishAll(tau(t, 30)[20:], 10)
	m := f.find(21)
	bad := entry.Message{Subject: m.Subject, Header: m.Header, Data: bytes.Clone(m.Data)}
	flip(t, bad.Data, `"outcome":"`)
	f.log = copied
	f.size = 21
	f.serve(query.Config{Log: f.log, Keys: []string{f.key}})
	f.await()
	f.isWell()
	if _, err := f.log.Sealed.Append(t.Context(), bad, nil); err != nil {
		t.Fatal(err)
	}
	logtest.Until(f, "the bad batch is seen", func() bool { return f.q.Status().Corrupt })
	f.isBad(21, "leaf")
	if err := f.q.Await(t.Context(), 22); !errors.As(err, new(*audit.MismatchError)) {
		t.Fatal(err)
	}
	var p page
	f.get("/v1/entries?limit=1000", &p)
	if len(p.Entries) != 21 || p.TreeSize != 21 {
		t.Fatalf("%d entries served, tree size %d", len(p.Entries), p.TreeSize)
	}
	f.get("/v1/entries/20/proof", &struct{}{})
	if a := f.do("GET", "/checkpoint"); a.StatusCode != 200 {
		t.Fatal(a.Status)
	}
}

// copyOf copies SEALED and PAYLOADS into a log of their own.
func copyOf(t *testing.T, log *store.Log) *store.Log {
	t.Helper()
	copied := store.NewMemory(log.Name)
	for _, s := range [][2]store.Stream{{log.Sealed, copied.Sealed}, {log.Payloads, copied.Payloads}} {
		info, err := s[0].Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for seq := uint64(1); seq <= info.Last; seq++ {
			m, err := s[0].Get(t.Context(), seq)
			if err == nil {
				_, err = s[1].Append(t.Context(), m, nil)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return copied
}

// TestOtherKey: a log that another key signed is not served at all.
func TestOtherKey(t *testing.T) {
	f := newFixture(t)
	f.publishAll(tau(t, 5), 5)
	f.serve(query.Config{Log: f.log, Keys: []string{logtest.Signer(t, logtest.Name).VerifierKey()}})
	logtest.Until(f, "the key is seen to be another", func() bool { return f.q.Status().Corrupt })
	var p page
	if f.get("/v1/entries", &p); len(p.Entries) != 0 || p.TreeSize != 0 {
		t.Fatalf("served: %v", p)
	}
	f.refused(404, "GET", "/checkpoint")
	f.isBad(0, "signature")
}

// TestVoid: a message that does not continue the log is skipped, and told.
func TestVoid(t *testing.T) {
	f := newFixture(t)
	f.publishAll(tau(t, 10), 10)
	void, err := f.log.Sealed.Append(t.Context(),
		entry.Message{Subject: "audit.default.sealed", Data: []byte("rubbish")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	f.publishAll(tau(t, 20)[10:], 10)
	var s api.Stats
	f.get("/v1/stats", &s)
	if len(s.Index.Void) != 1 || s.Index.Void[0] != void || s.Index.Lag != 0 || !s.Index.Ready {
		t.Fatalf("%+v", s.Index)
	}
	f.serve(query.Config{Log: f.log})
	f.await()
	if st := f.q.Status(); len(st.Void) != 1 {
		t.Fatalf("%+v", st)
	}
	f.isWell()
}

// TestCut: SEALED that ends before what was verified is told, though there is nothing to read.
func TestCut(t *testing.T) {
	f := newFixture(t)
	f.publishAll(tau(t, 20), 10)
	whole, part := f.log.Sealed, copyOf(t, f.log)
	swap := &swapped{Stream: whole}
	f.log = &store.Log{Name: "default", Sealed: swap, Payloads: f.log.Payloads}
	f.serve(query.Config{Log: f.log, Keys: []string{f.key}})
	f.await()
	last := f.q.Status().SealedSeq
	part.Sealed = store.NewMemoryStream()
	for seq := uint64(1); seq < last; seq++ {
		m, err := whole.Get(t.Context(), seq)
		if err == nil {
			_, err = part.Sealed.Append(t.Context(), m, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	swap.other.Store(&part.Sealed)
	logtest.Until(f, "the cut is seen", func() bool { return f.q.Status().Corrupt })
	if p := f.refused(503, "GET", "/readyz"); !strings.Contains(p.Detail, "cut") {
		t.Fatal(p.Detail)
	}
	var v query.Verdict
	if a := f.get("/v1/verify", &v); v.Valid || !strings.Contains(*v.Error, "cut") {
		t.Fatalf("%s", a.body)
	}
}

// swapped is a stream in whose place another one comes.
type swapped struct {
	store.Stream
	other atomic.Pointer[store.Stream]
}

func (s *swapped) now() store.Stream {
	if o := s.other.Load(); o != nil {
		return *o
	}
	return s.Stream
}

func (s *swapped) Info(ctx context.Context) (store.Info, error) { return s.now().Info(ctx) }
func (s *swapped) Get(ctx context.Context, seq uint64) (entry.Message, error) {
	return s.now().Get(ctx, seq)
}
func (s *swapped) Read(ctx context.Context, from uint64) (store.Reader, error) {
	return s.now().Read(ctx, from)
}

// broken is a stream that fails as long as it is told to.
type broken struct {
	store.Stream
	down atomic.Bool
}

var errDown = errors.New("connection refused by secret-host:4222")

func (b *broken) Info(ctx context.Context) (store.Info, error) {
	if b.down.Load() {
		return store.Info{}, errDown
	}
	return b.Stream.Info(ctx)
}

func (b *broken) Get(ctx context.Context, seq uint64) (entry.Message, error) {
	if b.down.Load() {
		return entry.Message{}, errDown
	}
	return b.Stream.Get(ctx, seq)
}

func (b *broken) Read(ctx context.Context, from uint64) (store.Reader, error) {
	if b.down.Load() {
		return nil, errDown
	}
	r, err := b.Stream.Read(ctx, from)
	return brokenReader{r, b}, err
}

type brokenReader struct {
	store.Reader
	b *broken
}

func (r brokenReader) Next(ctx context.Context, limit int) ([]entry.Message, error) {
	list, err := r.Reader.Next(ctx, limit)
	if r.b.down.Load() {
		return nil, errDown
	}
	return list, err
}

// TestStoreDown: a store that fails is waited for; meanwhile nothing is made up, and afterwards nothing is missing.
func TestStoreDown(t *testing.T) {
	f := newFixture(t)
	f.publishAll(tau(t, 20), 5)
	b := &broken{Stream: f.log.Sealed}
	b.down.Store(true)
	whole := f.log
	failing := *whole
	failing.Sealed = b
	f.log = &failing
	f.serve(query.Config{Log: f.log, Keys: []string{f.key}})
	logtest.Until(f, "the trouble is seen", func() bool { return errors.Is(f.q.Ready(), errDown) })
	for _, path := range []string{
		"/v1/entries", "/v1/entries/1", "/v1/export", "/checkpoint", "/v1/verify", "/v1/consistency?from=1&to=2",
	} {
		if p := f.refused(503, "GET", path); strings.Contains(p.Detail, "secret-host") {
			t.Fatalf("%s tells the inside: %s", path, p.Detail)
		}
	}
	f.get("/healthz", &struct{}{})
	b.down.Store(false)
	f.await()
	logtest.Until(f, "it is well again", func() bool { return f.q.Ready() == nil })
	f.isWell()

	b.down.Store(true) // while it follows
	f.publish(tau(t, 21)[20])
	logtest.Until(f, "the trouble is seen", func() bool { return errors.Is(f.q.Ready(), errDown) })
	if a := f.do("GET", "/checkpoint"); a.StatusCode != 200 {
		t.Fatalf("what was verified is not served: %s", a.Status)
	}
	f.refused(503, "GET", "/v1/entries/1")
	b.down.Store(false)
	f.await()
	f.isWell()
	f.get("/v1/entries/21", &struct{}{})
}

// TestNotAccepting: readyz asks whether events are accepted.
func TestNotAccepting(t *testing.T) {
	f := newFixture(t)
	var closed atomic.Bool
	f.serve(query.Config{Log: f.log, Accepting: func() error {
		if closed.Load() {
			return errors.New("the sealer has stopped")
		}
		return nil
	}})
	f.await()
	f.get("/readyz", &struct{}{})
	closed.Store(true)
	if p := f.refused(503, "GET", "/readyz"); p.Detail != "the sealer has stopped" {
		t.Fatal(p.Detail)
	}
	f.get("/v1/entries", &struct{}{})
}

// TestEmptyLog: nothing is sealed yet.
func TestEmptyLog(t *testing.T) {
	f := &fixture{T: t, log: store.NewMemory("default")}
	f.serve(query.Config{Log: f.log})
	logtest.Until(f, "it is ready", func() bool { return f.q.Ready() == nil })
	f.refused(404, "GET", "/checkpoint")
	f.refused(404, "GET", "/v1/entries/0")
	f.refused(400, "GET", "/v1/consistency?from=0&to=1")
	if a := f.do("GET", "/v1/entries"); string(a.body) != `{"entries":[],"next_cursor":null,"tree_size":0}`+"\n" {
		t.Fatalf("%s", a.body)
	}
	var v query.Verdict
	if f.get("/v1/verify", &v); !v.Valid || v.TreeSize != 0 || v.Root != merkle.EmptyRoot.String() {
		t.Fatalf("%+v", v)
	}
	var s api.Stats
	if f.get("/v1/stats", &s); s.TreeSize != 0 || !s.Index.Ready || s.Keys == nil {
		t.Fatalf("%+v", s)
	}
}

// TestNewerFormat: a SEALED message of a later format ends what this release can index, and is told.
func TestNewerFormat(t *testing.T) {
	f := newFixture(t)
	f.publishAll(tau(t, 10), 10)
	m := f.find(1)
	header := entry.Header{}
	for name, values := range m.Header {
		header[name] = values
	}
	header["Sealstream-Version"] = []string{"2"}
	f.log = copyOf(t, f.log)
	if _, err := f.log.Sealed.Append(t.Context(), entry.Message{Subject: m.Subject, Header: header, Data: m.Data},
		nil); err != nil {
		t.Fatal(err)
	}
	f.serve(query.Config{Log: f.log})
	logtest.Until(f, "the version is seen", func() bool { return errors.Is(f.q.Ready(), sealedlog.ErrVersion) })
	f.await()
	f.get("/v1/entries/10", &struct{}{})
	f.refused(503, "GET", "/readyz")
}

// TestBuilding: before the index has reached the log's end, nothing is answered that would look whole.
func TestBuilding(t *testing.T) {
	q, err := query.New(query.Config{Log: store.NewMemory("default")})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{T: t, server: httptest.NewServer(q.Handler())}
	defer f.server.Close()
	for _, path := range []string{
		"/v1/entries", "/v1/entries/0", "/v1/entries/id/x", "/v1/entries/0/proof", "/v1/export", "/checkpoint",
		"/readyz",
	} {
		f.refused(503, "GET", path)
		if a := f.do("GET", path); a.Header.Get("Retry-After") != "1" {
			t.Errorf("%s: Retry-After %q", path, a.Header.Get("Retry-After"))
		}
	}
	for _, cfg := range []query.Config{
		{}, {Log: store.NewMemory("Bad Name")}, {Log: store.NewMemory("x"), CacheBytes: -1},
		{Log: store.NewMemory("x"), MaxExports: -1},
	} {
		if _, err := query.New(cfg); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}
