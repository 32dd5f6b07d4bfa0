package query_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
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
