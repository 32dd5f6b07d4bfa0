package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/pkg/embed"
)

// TestRecordHint: what is stored and not sealed in time can be recorded again as the text says, and is no second event.
func TestRecordHint(t *testing.T) {
	l, err := embed.Open(t.Context(), embed.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	slow := true
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slow {
			r.URL.RawQuery = "wait=stored"
		}
		l.Handler().ServeHTTP(w, r)
	}))
	defer s.Close()
	var out, errs bytes.Buffer
	args := []string{"log", "--server", s.URL, "--agent", "did:a", "--type", "t", "--data", `{"a":1}`}
	if exit := run(t.Context(), args, strings.NewReader(""), &out, &errs); exit != 1 {
		t.Fatalf("exit %d: %s%s", exit, &out, &errs)
	}
	hint := regexp.MustCompile(`--id (\S+)\n`).FindStringSubmatch(errs.String())
	if hint == nil {
		t.Fatalf("no hint in %q", errs.String())
	}
	slow = false
	if exit := run(t.Context(), append(args, "--id", hint[1]), strings.NewReader(""), &out, &errs); exit != 0 ||
		!strings.HasPrefix(out.String(), "duplicate  index 1 ") {
		t.Errorf("exit %d: %s%s", exit, &out, &errs)
	}
}
