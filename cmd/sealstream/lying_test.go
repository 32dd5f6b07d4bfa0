package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/pkg/embed"
)

// TestVerifyTakesNoPartForTheWhole: a server that calls its log valid and hands out only some
// entries, each with a good proof, does not verify.
func TestVerifyTakesNoPartForTheWhole(t *testing.T) {
	l, err := embed.Open(t.Context(), embed.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	lies := false
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if lies && r.URL.Path == "/v1/export" {
			r.URL.RawQuery = "type=sealstream.config"
		}
		l.Handler().ServeHTTP(w, r)
	}))
	defer s.Close()
	for _, lies = range []bool{false, true} {
		var out, errs bytes.Buffer
		exit := run(t.Context(), []string{"verify", s.URL, "--key", l.Key()}, strings.NewReader(""), &out, &errs)
		if lies && (exit != 1 || !strings.Contains(out.String(), "only a part of its log")) || !lies && exit != 0 {
			t.Fatalf("lies %v: exit %d\n%s%s", lies, exit, &out, &errs)
		}
	}
}
