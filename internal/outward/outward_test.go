package outward

import (
	"net/url"
	"strings"
	"testing"
)

func TestHide(t *testing.T) {
	for _, c := range []struct{ text, url, want string }{
		{"Cannot POST /services/T0/s3cretpath", "https://h/services/T0/s3cretpath", "Cannot POST …"},
		{`{"path":"s3cretpath"}`, "https://h/services/T0/s3cretpath", `{"path":"…"}`},
		{"no token s3cret here", "https://h/in?token=s3cret", "no token … here"},
		{"GET /in?token=s3cret&a=b", "https://h/in?token=s3cret&a=b", "GET …"},
		{"bad token t0ken", "https://h/", "bad token …"},
		{"nothing to see", "https://h/", "nothing to see"},
		{"user:s3cret", "https://user:s3cret@h/", "user:…"},
		{"/in is gone", "https://h/in", "/in is gone"},
	} {
		if got := Hide(c.text, c.url, "t0ken"); got != c.want || strings.Contains(got, "s3cret") {
			t.Errorf("%s: %s", c.text, got)
		}
	}
}

func TestInClear(t *testing.T) {
	for raw, clear := range map[string]bool{
		"http://u:p@example.com": true, "http://u@10.0.0.1": true, "http://u:p@127.0.0.1.example.com": true, "http://example.com": false,
		"https://u:p@example.com": false, "http://u:p@127.0.0.1": false, "http://u:p@[::1]:80": false, "http://u:p@localhost": false,
	} {
		u, err := url.Parse(raw)
		if err != nil || InClear(u, "") != clear || InClear(u, "token") != (clear || raw == "http://example.com") {
			t.Errorf("%s: %v", raw, err)
		}
	}
}
