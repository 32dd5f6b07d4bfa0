package client_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/pkg/client"
)

// TestToken: the token goes with each request, over https or to this machine, and no error shows it.
func TestToken(t *testing.T) {
	var paths []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer hidden" {
			t.Errorf("%s without the token", r.URL.Path)
		}
		paths = append(paths, r.URL.Path)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer server.Close()
	c, err := client.New(client.Config{Server: server.URL, Token: "hidden", FailFast: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	err = c.Unverified().Get(t.Context(), "/v1/stats", nil, new(any))
	if err == nil || strings.Contains(err.Error(), "hidden") {
		t.Errorf("%v", err)
	}
	if resp, err := c.Unverified().Open(t.Context(), "/v1/stream", nil); err == nil {
		resp.Body.Close()
		t.Error("a refusal is taken for an answer")
	}
	if len(paths) != 2 {
		t.Errorf("%q", paths)
	}
	for _, cfg := range []client.Config{
		{Server: "http://log.example.com", Token: "hidden"},
		{Server: "https://log.example.com", Ingest: "http://10.0.0.1:8410", Token: "hidden"},
		{Server: "https://log.example.com", Token: "hidden\nX: y"},
	} {
		if _, err := client.New(cfg); err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v", cfg.Server, err)
		}
	}
	for _, cfg := range []client.Config{
		{Server: "https://log.example.com", Token: "hidden"},
		{Server: "http://log.example.com", Token: "hidden", AllowHTTP: true},
	} {
		c, err := client.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		c.Close(t.Context())
	}
}
