package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTokenGoesToItsServer: the token goes to its server alone, and not over http to another machine.
func TestTokenGoesToItsServer(t *testing.T) {
	got := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got <- r.Header.Get("Authorization")
	}))
	defer server.Close()
	other := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	for to, want := range map[string]string{server.URL + "/v1/stats": "Bearer s3cret", other + "/v1/stats": ""} {
		a := &app{server: server.URL, token: "s3cret", transport: transport}
		resp, err := a.plainClient().Get(to)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if auth := <-got; auth != want {
			t.Errorf("%s gets %q", to, auth)
		}
	}
	a := &app{server: other, tokenFor: server.URL, token: "s3cret", transport: transport}
	resp, err := a.plainClient().Get(other)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if auth := <-got; auth != "" {
		t.Errorf("the token of a context goes to another server: %q", auth)
	}
	far := &app{server: "http://log.example.com", token: "s3cret", transport: transport}
	if _, err := far.httpClient().Get("http://log.example.com/"); !errors.Is(err, errClear) {
		t.Errorf("in clear: %v", err)
	}
}

// TestReadToken: what cannot be a token is refused, and never shown.
func TestReadToken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	for _, bad := range []string{
		"", "\n", "hidden hidden", "hidden\nhidden", "hidden\x01", strings.Repeat("hidden", maxToken),
	} {
		if err := os.WriteFile(file, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readToken("", file)
		if !errors.Is(err, errToken) || got != "" || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%.20q: %q, %v", bad, got, err)
		}
	}
	if err := os.WriteFile(file, []byte("good\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ value, file, want string }{
		{"", "", ""}, {"env", "", "env"}, {"env", file, "good"}, {"", file, "good"},
	} {
		if got, err := readToken(c.value, c.file); err != nil || got != c.want {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
	}
}
