package ingest_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/sealstream/sealstream/internal/ingest"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// TestModes sends the same event in every mode: the first is sealed, the others are its repeats.
func TestModes(t *testing.T) {
	w := start(t, store.NewMemory("default"), ingest.Config{})
	const attrs = `"specversion":"1.0","id":"m-1","source":"did:web:a.example","type":"ai.agentmesh.tool.invoked",` +
		`"subject":"a b\"%é","action":"allow"`
	first := w.post(t, "/v1/events?wait=sealed", structured+"; charset=UTF-8",
		`{`+attrs+`,"data": {"n": 12345678901234567890} }`)
	if first.status != 200 || first.Status != "sealed" || first.Index != 1 || first.InputSeq != 2 ||
		first.Durability != "fsync" || first.EntryID != "m-1" {
		t.Fatalf("structured: %d %s", first.status, first.body)
	}
	e := w.entries(t)[1]
	if e.EntryHash.String() != first.EntryHash || e.Resource != `a b"%é` || e.Action != "allow" ||
		e.EventType != "tool_invocation" {
		t.Fatalf("sealed as %s", e.Leaf)
	}
	if cp, err := proof.OpenCheckpoint([]byte(first.Checkpoint), w.vkey); err != nil || cp.Size < 2 {
		t.Fatalf("the receipt's checkpoint: %v", err)
	}
	repeats := map[string]result{
		"batch": w.post(t, "/v1/events?wait=sealed&log=default", batched, `[ {`+attrs+`,"data":{"n": 12345678901234567890}} ]`),
		"binary": w.post(t, "/v1/events?wait=sealed", "", "\n {\"n\": 12345678901234567890} ", "ce-specversion", "1.0", "ce-id", "m-1", "ce-source", "did:web:a.example",
			"ce-type", "ai.agentmesh.tool.invoked", "ce-subject", "a%20b%22%25%C3%A9", "ce-action", "allow"),
		"quoted": w.post(t, "/v1/events?wait=sealed", "", "{\"n\": 12345678901234567890}", "ce-specversion", "1.0", "ce-id", `"m-1"`, "ce-source", "did:web:a.example",
			"ce-type", "ai.agentmesh.tool.invoked", "ce-subject", `"a b\"%25%C3%A9"`, "ce-action", `"al\low"`),
		"base64": w.post(t, "/v1/events?wait=sealed", structured,
			`{`+attrs+`,"data_base64":"`+base64.StdEncoding.EncodeToString([]byte(`{"n": 12345678901234567890}`))+`"}`),
	}
	for mode, r := range repeats {
		if r.status != 200 || r.Status != "duplicate" || r.Index != 1 || r.EntryHash != first.EntryHash {
			t.Errorf("%s: %d %s", mode, r.status, r.body)
		}
	}
	other := w.post(t, "/v1/events?wait=sealed", structured, `{`+attrs+`,"data":2}`)
	if other.Status != "sealed" || other.EquivocationOf != 1 {
		t.Errorf("other data under the same id: %s", other.body)
	}
}

// TestCloudEventsSDK holds the handler against the CloudEvents project's own client.
func TestCloudEventsSDK(t *testing.T) {
	w := start(t, store.NewMemory("default"), ingest.Config{})
	c, err := cloudevents.NewClientHTTP(cloudevents.WithTarget(w.http.URL + "/v1/events"))
	if err != nil {
		t.Fatal(err)
	}
	for i, mode := range []string{"binary", "structured"} {
		e := cloudevents.NewEvent()
		e.SetID(mode)
		e.SetSource("did:web:sdk.example")
		e.SetType("com.example.said")
		// no percent sign: the SDK does not encode it in binary mode, as the binding demands
		e.SetSubject("ünicode \"quoted\"")
		e.SetExtension("outcome", "success")
		e.SetExtension("count", 7)
		if err := e.SetData("application/json", map[string]any{"k": []int{1, 2}}); err != nil {
			t.Fatal(err)
		}
		ctx := cloudevents.WithEncodingBinary(t.Context())
		if mode == "structured" {
			ctx = cloudevents.WithEncodingStructured(t.Context())
		}
		if result := c.Send(ctx, e); cloudevents.IsUndelivered(result) || cloudevents.IsNACK(result) {
			t.Fatalf("%s: %v", mode, result)
		}
		list := w.entries(t)
		got := list[i+1]
		if got.EntryID != mode || got.Resource != "ünicode \"quoted\"" || got.Outcome != "success" ||
			got.Extensions["count"] != "7" || got.Extensions["datacontenttype"] != "application/json" ||
			got.EventType != "com.example.said" || got.DataHash.String() == "" {
			t.Errorf("%s: sealed as %s", mode, got.Leaf)
		}
	}
}

// bad is what must be refused, and the field that must be named.
func bad() map[string]struct{ event, field string } {
	with := func(more string) string {
		return `{"specversion":"1.0","id":"x","source":"s","type":"t"` + more + `}`
	}
	return map[string]struct{ event, field string }{
		"no object":           {`"x"`, ""},
		"cut off":             {`{"specversion":"1.0","id":"x"`, ""},
		"syntax":              {with(`,"data":{"a":nul}`), "data"},
		"two values":          {with("") + "{}", ""},
		"data too large":      {with(`,"data":"` + strings.Repeat("x", ruleset.MaxDataBytes-1) + `"`), "data"},
		"data_base64 large":   {with(`,"data_base64":"` + base64.StdEncoding.EncodeToString(make([]byte, ruleset.MaxDataBytes+1)) + `"`), "data"},
		"leaf too large":      {with(extensions(16)), ""},
		"attribute too large": {with(`,"subject":"` + strings.Repeat("x", ruleset.MaxAttributeBytes+1) + `"`), "subject"},
		"too deep":            {with(`,"data":` + strings.Repeat("[", 33) + strings.Repeat("]", 33)), "data"},
		"far too deep":        {with(`,"data":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000)), "data"},
		"duplicate attribute": {with(`,"id":"y"`), "id"},
		"duplicate in data":   {with(`,"data":{"a":{"b":1,"b":2}}`), "data"},
		"bad UTF-8":           {with(",\"subject\":\"\xff\""), "subject"},
		"bad UTF-8 in data":   {with(",\"data\":{\"k\":\"\xc3\x28\"}"), "data"},
		"lone surrogate":      {with(`,"subject":"\ud800"`), "subject"},
		"missing id":          {`{"specversion":"1.0","source":"s","type":"t"}`, "id"},
		"missing source":      {`{"specversion":"1.0","id":"x","type":"t"}`, "source"},
		"missing type":        {`{"specversion":"1.0","id":"x","source":"s"}`, "type"},
		"missing specversion": {`{"id":"x","source":"s","type":"t"}`, "specversion"},
		"empty id":            {`{"specversion":"1.0","id":"","source":"s","type":"t"}`, "id"},
		"empty source":        {`{"specversion":"1.0","id":"x","source":"","type":"t"}`, "source"},
		"null type":           {`{"specversion":"1.0","id":"x","source":"s","type":null}`, "type"},
		"id no string":        {`{"specversion":"1.0","id":1,"source":"s","type":"t"}`, "id"},
		"specversion 0.3":     {`{"specversion":"0.3","id":"x","source":"s","type":"t"}`, "specversion"},
		"invalid time":        {with(`,"time":"yesterday"`), "time"},
		"leap second":         {with(`,"time":"2026-12-31T23:59:60Z"`), "time"},
		"unknown action":      {with(`,"action":"permit"`), "action"},
		"unknown outcome":     {with(`,"outcome":"ok"`), "outcome"},
		"both data":           {with(`,"data":1,"data_base64":"MQ=="`), "data"},
		"bad base64":          {with(`,"data_base64":"M"`), "data_base64"},
		"reserved type":       {`{"specversion":"1.0","id":"x","source":"s","type":"sealstream.config"}`, "type"},
		"reserved by mapping": {`{"specversion":"1.0","id":"x","source":"s","type":"ai.agentmesh.sealstream.gap"}`, "type"},
		"control character":   {with(`,"subject":"a\u0000b"`), "subject"},
		"attribute name":      {with(`,"Upper":"x"`), "Upper"},
		"attribute object":    {with(`,"ext":{}`), "ext"},
		"attribute fraction":  {with(`,"ext":1.5`), "ext"},
		"data no string":      {with(`,"datacontenttype":"text/plain","data":1`), "data"},
	}
}

// extensions are n attributes of the largest size.
func extensions(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"ext%d":%q`, i, strings.Repeat("x", ruleset.MaxAttributeBytes))
	}
	return b.String()
}

func TestBadInput(t *testing.T) {
	w := start(t, store.NewMemory("default"), ingest.Config{})
	for name, c := range bad() {
		r := w.post(t, "/v1/events", structured, c.event)
		if r.status != 400 || r.Problem.Field != c.field || r.Problem.Detail == "" ||
			!strings.HasPrefix(r.Problem.Detail, c.field) {
			t.Errorf("%s: %d %.300s, want field %q", name, r.status, r.body, c.field)
		}
		if name == "cut off" || name == "two values" {
			continue // these are no elements of an array
		}
		// In a batch it does not hold its neighbours up.
		b := w.post(t, "/v1/events", batched, `[`+event(name+" 1")+`,`+c.event+`,`+event(name+" 2")+`]`)
		if b.status != 200 || len(b.Receipts) != 3 {
			t.Fatalf("%s: %d %.300s", name, b.status, b.body)
		}
		refused := b.Receipts[1]
		if refused.Status != "rejected" || refused.Error == nil || refused.Error.Field != c.field ||
			refused.Error.Reason == "" {
			t.Errorf("%s: receipt %+v, want field %q", name, refused, c.field)
		}
		for i, id := range map[int]string{0: name + " 1", 2: name + " 2"} {
			if r := b.Receipts[i]; r.Status != "stored" || r.EntryID != id || r.Error != nil {
				t.Errorf("%s: neighbour %+v", name, r)
			}
		}
	}
	for _, e := range w.entries(t) {
		if e.EventType == entry.TypeRejected || strings.Contains(string(e.Leaf), `"x"`) {
			t.Errorf("sealed: %s", e.Leaf)
		}
	}
}

func TestBadBinary(t *testing.T) {
	w := start(t, store.NewMemory("default"), ingest.Config{})
	base := []string{"ce-specversion", "1.0", "ce-id", "x", "ce-source", "s", "ce-type", "t"}
	cases := map[string]struct {
		header      []string
		contentType string
		body        string
		field       string
	}{
		"missing id":         {base[:2], "", "", "id"},
		"missing version":    {base[2:], "", "", "specversion"},
		"twice":              {append([]string{"ce-id", "y"}, base...), "", "", "id"},
		"bad percent":        {append([]string{"ce-subject", "100%"}, base...), "", "", "subject"},
		"control character":  {append([]string{"ce-subject", "%00"}, base...), "", "", "subject"},
		"bad UTF-8":          {append([]string{"ce-subject", "%FF"}, base...), "", "", "subject"},
		"data content type":  {append([]string{"ce-datacontenttype", "text/plain"}, base...), "", "", "datacontenttype"},
		"bad JSON":           {base, "application/json", "{", "data"},
		"duplicate key":      {base, "application/vnd.x+json", `{"a":1,"a":2}`, "data"},
		"too deep":           {base, "", strings.Repeat("[", 33) + strings.Repeat("]", 33), "data"},
		"too large":          {base, "text/plain", strings.Repeat("x", ruleset.MaxDataBytes+1), "data"},
		"attribute too long": {append([]string{"ce-subject", strings.Repeat("x", 4097)}, base...), "", "", "subject"},
		"name with a dash":   {append([]string{"ce-a-b", "x"}, base...), "", "", "a-b"},
	}
	for name, c := range cases {
		r := w.post(t, "/v1/events", c.contentType, c.body, c.header...)
		if r.status != 400 || r.Problem.Field != c.field {
			t.Errorf("%s: %d %.300s, want field %q", name, r.status, r.body, c.field)
		}
	}
	if n := len(w.entries(t)); n != 1 {
		t.Errorf("%d entries, want the config alone", n)
	}
}

// TestRequests are requests that are wrong as such.
func TestRequests(t *testing.T) {
	w := start(t, store.NewMemory("default"), ingest.Config{MaxBody: 1 << 20})
	one := event("one")
	for name, c := range map[string]struct {
		path, contentType, body string
		header                  []string
		status                  int
		field                   string
	}{
		"form":                {"/v1/events", "application/x-www-form-urlencoded", one, nil, 415, "content-type"},
		"text":                {"/v1/events", "text/plain", one, nil, 415, "content-type"},
		"plain JSON":          {"/v1/events", "application/json", one, nil, 415, "content-type"},
		"no content type":     {"/v1/events", "", one, nil, 415, "content-type"},
		"avro":                {"/v1/events", "application/cloudevents+avro", one, nil, 415, "content-type"},
		"latin-1":             {"/v1/events", structured + "; charset=latin1", one, nil, 415, "content-type"},
		"gzip":                {"/v1/events", structured, one, []string{"Content-Encoding", "gzip"}, 415, "content-encoding"},
		"two types":           {"/v1/events", structured, one, []string{"Content-Type", structured}, 400, "datacontenttype"},
		"unknown wait":        {"/v1/events?wait=forever", structured, one, nil, 400, "wait"},
		"two waits":           {"/v1/events?wait=stored&wait=sealed", structured, one, nil, 400, "wait"},
		"witnessed":           {"/v1/events?wait=witnessed", structured, one, nil, 501, "wait"},
		"another log":         {"/v1/events?log=other", structured, one, nil, 404, "log"},
		"too large":           {"/v1/events", batched, `[` + strings.Repeat(" ", 1<<20) + one + `]`, nil, 413, ""},
		"batch of nothing":    {"/v1/events", batched, ` [ ] `, nil, 400, ""},
		"batch is an object":  {"/v1/events", batched, one, nil, 400, ""},
		"batch does not end":  {"/v1/events", batched, `[` + one, nil, 400, ""},
		"batch goes on":       {"/v1/events", batched, `[` + one + `] x`, nil, 400, ""},
		"empty element":       {"/v1/events", batched, `[` + one + `,]`, nil, 400, ""},
		"a bracket too many":  {"/v1/events", batched, `[` + one + `}]`, nil, 400, ""},
		"300,000 tiny events": {"/v1/events", batched, `[` + strings.Repeat("1,", 300000) + `1]`, nil, 413, ""},
	} {
		r := w.post(t, c.path, c.contentType, c.body, c.header...)
		if r.status != c.status || r.Problem.Field != c.field || r.Problem.Detail == "" {
			t.Errorf("%s: %d %.300s, want %d and field %q", name, r.status, r.body, c.status, c.field)
		}
	}
	for _, method := range []string{"GET", "PUT", "DELETE", "PATCH"} {
		req, _ := http.NewRequest(method, w.http.URL+"/v1/events", strings.NewReader(one))
		req.Header.Set("Content-Type", structured)
		if r := w.do(t, req); r.status != 405 || r.header.Get("Allow") != "POST" {
			t.Errorf("%s: %d, Allow %q", method, r.status, r.header.Get("Allow"))
		}
	}
	// A body of unknown length is bounded too.
	req, _ := http.NewRequest("POST", w.http.URL+"/v1/events", &endless{[]byte(" ")})
	req.Header.Set("Content-Type", structured)
	if r := w.do(t, req); r.status != 413 {
		t.Errorf("endless body: %d %s", r.status, r.body)
	}
	if n := len(w.entries(t)); n != 1 {
		t.Errorf("%d entries, want the config alone", n)
	}
}

type endless struct{ b []byte }

func (e *endless) Read(p []byte) (int, error) { return copy(p, bytes.Repeat(e.b, len(p))), nil }

// TestLargest sends the largest events that are allowed, in their longest spelling, and the largest batch.
func TestLargest(t *testing.T) {
	w := start(t, store.NewMemory("default"), ingest.Config{})
	controls := strings.Repeat("\x01", ruleset.MaxDataBytes)
	spelled, err := json.Marshal(controls)
	if err != nil {
		t.Fatal(err)
	}
	quotes := strings.Repeat(`"`, ruleset.MaxDataBytes)
	r := w.post(t, "/v1/events?wait=sealed", structured,
		`{"specversion":"1.0","id":"1","source":"s","type":"t","datacontenttype":"text/plain","data":`+string(spelled)+
			`}`)
	r2 := w.post(t, "/v1/events?wait=sealed", "text/plain", controls, "ce-specversion", "1.0", "ce-id", "1",
		"ce-source", "s", "ce-type", "t")
	if r.Status != "sealed" || r2.Status != "duplicate" || r2.Index != r.Index {
		t.Errorf("control characters: %.300s, then %.300s", r.body, r2.body)
	}
	if r := w.post(t, "/v1/events?wait=sealed", "text/plain", quotes, "ce-specversion", "1.0", "ce-id", "2",
		"ce-source", "s", "ce-type", "t"); r.Status != "sealed" {
		t.Errorf("quotes: %.300s", r.body)
	}
	if r := w.post(t, "/v1/events?wait=sealed", structured,
		`{"specversion":"1.0","id":"3","source":"s","type":"t"`+extensions(15)+strings.Repeat(" ", 2<<20)+
			`}`); r.Status != "sealed" {
		t.Errorf("white space: %.300s", r.body)
	}
	var batch strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&batch, ",\n%s", event(fmt.Sprint("b-", i)))
	}
	b := w.post(t, "/v1/events?wait=sealed", batched, "["+batch.String()[1:]+"]")
	if len(b.Receipts) != 1000 {
		t.Fatalf("%d %.300s", b.status, b.body)
	}
	groups := map[uint64]int{}
	for i, r := range b.Receipts {
		if groups[r.InputSeq]++; r.EntryID != fmt.Sprint("b-", i) || r.Status != "sealed" ||
			i > 0 && r.Index != b.Receipts[i-1].Index+1 {
			t.Fatalf("receipt %d: %+v", i, r)
		}
	}
	if len(groups) < 4 {
		t.Errorf("%d groups for 1000 events", len(groups))
	}
	list := w.entries(t)
	for _, r := range b.Receipts {
		if e := list[r.Index]; e.EntryID != r.EntryID || e.EntryHash.String() != r.EntryHash || e.InputSeq != r.InputSeq ||
			e.Position != r.Position {
			t.Errorf("receipt %+v for %s", r, e.Leaf)
		}
	}
	for _, e := range list {
		if e.EventType == entry.TypeRejected {
			t.Errorf("rejected by the sealer: %s", e.Leaf)
		}
	}
}
