package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// bearer sends a token to one server, and to no other one: a verb may ask other servers, too.
type bearer struct {
	http.RoundTripper
	token, server string // server is a URL
}

// RoundTrip implements http.RoundTripper.
func (b bearer) RoundTrip(req *http.Request) (*http.Response, error) {
	if b.token != "" && req.Header.Get("Authorization") == "" && sameOrigin(req.URL, b.server) {
		req = req.Clone(req.Context())
		req.Header.Set("Authorization", "Bearer "+b.token)
	}
	return b.RoundTripper.RoundTrip(req)
}

func sameOrigin(u *url.URL, server string) bool {
	s, err := url.Parse(server)
	return err == nil && u.Scheme == s.Scheme && strings.EqualFold(u.Host, s.Host)
}

// maxToken limits a token, in bytes, as servers do.
const maxToken = 8 << 10

// errToken is the error of a token that cannot be sent. Its text shows nothing of it.
var errToken = errors.New("the token is empty, too long, or has spaces in it")

// readToken reads the token of the environment or of a file; "" is none. No error shows it.
func readToken(value, file string) (string, error) {
	from := "SEALSTREAM_API_TOKEN"
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("--token-file: %w", err)
		}
		value, from = strings.TrimSpace(string(b)), "--token-file "+file
	} else if value == "" {
		return "", nil
	}
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	if value == "" || len(value) > maxToken || strings.ContainsFunc(value, odd) {
		return "", fmt.Errorf("%s: %w", from, errToken)
	}
	return value, nil
}
