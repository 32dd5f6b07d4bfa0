package main

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"

	"github.com/sealstream/sealstream/internal/natsconn"
)

// clearGuard refuses to send a user and password over http to another machine, because everyone on
// the way could read them. --server and other URLs may contain them.
type clearGuard struct{ http.RoundTripper }

var errClear = errors.New("a password or token is sent only over https, or over http to this machine")

// errServerURL replaces the errors of parsing --server, which would repeat a password in it.
var errServerURL = errors.New("--server is not a valid URL, such as " + defaultServer)

// RoundTrip implements http.RoundTripper.
func (g clearGuard) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == "http" && req.Header.Get("Authorization") != "" && !natsconn.IsLoopback(req.URL.Hostname()) {
		return nil, errClear
	}
	return g.RoundTripper.RoundTrip(req)
}

var user = regexp.MustCompile(`://[^\s"'\x60]*@`)

// noUser removes users and passwords from the URLs in a text.
func noUser(text string) string { return user.ReplaceAllString(text, "://") }

// place returns the scheme and host of a URL, for messages. The rest of a URL may be secret.
func place(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return "the given URL"
	}
	return u.Scheme + "://" + u.Host
}

// cause returns the error of an HTTP client without the URL, which the client repeats.
func cause(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
