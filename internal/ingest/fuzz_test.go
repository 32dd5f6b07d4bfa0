package ingest_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/ingest"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/api"
)

// FuzzHandler sends whatever to the handler. It never breaks, and what it accepts is sealed as the
// event that it is: the sealer, which parses again what ingest has written, has the last word.
func FuzzHandler(f *testing.F) {
	for _, c := range bad() {
		if len(c.event) < 4096 {
			f.Add(uint8(0), "", "", []byte(c.event))
			f.Add(uint8(1), "", "", []byte("["+event("a")+","+c.event+"]"))
		}
	}
	f.Add(uint8(0), "", "", []byte(event("a")))
	f.Add(uint8(1), "", "", []byte("["+event("a")+",\n"+event("b")+"]"))
	f.Add(uint8(2), "application/json", "ce-specversion: 1.0\nce-id: 1\nce-source: s\nce-type: t\nce-subject: %C3%A9",
		[]byte(`{"a":1}`))
	f.Add(uint8(2), "text/plain", "ce-specversion: 1.0\nce-id: 1\nce-source: s\nce-type: t", []byte("\x00\x01\xff"))
	f.Add(uint8(2), "", "ce-specversion: 1.0\nce-id: 1\nce-source: s\nce-type: t\nce-datasalt: 00", []byte("null"))
	w := start(f, store.NewMemory("default"), ingest.Config{})
	handler := w.ingest.Handler()
	f.Fuzz(func(t *testing.T, mode uint8, contentType, headers string, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "/v1/events?wait=sealed", bytes.NewReader(body))
		switch mode % 3 {
		case 0:
			contentType = structured
		case 1:
			contentType = batched
		}
		if contentType != "" {
			r.Header["Content-Type"] = []string{contentType}
		}
		for line := range strings.Lines(headers) {
			if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
				name = http.CanonicalHeaderKey(strings.TrimSpace(name))
				r.Header[name] = append(r.Header[name], strings.TrimSpace(value))
			}
		}
		a := httptest.NewRecorder()
		handler.ServeHTTP(a, r)
		if a.Code >= 500 {
			t.Fatalf("status %d: %s", a.Code, a.Body)
		}
		if a.Code != http.StatusOK {
			if ct := a.Result().Header.Get("Content-Type"); ct != "application/problem+json" ||
				!json.Valid(a.Body.Bytes()) {
				t.Fatalf("status %d with %q: %s", a.Code, ct, a.Body)
			}
			return
		}
		var got struct{ Receipts []api.Receipt }
		if err := json.Unmarshal(a.Body.Bytes(), &got); err != nil || len(got.Receipts) == 0 {
			t.Fatalf("%s: %v", a.Body, err)
		}
		for _, r := range got.Receipts {
			switch {
			case r.Status == api.Rejected && r.Index == 0 && r.Error != nil && r.Error.Reason != "":
			case (r.Status == api.Sealed || r.Status == api.Duplicate) && r.Index != 0 && r.EntryHash != "" &&
				r.Error == nil:
			default:
				t.Fatalf("receipt %+v for mode %d, %q, %q, %q", r, mode, contentType, headers, body)
			}
		}
	})
}
