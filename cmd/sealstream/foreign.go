package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/sealstream/sealstream/pkg/api"
)

// foreign is the error of an address where something answers that is no API of sealstream.
type foreign struct{ place, what string }

func (f foreign) Error() string {
	return fmt.Sprintf("no sealstream answers at %s, %s; check --server (`sealstream up` listens on %s)",
		f.place, f.what, defaultServer)
}

// apiGuard turns the answers of other web servers into errors. Nothing that they say is about a
// log.
type apiGuard struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (g apiGuard) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := g.RoundTripper.RoundTrip(req)
	switch {
	case err != nil && speaksFirst(err):
		return nil, foreign{place(req.URL.String()), "where a server of another protocol does, such as NATS"}
	case err == nil && isForeign(resp):
		resp.Body.Close()
		return nil, foreign{place(req.URL.String()), "where a web server says " + plain(resp.Status)}
	}
	return resp, err
}

// speaksFirst reports whether a server does not speak HTTP, such as one that greets its clients.
// net/http has no names for these errors.
func speaksFirst(err error) bool {
	return strings.Contains(err.Error(), "malformed HTTP ") || strings.Contains(err.Error(), "readLoopPeekFailLocked")
}

// isForeign reports whether no service of sealstream and no proxy in front of it answers like that.
func isForeign(resp *http.Response) bool {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if kind == api.ProblemMediaType || kind == "application/json" {
		return false
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return kind == "text/html"
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired,
		http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return false // a proxy's
	}
	return true
}

// noAnswer returns the error of a request to server that got no answer of sealstream.
func noAnswer(server string, err error) error {
	if f, ok := errors.AsType[foreign](err); ok {
		return f
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return fmt.Errorf("%s has a certificate of an unknown authority; --ca FILE names its CA certificates",
			place(server))
	}
	return fmt.Errorf("no answer from %s; is `sealstream up` running? (%w)", place(server), cause(err))
}
