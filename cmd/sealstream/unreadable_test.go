package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// TestReplayUnreadable: an entry whose data cannot be read is left out of a replay, which says so and goes on.
func TestReplayUnreadable(t *testing.T) {
	n := upWith(t)
	whole, errs, code := call(t.Context(), n, "replay", "--json", "--speed", "max")
	if code != 0 {
		t.Fatalf("%d %s", code, errs)
	}
	base, err := url.Parse(n.URL())
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(base)
	proxy.ModifyResponse = func(r *http.Response) error {
		if !strings.HasPrefix(r.Request.URL.Path, "/v1/entries") {
			return nil
		}
		var page map[string]json.RawMessage
		var entries []map[string]json.RawMessage
		if err := json.NewDecoder(r.Body).Decode(&page); err != nil {
			return err
		}
		if err := json.Unmarshal(page["entries"], &entries); err != nil {
			return err
		}
		for _, e := range entries {
			if string(e["index"]) == "5" {
				for _, name := range []string{"data", "data_raw", "data_base64", "salt"} {
					delete(e, name)
				}
				e["data_error"] = json.RawMessage(`"PAYLOADS sequence 1 holds data that does not open data_hash"`)
			}
		}
		if page["entries"], err = json.Marshal(entries); err != nil {
			return err
		}
		body, err := json.Marshal(page)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Length", strconv.Itoa(len(body)))
		return err
	}
	s := httptest.NewServer(proxy)
	defer s.Close()
	var out, told bytes.Buffer
	code = run(t.Context(), []string{"replay", "--json", "--speed", "max", "--server", s.URL}, strings.NewReader(""),
		&out, &told)
	if want := strings.Count(whole, "\n") - 1; code != 1 || strings.Count(out.String(), "\n") != want || want < 100 {
		t.Errorf("exit %d, %d lines, want %d", code, strings.Count(out.String(), "\n"), want)
	}
	if !strings.Contains(told.String(), "left out: entry 5: ") ||
		!strings.Contains(told.String(), "1 entries were left out") {
		t.Errorf("%s", told.String())
	}
}
