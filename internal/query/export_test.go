package query_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// lines yields the lines of an export as AuditExport takes them.
func lines(export []byte) func(yield func([]byte, error) bool) {
	return func(yield func([]byte, error) bool) {
		for line := range bytes.Lines(export) {
			if !yield(bytes.TrimSuffix(line, []byte("\n")), nil) {
				return
			}
		}
	}
}

func (f *fixture) export(values url.Values) []byte {
	f.Helper()
	a := f.do("GET", "/v1/export?"+values.Encode())
	if a.StatusCode != 200 || a.err != nil {
		f.Fatalf("export %v: %s %v\n%s", values, a.Status, a.err, a.body)
	}
	return a.body
}

// TestExports audits whole and filtered exports with the oracle, and compares what is in them with a naive scan.
func TestExports(t *testing.T) {
	f := newFixture(t)
	events := slices.Concat(tau(t, 200), generated(rand.New(rand.NewPCG(1, 3)), 200), eventsOf(2, 400))
	f.publishAll(append(events, []byte(`{"bad":1}`),
		event("b", map[string]any{"data_base64": "AAH/", "datacontenttype": "x/y"})), 50)
	all := f.scan()
	for _, values := range []url.Values{
		{}, {"format": {"jsonl"}}, {"agent": {"did:key:z6Mk/x y&z=%2F?#+"}}, {"action": {"allow", "deny"}, "outcome": {"success"}},
		{"from": {"2024-05-15T20:00:00Z"}}, {"type": {"policy_violation"}, "from": {"2023-11-14T22:13:20Z"}, "to": {"2023-11-14T22:20:00.000001Z"}},
		{"agent": {"nobody"}}, {"type": {entry.TypeRejected, entry.TypeConfig}},
	} {
		export := f.export(values)
		m, err := proof.ParseManifest(export[:bytes.IndexByte(export, '\n')])
		if err != nil {
			t.Fatal(err)
		}
		report, err := audit.Export(audit.Config{Keys: []string{f.key}}, lines(export))
		if err != nil || report.Size != f.size || !report.DataChecked {
			t.Fatalf("%v: %v %+v", values, err, report)
		}
		var got []uint64
		for line := range bytes.Lines(export[bytes.IndexByte(export, '\n')+1:]) {
			_, e, err := proof.ParseExportLine(bytes.TrimSuffix(line, []byte("\n")))
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e.Index)
		}
		want := naive(all, values)
		values.Del("format")
		if !slices.Equal(got, want) || m.Count != uint64(len(want)) || m.Whole() != (len(values) == 0) ||
			len(m.Filters) != len(values) {
			t.Fatalf("%v: %d of %d entries, manifest %+v", values, len(got), len(want), m)
		}
	}
}

// TestExportJSON: the same entries, as the API shows them with raw.
func TestExportJSON(t *testing.T) {
	f := newFixture(t)
	f.publishAll(generated(rand.New(rand.NewPCG(1, 4)), 300), 50)
	for _, values := range []url.Values{{}, {"action": {"deny"}}, {"agent": {"nobody"}}} {
		values.Set("format", "json")
		var doc struct {
			Metadata json.RawMessage
			Entries  []json.RawMessage
		}
		export := f.export(values)
		if err := json.Unmarshal(export, &doc); err != nil {
			t.Fatal(err)
		}
		m, err := proof.ParseManifest(doc.Metadata)
		if err != nil || m.Count != uint64(len(doc.Entries)) || int(m.Count) != len(naive(f.scan(), values)) ||
			doc.Entries == nil {
			t.Fatalf("%v: %d entries, %v, %s", values, len(doc.Entries), err, doc.Metadata)
		}
		for _, raw := range doc.Entries {
			var e struct {
				Index       uint64
				Leaf        string
				MerkleProof proof.Path `json:"merkle_proof"`
			}
			if err := json.Unmarshal(raw, &e); err != nil {
				t.Fatal(err)
			}
			if m.Whole() {
				if e.MerkleProof != nil {
					t.Fatalf("a proof in a whole export: %s", raw)
				}
			} else if err := proof.CheckInclusion(entry.LeafHash([]byte(e.Leaf)), e.Index, m.Size, e.MerkleProof,
				hash(t, m.Root)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestExportCloudEvents reads the export with the SDK and with this module's own strict parser, and
// compares it with what was published.
func TestExportCloudEvents(t *testing.T) {
	f := newFixture(t)
	published := slices.Concat(tau(t, 100), generated(rand.New(rand.NewPCG(1, 5)), 100), eventsOf(3, 1000))
	published = append(published,
		[]byte(`{"specversion":"1.0","id":"big","source":"a%zz:b c","type":"x.y",`+
			`"time":"2024-01-01T00:00:00.1234567890120Z","agentseq":4294967296,"flag":true,"n":-7,`+
			`"data":[12345678901234567890,1e400]}`),
		[]byte(`{"specversion":"1.0","id":"text","source":"urn:a","type":"x.y","datacontenttype":"text/plain",`+
			`"dataschema":"http://x/%zz y","data":"a\n\"\u2028ü<>&"}`),
		[]byte(`{"specversion":"1.0","id":"bin","source":"urn:a","type":"x.y","datacontenttype":"image/png",`+
			`"data_base64":"AAH/"}`),
		[]byte(`{"specversion":"1.0","id":"spaced","source":"urn:a","type":"x.y","data_base64":"IHsiYSI6MX0g"}`),
		[]byte(`{"specversion":"1.0","id":"invalid","source":"urn:a","type":"x.y","data_base64":"e30gew=="}`),
		[]byte(`{"specversion":"1.0","id":"empty","source":"urn:a","type":"x.y","datacontenttype":"text/plain",`+
			`"data":""}`),
		[]byte(`{"specversion":"1.0","id":"none","source":"urn:a","type":"ai.agentmesh.audit.integrity.verified",`+
			`"agentprev":"`+entry.Hash{}.String()+`","agentsignature":"s"}`),
		[]byte(`{"specversion":"1.0","id":"trace","source":"urn:a","type":"x.y",`+
			`"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}`),
	)
	f.publishAll(published, 40)
	f.publish([]byte(`{"id":"refused"}`))
	f.publish(published[0], published[1])
	f.size-- // two repeats make one entry
	f.publish(event("none", map[string]any{"source": "urn:a", "data": "other"}))
	f.await()
	export := f.export(url.Values{"format": {"cloudevents"}})
	var raws []json.RawMessage
	if err := json.Unmarshal(export, &raws); err != nil || uint64(len(raws)) != f.size {
		t.Fatalf("%d events of %d: %v", len(raws), f.size, err)
	}
	for i, e := range f.scan() {
		var sdk cloudevents.Event
		if err := json.Unmarshal(raws[i], &sdk); err == nil &&
			(sdk.ID() != e.EntryID || sdk.Extensions()["sealhash"] != e.EntryHash.String() ||
				sdk.Extensions()["sealprevious"] != e.PreviousHash.String() || sdk.Validate() != nil) {
			t.Fatalf("%s: %v", raws[i], sdk.Validate())
		} else if err != nil && !bytes.Contains(raws[i], []byte("1e400")) &&
			urlsParse(e) { // a number that no float holds
			t.Fatalf("%v: %s", err, raws[i])
		}
		got, err := entry.ParseEvent(raws[i])
		if e.IsOwn() {
			if err == nil || !strings.Contains(string(raws[i]), `"ai.agentmesh.sealstream.`) ||
				!strings.Contains(string(raws[i]), `"sealdetail":"{`) {
				t.Fatalf("one of the log's own entries could be played back: %v %s", err, raws[i])
			}
			continue
		}
		if err != nil {
			t.Fatalf("%v: %s", err, raws[i])
		}
		for _, name := range []string{"sealindex", "sealhash", "sealprevious"} {
			if got.Extensions[name] == "" {
				t.Fatalf("no %s: %s", name, raws[i])
			}
			delete(got.Extensions, name)
		}
		want, err := entry.ParseEvent(published[i-1])
		if err != nil {
			t.Fatal(err)
		}
		same(t, want, got, e)
	}
}

// urlsParse says whether the SDK can read the event: it parses source and dataschema, which are verbatim here.
func urlsParse(e entry.Entry) bool {
	_, err := url.Parse(e.AgentDID)
	schema, err2 := url.Parse(e.Extensions["dataschema"])
	return err == nil && err2 == nil && (schema.String() == "" || schema.IsAbs())
}

// same compares the event that was published with the one exported, data byte for byte.
func same(t *testing.T, want, got entry.Event, e entry.Entry) {
	t.Helper()
	if want.Time == "" {
		want.Time = e.ReceivedAt
	}
	attributes := func(ev entry.Event) map[string]string {
		m := map[string]string{}
		for name, value := range ev.Attributes() {
			m[name] = value
		}
		return m
	}
	a, _ := json.Marshal(attributes(want))
	b, _ := json.Marshal(attributes(got))
	if string(a) != string(b) || !bytes.Equal(want.Data, got.Data) || want.HasData != got.HasData {
		t.Fatalf("published %s %q\nexported  %s %q", a, want.Data, b, got.Data)
	}
}

// TestExportIsCut: an export that cannot be finished breaks the connection, so that nobody takes it for a whole one.
func TestExportIsCut(t *testing.T) {
	f := newFixture(t)
	events := tau(t, 400)
	f.publishAll(events[:300], 20)
	f.publishAll(events[300:], 20) // in batches of their own, behind what is sent before they are read
	m, err := f.log.Sealed.Get(t.Context(), f.q.Status().SealedSeq)
	if err != nil {
		t.Fatal(err)
	}
	m.Data[100] ^= 1 // the store's own bytes
	a := f.do("GET", "/v1/export")
	if a.StatusCode != 200 || !errors.Is(a.err, io.ErrUnexpectedEOF) {
		t.Fatalf("%s, %v after %d bytes", a.Status, a.err, len(a.body))
	}
	if _, err := audit.Export(audit.Config{Keys: []string{f.key}}, lines(a.body)); err == nil {
		t.Fatal("the cut export verifies")
	}
	m.Data[100] ^= 1
	f.export(nil)
}

// TestExportsAreBounded: as many as are allowed run, the next is told to come again; and a client
// that goes away frees its place.
func TestExportsAreBounded(t *testing.T) {
	f := newFixture(t)
	f.serve(query.Config{Log: f.log, Keys: []string{f.key}, MaxExports: 1})
	f.publishAll(tau(t, 100), 20)
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan error)
	go func() { done <- f.q.Export(ctx, w, api.Filter{}, query.JSONL) }()
	if _, err := r.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	f.refused(503, "GET", "/v1/export")
	if err := f.q.Export(t.Context(), io.Discard, api.Filter{}, query.JSONL); !errors.Is(err, query.ErrBusy) {
		t.Fatal(err)
	}
	cancel()
	r.CloseWithError(io.ErrClosedPipe)
	if err := <-done; err == nil {
		t.Fatal("an export without a reader succeeded")
	}
	f.export(nil)
}
