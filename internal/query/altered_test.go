package query_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
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
	var s api.Stats
	if a := f.get("/v1/stats", &s); s.Index.Ready || s.Index.Valid || s.Index.Error == nil ||
		!strings.Contains(*s.Index.Error, word) {
		f.Fatalf("stats say %s", a.body)
	}
	if st := f.q.Status(); st.Err == nil || !st.Corrupt {
		f.Fatalf("status says %+v", st)
	}
	var v query.Verdict
	if a := f.get("/v1/verify", &v); v.Valid || v.FirstBadIndex == nil || *v.FirstBadIndex != index ||
		!strings.Contains(*v.Error, word) || v.TreeSize > index {
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
		if p := f.refused(500, "GET", "/v1/entries/42"); p.Index == nil || *p.Index != index ||
			!strings.Contains(p.Detail, "index 42: leaf") {
			t.Fatalf("%+v", p)
		}
		f.refused(500, "GET", "/v1/entries/42/proof")
		f.refused(500, "GET", "/v1/entries?limit=100")
		if err := f.q.Export(t.Context(), new(bytes.Buffer), api.Filter{}, query.JSON); !errors.As(err,
			new(*audit.MismatchError)) {
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

// TestAlteredPayload alters PAYLOADS: the entry is shown without its data and says why, everything
// else is shown in full, and nobody is turned away.
func TestAlteredPayload(t *testing.T) {
	f := newFixture(t)
	var board health.Board
	f.serve(query.Config{Log: f.log, Keys: []string{f.key}, Health: &board})
	f.publishAll(tau(t, 100), 10)
	m, err := f.log.Payloads.Last(t.Context(), "audit.default.payloads")
	if err != nil {
		t.Fatal(err)
	}
	const index = 100
	for _, text := range []string{`\"tool\": \"`, `"salt":"`} {
		at := m.Data[bytes.LastIndexByte(bytes.TrimSuffix(m.Data, []byte("\n")), '\n')+1:]
		flip(t, at, text)
		f.isUnreadable(index)
		if w := board.Worst(); w.Name != "unreadable" || w.State != health.Warning ||
			!strings.Contains(w.Text, "the data of 1 entries cannot be read, first: ") {
			t.Fatalf("the board says %+v", w)
		}
		flip(t, at, text)
		f.isWell()
		if w := board.Worst(); w.State != health.OK {
			t.Fatalf("the board says %+v", w)
		}
		if s := f.q.Status(); s.Unreadable != 0 || s.DataErr != nil {
			t.Fatalf("%+v", s)
		}
	}
	f.isShown(index)
}

// shownData is what an answer says of the data of an entry.
type shownData struct {
	Index     uint64
	Data      json.RawMessage
	DataError string `json:"data_error"`
}

// isShown checks that an entry is shown with its data, alone, in a page and on a stream.
func (f *fixture) isShown(index uint64) {
	f.Helper()
	for from, e := range f.everywhere(index) {
		if e.Index != index || e.Data == nil || e.DataError != "" {
			f.Fatalf("%s: %+v", from, e)
		}
	}
}

// everywhere is the newest entry as the ways to read it alone and with others show it.
func (f *fixture) everywhere(index uint64) map[string]shownData {
	f.Helper()
	all := map[string]shownData{}
	var one shownData
	f.get(fmt.Sprintf("/v1/entries/%d", index), &one)
	all["alone"] = one
	var p struct{ Entries []shownData }
	if f.get("/v1/entries?limit=1000", &p); uint64(len(p.Entries)) != f.size || f.size != index+1 {
		f.Fatalf("a page of %d entries, the log has %d", len(p.Entries), f.size)
	}
	for _, e := range p.Entries[1:index] {
		if e.Data == nil || e.DataError != "" {
			f.Fatalf("a page, another entry: %+v", e)
		}
	}
	all["in a page"] = p.Entries[index]
	ctx, cancel := context.WithTimeout(f.Context(), logtest.Bound)
	defer cancel()
	s, body := f.stream(ctx, f.server.Client(), fmt.Sprintf("/v1/stream?from_index=%d", index), "")
	defer body.Close()
	e, comment, err := s.next()
	for ; comment; e, comment, err = s.next() {
	}
	var streamed shownData
	if err != nil || json.Unmarshal([]byte(e.data), &streamed) != nil {
		f.Fatalf("%v %+v", err, e)
	}
	all["on a stream"] = streamed
	return all
}

// isUnreadable checks that the newest entry, and it alone, is shown without its data, that every
// form of export marks it, and that all who ask whether to come here are told yes.
func (f *fixture) isUnreadable(index uint64) {
	f.Helper()
	for range 2 {
		for from, e := range f.everywhere(index) {
			if e.Index != index || e.Data != nil || !strings.HasPrefix(e.DataError, "PAYLOADS sequence ") &&
				!strings.Contains(e.DataError, "no erasure entry names it") {
				f.Fatalf("%s: %+v", from, e)
			}
		}
	}
	for format, mark := range map[query.Format]string{
		query.JSONL: `"data_error":"`, query.JSON: `"data_error":"`, query.CloudEvents: `"sealdataerror":"`,
		query.CloudEventLines: `"sealdataerror":"`, query.CSV: `data_hash`,
	} {
		a := f.do("GET", "/v1/export?format="+string(format))
		_, last, _ := strings.Cut(string(a.body), mark)
		if format == query.CSV {
			rows := records(f.T, a.body)
			at := slices.Index(query.CSVColumns, "data_error")
			last = rows[len(rows)-1][at]
			rest := ""
			for _, row := range rows[1 : len(rows)-1] {
				rest += row[at]
			}
			if uint64(len(rows)) != f.size+1 || rest != "" {
				f.Fatalf("csv: %d rows, other marks %q", len(rows), rest)
			}
		}
		if a.StatusCode != 200 || a.err != nil || last == "" {
			f.Fatalf("export as %s: %s %v, the entry is not marked", format, a.Status, a.err)
		}
	}
	_, err := audit.Export(audit.Config{Keys: []string{f.key}}, lines(f.export(url.Values{})))
	if m, ok := errors.AsType[*audit.MismatchError](err); !ok || m.Index != index || m.What != "payload" {
		f.Fatalf("the export is found to be %v", err)
	}
	f.get(fmt.Sprintf("/v1/entries/%d/proof", index), &struct{}{})
	if p := f.refused(500, "GET", fmt.Sprintf("/v1/entries/%d/proof?raw=1", index)); p.Index == nil ||
		*p.Index != index {
		f.Fatalf("%+v", p)
	}
	var v query.Verdict
	if a := f.get("/v1/verify", &v); v.Valid || v.FirstBadIndex == nil || *v.FirstBadIndex != index ||
		!strings.Contains(*v.Error, "payload") {
		f.Fatalf("verify says %s", a.body)
	}
	f.get("/readyz", &struct{}{})
	var s api.Stats
	if a := f.get("/v1/stats", &s); !s.Index.Ready || s.Index.Valid || s.Index.Unreadable != 1 ||
		s.Index.Error == nil || !strings.Contains(*s.Index.Error, "payload") {
		f.Fatalf("stats say %s", a.body)
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
	var lost shownData
	if f.get("/v1/entries/17", &lost); lost.Data != nil ||
		!strings.Contains(lost.DataError, "no erasure entry names it") {
		t.Fatalf("%+v", lost)
	}
	if s := f.q.Status(); s.Unreadable != 1 || s.DataErr == nil || s.Err != nil {
		t.Fatalf("%+v", s)
	}
	erasure := entry.Erasure{Indexes: []uint64{index}, Reason: "asked for", Authority: "the person concerned"}
	control := inbox.FormatControl(uuid.NewString(), f.signer.Origin(), entry.TypeErasure, erasure.AppendJSON(nil))
	if _, err := f.log.Events.Append(t.Context(), entry.Message{Subject: "audit.default.control", Data: control},
		nil); err != nil {
		t.Fatal(err)
	}
	f.size++
	f.await()
	shown.Data = nil
	if a := f.get("/v1/entries/17?raw=1", &shown); shown.Data != nil || strings.Contains(string(a.body), "salt") ||
		strings.Contains(string(a.body), "data_error") {
		t.Fatalf("erased, but shown: %s", a.body)
	}
	if s := f.q.Status(); s.Unreadable != 0 {
		t.Fatalf("erased, but told as unreadable: %+v", s)
	}
	f.get("/v1/entries/18", &shown)
	if shown.Data == nil {
		t.Fatal("another payload of the batch is gone")
	}
	f.isWell()
	r, err := audit.Export(audit.Config{Keys: []string{f.key}}, lines(f.export(url.Values{})))
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
	control := inbox.FormatControl(uuid.NewString(), f.signer.Origin(), entry.TypeErasure, erasure.AppendJSON(nil))
	if _, err := f.log.Events.Append(t.Context(), entry.Message{Subject: "audit.default.control", Data: control},
		nil); err != nil {
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
