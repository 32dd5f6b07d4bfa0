package query_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/query"
	"github.com/sealstream/sealstream/pkg/store"
)

// find is the SEALED message that holds an index, whose bytes are the store's own.
func (f *fixture) find(index uint64) entry.Message {
	f.Helper()
	at, err := store.FindBatch(f.Context(), f.log, index)
	if err != nil {
		f.Fatal(err)
	}
	m, err := f.log.Sealed.Get(f.Context(), at.Seq)
	if err != nil {
		f.Fatal(err)
	}
	return m
}

// flip changes a byte of text, so that what it is in stays well-formed; done again it is as before.
func flip(t *testing.T, b []byte, text string) {
	t.Helper()
	i := bytes.Index(b, []byte(text))
	if i < 0 {
		t.Fatalf("no %q", text)
	}
	b[i+len(text)] ^= 1
}

// isBad checks that every page of health says that something does not verify, and at which index.
func (f *fixture) isBad(index uint64, word string) {
	f.Helper()
	if p := f.refused(503, "GET", "/readyz"); !strings.Contains(p.Detail, fmt.Sprintf("index %d: %s", index, word)) {
		f.Fatalf("readyz says %s", p.Detail)
	}
	var s query.Stats
	if a := f.get("/v1/stats", &s); s.Index.Ready || s.Index.Valid || s.Index.Error == nil || !strings.Contains(*s.Index.Error, word) {
		f.Fatalf("stats say %s", a.body)
	}
	if st := f.q.Status(); st.Err == nil || !st.Corrupt {
		f.Fatalf("status says %+v", st)
	}
	var v query.Verdict
	if a := f.get("/v1/verify", &v); v.Valid || v.FirstBadIndex == nil || *v.FirstBadIndex != index || !strings.Contains(*v.Error, word) || v.TreeSize > index {
		f.Fatalf("verify says %s", a.body)
	}
	f.get("/healthz", &struct{}{})
}

// isWell checks that verify passes, and that all is well after it.
func (f *fixture) isWell() {
	f.Helper()
	var v query.Verdict
	if a := f.get("/v1/verify", &v); !v.Valid || v.Error != nil || v.FirstBadIndex != nil || v.TreeSize != f.size ||
		!strings.Contains(string(a.body), `"error":null,"first_bad_index":null`) {
		f.Fatalf("verify says %s", a.body)
	}
	f.get("/readyz", &struct{}{})
	if st := f.q.Status(); st.Err != nil || v.Root != st.Root {
		f.Fatalf("%+v", st)
	}
}

// TestAlteredLeaf alters SEALED after it was indexed: the entry is refused, the others are served.
func TestAlteredLeaf(t *testing.T) {
	f := newFixture(t)
	f.publishAll(tau(t, 100), 10)
	f.isWell()
	const index = 42
	e := f.scan()[index]
	m := f.find(index)
	for _, text := range []string{`"entry_id":"` + e.EntryID[:8], `"index":42`} {
		flip(t, m.Data, text)
		if p := f.refused(500, "GET", "/v1/entries/42"); p.Index == nil || *p.Index != index || !strings.Contains(p.Detail, "index 42: leaf") {
			t.Fatalf("%+v", p)
		}
		f.refused(500, "GET", "/v1/entries/42/proof")
		f.refused(500, "GET", "/v1/entries?limit=100")
		if err := f.q.Export(t.Context(), new(bytes.Buffer), query.Filter{}, query.JSON); !errors.As(err, new(*proof.MismatchError)) {
			t.Fatal(err)
		}
		f.isBad(index, "leaf")
		f.get("/v1/entries/43", &struct{}{})
		f.get("/v1/entries?limit=10", &struct{}{})
		flip(t, m.Data, text)
		f.isWell()
	}
	f.get("/v1/entries/42", &struct{}{})
}

// TestAlteredPayload alters PAYLOADS.
func TestAlteredPayload(t *testing.T) {
	f := newFixture(t)
	f.publishAll(tau(t, 100), 10)
	m, err := f.log.Payloads.Last(t.Context(), "audit.default.payloads")
	if err != nil {
		t.Fatal(err)
	}
	const index = 100
	for _, text := range []string{`\"tool\": \"`, `"salt":"`} {
		at := m.Data[bytes.LastIndexByte(bytes.TrimSuffix(m.Data, []byte("\n")), '\n')+1:]
		flip(t, at, text)
		if p := f.refused(500, "GET", "/v1/entries/100"); p.Index == nil || *p.Index != index || !strings.Contains(p.Detail, "payload") {
			t.Fatalf("%+v", p)
		}
		f.isBad(index, "payload")
		f.get("/v1/entries/99", &struct{}{})
		flip(t, at, text)
		f.isWell()
	}
}

// TestErasure removes a payload: without an erasure entry that is a failure, with one it is not shown any more.
func TestErasure(t *testing.T) {
	f := newFixture(t)
	f.publishAll(tau(t, 30), 10)
	const index = 17
	at, err := store.FindBatch(t.Context(), f.log, index)
	if err != nil {
		t.Fatal(err)
	}
	var shown struct{ Data json.RawMessage }
	if f.get("/v1/entries/17", &shown); shown.Data == nil {
		t.Fatal("no data")
	}
	payloads, err := store.Payloads(t.Context(), f.log, at.Batch.Payloads)
	if err != nil {
		t.Fatal(err)
	}
	var body []byte
	for i := at.Batch.First; i < at.Batch.Size; i++ {
		if p, there := payloads[i]; there && i != index {
			body = append(p.AppendRecord(body), '\n')
		}
	}
	rewritten := entry.Message{Subject: fmt.Sprintf("audit.default.payloads.%d", at.Batch.Payloads), Data: body}
	if _, err := f.log.Payloads.Append(t.Context(), rewritten, nil); err != nil {
		t.Fatal(err)
	}
	if err := f.log.Payloads.(store.Purger).SecureDelete(t.Context(), at.Batch.Payloads); err != nil {
		t.Fatal(err)
	}
	f.serve(query.Config{Log: f.log, Keys: []string{f.key}})
	f.await()
	if p := f.refused(500, "GET", "/v1/entries/17"); !strings.Contains(p.Detail, "no erasure entry names it") {
		t.Fatalf("%+v", p)
	}
	f.isBad(index, "payload")
	erasure := entry.Erasure{Indexes: []uint64{index}, Reason: "asked for", Authority: "the person concerned"}
	control := entry.FormatControl(uuid.NewString(), f.signer.Origin(), entry.TypeErasure, erasure.AppendJSON(nil))
	if _, err := f.log.Events.Append(t.Context(), entry.Message{Subject: "audit.default.control", Data: control}, nil); err != nil {
		t.Fatal(err)
	}
	f.size++
	f.await()
	shown.Data = nil
	if a := f.get("/v1/entries/17?raw=1", &shown); shown.Data != nil || strings.Contains(string(a.body), "salt") {
		t.Fatalf("erased, but shown: %s", a.body)
	}
	f.get("/v1/entries/18", &shown)
	if shown.Data == nil {
		t.Fatal("another payload of the batch is gone")
	}
	f.isWell()
	r, err := proof.AuditExport(proof.AuditConfig{Keys: []string{f.key}}, lines(f.export(url.Values{})))
	if err != nil || r.Erased != 1 {
		t.Fatalf("%v %+v", err, r)
	}
}

// TestErasedAtOnce: what an erasure entry names is not shown, though its bytes are in the store and in memory still.
func TestErasedAtOnce(t *testing.T) {
	f := newFixture(t)
	f.publishAll(tau(t, 10), 10)
	f.get("/v1/entries?raw=1", &struct{}{})
	erasure := entry.Erasure{Indexes: []uint64{3, 4}, Reason: "asked for", Authority: "the person concerned"}
	control := entry.FormatControl(uuid.NewString(), f.signer.Origin(), entry.TypeErasure, erasure.AppendJSON(nil))
	if _, err := f.log.Events.Append(t.Context(), entry.Message{Subject: "audit.default.control", Data: control}, nil); err != nil {
		t.Fatal(err)
	}
	f.size++
	f.await()
	var p page
	f.get("/v1/entries?raw=1", &p)
	for i, raw := range p.Entries {
		if has := bytes.Contains(raw, []byte(`"data_raw"`)); has != (i > 0 && i < 11 && i != 3 && i != 4) {
			t.Fatalf("data of index %d shown: %t", i, has)
		}
	}
}

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
	f.until("the bad batch is seen", func() bool { return f.q.Status().Corrupt })
	f.isBad(21, "leaf")
	if err := f.q.Await(t.Context(), 22); !errors.As(err, new(*proof.MismatchError)) {
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
	f.serve(query.Config{Log: f.log, Keys: []string{newSigner(t).VerifierKey()}})
	f.until("the key is seen to be another", func() bool { return f.q.Status().Corrupt })
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
	void, err := f.log.Sealed.Append(t.Context(), entry.Message{Subject: "audit.default.sealed", Data: []byte("rubbish")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	f.publishAll(tau(t, 20)[10:], 10)
	var s query.Stats
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
	f.until("the cut is seen", func() bool { return f.q.Status().Corrupt })
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
	f.log = &store.Log{Name: "default", Events: whole.Events, Sealed: b, Payloads: whole.Payloads}
	f.serve(query.Config{Log: f.log, Keys: []string{f.key}})
	f.until("the trouble is seen", func() bool { return errors.Is(f.q.Ready(), errDown) })
	for _, path := range []string{"/v1/entries", "/v1/entries/1", "/v1/export", "/checkpoint", "/v1/verify", "/v1/consistency?from=1&to=2"} {
		if p := f.refused(503, "GET", path); strings.Contains(p.Detail, "secret-host") {
			t.Fatalf("%s tells the inside: %s", path, p.Detail)
		}
	}
	f.get("/healthz", &struct{}{})
	b.down.Store(false)
	f.await()
	f.until("it is well again", func() bool { return f.q.Ready() == nil })
	f.isWell()

	b.down.Store(true) // while it follows
	f.publish(tau(t, 21)[20])
	f.until("the trouble is seen", func() bool { return errors.Is(f.q.Ready(), errDown) })
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
	f.until("it is ready", func() bool { return f.q.Ready() == nil })
	f.refused(404, "GET", "/checkpoint")
	f.refused(404, "GET", "/v1/entries/0")
	f.refused(400, "GET", "/v1/consistency?from=0&to=1")
	if a := f.do("GET", "/v1/entries"); string(a.body) != `{"entries":[],"next_cursor":null,"tree_size":0}`+"\n" {
		t.Fatalf("%s", a.body)
	}
	var v query.Verdict
	if f.get("/v1/verify", &v); !v.Valid || v.TreeSize != 0 || v.Root != entry.FormatHash(proof.EmptyRoot) {
		t.Fatalf("%+v", v)
	}
	var s query.Stats
	if f.get("/v1/stats", &s); s.TreeSize != 0 || !s.Index.Ready || s.Keys == nil {
		t.Fatalf("%+v", s)
	}
}
