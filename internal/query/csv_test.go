package query_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// manifestOf is the manifest in an answer's header.
func manifestOf(t *testing.T, a answer) proof.Manifest {
	t.Helper()
	m, err := proof.ParseManifest([]byte(a.Header.Get(query.ManifestHeader)))
	if err != nil {
		t.Fatalf("%v: %q", err, a.Header.Get(query.ManifestHeader))
	}
	return m
}

// TestExportCSV reads the export back with another implementation of RFC 4180 and compares each cell with the entry.
func TestExportCSV(t *testing.T) {
	f := newFixture(t)
	hostile := []string{
		"=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "a,\"b\"\r\nc", " lead", "'quoted", "plain", "ü\u2028\U0001F600",
		"x\nonly", "x\ronly",
	}
	events := tau(t, 60)
	for i, s := range hostile {
		events = append(events,
			event(fmt.Sprint("h", i), map[string]any{"data": s, "datacontenttype": "text/plain"}),
			event("t"+string("=+-@"[i%4])+fmt.Sprint(i), map[string]any{
				"subject": strings.Map(printable, s), "data": map[string]any{"s": s},
			}))
	}
	events = append(events, event("tab", map[string]any{"data": "\tx", "datacontenttype": "text/plain"}),
		event("cr", map[string]any{"data": "\rx", "datacontenttype": "text/plain"}),
		event("lf", map[string]any{"data": "\n=1+1", "datacontenttype": "text/plain"}),
		event("bin", map[string]any{"data_base64": "AAH/", "datacontenttype": "x/y"}),
		event("neg", map[string]any{"data": -5}))
	f.publishAll(events, 20)
	f.publish([]byte(`{"bad":1}`))
	f.await()
	for _, values := range []url.Values{
		{}, {"type": {"tool_invocation"}, "action": {"allow", "deny"}}, {"agent": {"=ü\U0001F600"}},
	} {
		want := naive(f.scan(), values)
		values.Set("format", "csv")
		a := f.do("GET", "/v1/export?"+values.Encode())
		if a.StatusCode != 200 || a.err != nil || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/csv") {
			t.Fatalf("%s %v %s", a.Status, a.err, a.Header.Get("Content-Type"))
		}
		m := manifestOf(t, a)
		rows := records(t, a.body)
		if !slices.Equal(rows[0], query.CSVColumns) || len(rows)-1 != len(want) || m.Count != uint64(len(want)) ||
			m.Size != f.size {
			t.Fatalf("%v: columns %q, %d rows of %d, manifest %+v", values, rows[0], len(rows)-1, len(want), m)
		}
		for i, row := range rows[1:] {
			f.checkRow(m, row, want[i])
		}
	}
}

// TestExportCSVFormulas: what a spreadsheet could take for a formula is guarded in the export, as "=" is.
func TestExportCSVFormulas(t *testing.T) {
	f := newFixture(t)
	subjects := []string{"＝1+1", "＋1", "－1", "＠x", " =1", "a;=1"}
	for i, s := range subjects {
		f.publish(event(fmt.Sprint("c", i), map[string]any{"subject": s}))
	}
	f.await()
	rows, at := records(t, f.do("GET", "/v1/export?format=csv").body), slices.Index(query.CSVColumns, "resource")
	for i, s := range subjects {
		want := "'" + s
		if s == "a;=1" {
			want = "'a;'=1" // where the semicolon separates, "=1" is a cell of its own
		}
		if got := rows[i+2][at]; got != want {
			t.Errorf("%q is %q, want %q", s, got, want)
		}
	}
}

// printable leaves out what an attribute may not have.
func printable(r rune) rune {
	if r < 0x20 || r == 0x2028 {
		return '_'
	}
	return r
}

// records reads RFC 4180 strictly: every line end outside of quotes is CRLF, and those inside are
// kept, which encoding/csv does not.
func records(t *testing.T, b []byte) (rows [][]string) {
	t.Helper()
	var row []string
	for s := string(b); s != ""; {
		var cell string
		if strings.HasPrefix(s, `"`) {
			end := 1
			for s[end] != '"' || strings.HasPrefix(s[end+1:], `"`) {
				if s[end] == '"' {
					end++
				}
				end++
			}
			cell, s = strings.ReplaceAll(s[1:end], `""`, `"`), s[end+1:]
		} else {
			n := strings.IndexAny(s, ",\r\n\"")
			cell, s = s[:n], s[n:]
		}
		row = append(row, cell)
		switch {
		case strings.HasPrefix(s, ","):
			s = s[1:]
		case strings.HasPrefix(s, "\r\n"):
			s, rows, row = s[2:], append(rows, row), nil
		default:
			t.Fatalf("behind a cell: %.40q", s)
		}
	}
	if loose, err := csv.NewReader(bytes.NewReader(b)).ReadAll(); err != nil || len(loose) != len(rows) {
		t.Fatalf("encoding/csv reads %d records of %d: %v", len(loose), len(rows), err)
	}
	return rows
}

// checkRow compares a row with its entry, cell by cell.
func (f *fixture) checkRow(m proof.Manifest, row []string, index uint64) {
	f.Helper()
	found, err := f.q.Entry(f.Context(), index)
	if err != nil {
		f.Fatal(err)
	}
	var leaf map[string]any
	if err := json.Unmarshal(found.Entry.Leaf, &leaf); err != nil {
		f.Fatal(err)
	}
	leaf["entry_hash"] = found.Entry.EntryHash.String()
	for i, name := range query.CSVColumns {
		cell, want := row[i], ""
		if cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) {
			f.Fatalf("index %d: %s is a formula: %q", index, name, cell)
		}
		switch v := leaf[name].(type) {
		case string:
			want = v
		case float64:
			want = fmt.Sprint(uint64(v))
		case map[string]any, []any:
			var got any
			if err := json.Unmarshal([]byte(cell), &got); err != nil || fmt.Sprint(got) != fmt.Sprint(v) {
				f.Fatalf("index %d: %s is %q", index, name, cell)
			}
			continue
		}
		switch name {
		case "data":
			if found.Payload != nil && canonical.IsText(found.Payload.Data) {
				want = string(found.Payload.Data)
			}
		case "data_base64":
			if found.Payload != nil && !canonical.IsText(found.Payload.Data) {
				want = "AAH/"
			}
		case "merkle_proof":
			f.checkSteps(m, found.Entry, cell)
			continue
		}
		if want != "" && strings.ContainsRune("=+-@\t\r\n", rune(want[0])) {
			want = "'" + want
		}
		if cell != want {
			f.Fatalf("index %d: %s is %q, want %q", index, name, cell, want)
		}
	}
}

// checkSteps: an entry of an export with filters has a proof, that of a whole one none.
func (f *fixture) checkSteps(m proof.Manifest, e entry.Entry, steps string) {
	f.Helper()
	if m.Whole() {
		if steps != "" {
			f.Fatalf("a proof in a whole export: %s", steps)
		}
		return
	}
	var path proof.Path
	if err := json.Unmarshal([]byte(steps), &path); err != nil {
		f.Fatalf("%v: %q", err, steps)
	}
	err := proof.CheckInclusion(e.EntryHash, e.Index, m.Size, path, hash(f.T, m.Root))
	if err != nil {
		f.Fatal(err)
	}
}

// TestExportCloudEventLines: the same events as in the array, one a line; with filters each has its
// proof; and both say in a header what they are.
func TestExportCloudEventLines(t *testing.T) {
	f := newFixture(t)
	f.publishAll(tau(t, 200), 20)
	for _, values := range []url.Values{{}, {"type": {"policy_violation", "tool_invocation"}}, {"agent": {"nobody"}}} {
		want := naive(f.scan(), values)
		values.Set("format", "cloudevents")
		array := f.do("GET", "/v1/export?"+values.Encode())
		values.Set("format", "cloudevents-jsonl")
		list := f.do("GET", "/v1/export?"+values.Encode())
		m := manifestOf(t, list)
		if array.Header.Get(query.ManifestHeader) != list.Header.Get(query.ManifestHeader) ||
			m.Count != uint64(len(want)) || len(m.Filters) != len(values)-1 {
			t.Fatalf("%v: %+v", values, m)
		}
		var raws []json.RawMessage
		if err := json.Unmarshal(array.body, &raws); err != nil || len(raws) != len(want) {
			t.Fatalf("%v: %d events of %d, %v", values, len(raws), len(want), err)
		}
		n := 0
		for line := range bytes.Lines(list.body) {
			if !bytes.Equal(bytes.TrimSuffix(line, []byte("\n")), raws[n]) {
				t.Fatalf("%s, in the array %s", line, raws[n])
			}
			var e cloudevents.Event
			if err := json.Unmarshal(line, &e); err != nil || e.Validate() != nil {
				t.Fatalf("%s: %v, %v", line, err, e.Validate())
			}
			found, err := f.q.Entry(t.Context(), want[n])
			if err != nil || fmt.Sprint(e.Extensions()["sealindex"]) != fmt.Sprint(want[n]) ||
				e.Extensions()["sealhash"] != found.Entry.EntryHash.String() {
				t.Fatalf("%s, %v", line, err)
			}
			steps, _ := e.Extensions()["sealproof"].(string)
			f.checkSteps(m, found.Entry, steps)
			n++
		}
		if n != len(want) {
			t.Fatalf("%v: %d lines of %d", values, n, len(want))
		}
	}
}

// TestExportIsNotCapped: 10,050 entries export as 10,050, in every format.
func TestExportIsNotCapped(t *testing.T) {
	f := newFixture(t)
	var events [][]byte
	for i := range 10049 {
		events = append(events, event(fmt.Sprint("n", i), map[string]any{"data": i}))
	}
	f.publishAll(events, 200)
	for _, format := range query.Formats {
		a := f.do("GET", "/v1/export?format="+string(format))
		n := 0
		switch format {
		case query.JSONL:
			n = bytes.Count(a.body, []byte("\n")) - 1
		case query.CSV:
			n = len(records(t, a.body)) - 1
		case query.CloudEventLines:
			n = bytes.Count(a.body, []byte("\n"))
		default:
			n = bytes.Count(a.body, []byte("\n{"))
		}
		if n != 10050 || a.err != nil {
			t.Errorf("%s: %d entries, %v", format, n, a.err)
		}
	}
}
