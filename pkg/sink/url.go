package sink

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Open opens a sink. The runner calls it at the start, and again after each error of the sink.
type Open func(ctx context.Context) (Sink, error)

// Scheme checks a sink's URL and returns the function that opens the sink. It returns an error if
// the URL is invalid. It must not connect to the sink, so that a sink that is down is no error
// here.
type Scheme func(u *url.URL, p *Params) (Open, error)

// Schemes maps the scheme of a URL to a kind of sink.
type Schemes map[string]Scheme

// Spec describes a sink, as its URL does.
type Spec struct {
	// Name is 1 to 32 of a-z, 0-9 and -. Metrics, health pages and the key of a stored cursor contain
	// it. It is the parameter name of the URL, or else derived from the URL.
	Name string
	// URL is the URL without its secrets, for messages.
	URL string
	// Open opens the sink.
	Open Open
}

// ErrURL is wrapped by the errors of an invalid URL.
var ErrURL = errors.New("sink URL")

// Parse parses a sink's URL. It refuses unknown parameters, because they may be misspelt.
func (s Schemes) Parse(raw string) (Spec, error) {
	u, err := url.Parse(raw)
	if err != nil {
		// err would repeat parts of the URL, which may be parts of a password.
		return Spec{}, fmt.Errorf("%w: it is not valid; in a user name or password, "+
			"write characters other than letters and digits as %%XX", ErrURL)
	}
	spec := Spec{URL: shown(u)}
	scheme, ok := s[u.Scheme]
	if !ok {
		return Spec{}, fmt.Errorf("%w %s:…: unknown kind of sink; the known kinds are %s", ErrURL,
			cmp.Or(u.Scheme, "?"), strings.Join(slices.Sorted(maps.Keys(s)), ", "))
	}
	p, err := newParams(u.RawQuery)
	if err != nil {
		return Spec{}, fmt.Errorf("%w %s: %w", ErrURL, spec.URL, err)
	}
	spec.Name = p.Text("name", defaultName(u))
	if spec.Open, err = scheme(u, p); err == nil {
		err = p.Err()
	}
	if err == nil && !ValidName(spec.Name) {
		err = fmt.Errorf("name %.40q is not 1 to 32 of a-z, 0-9 and -", spec.Name)
	}
	if err != nil {
		return Spec{}, fmt.Errorf("%w %s: %w", ErrURL, spec.URL, err)
	}
	return spec, nil
}

// shown returns a URL without its secrets: the password and the parameters. It also removes the
// user name of NATS, which may be a token, and the path of a web address, which often is a secret.
func shown(u *url.URL) string {
	s := &url.URL{Scheme: u.Scheme, Opaque: u.Opaque, User: u.User, Host: u.Host, Path: u.Path}
	switch u.Scheme {
	case "http", "https":
		if s.User, s.Opaque = nil, ""; s.Path != "" && s.Path != "/" {
			return u.Scheme + "://" + u.Host + "/…"
		}
	case "nats", "tls":
		s.User = nil
	}
	return s.Redacted()
}

// defaultName derives a name from a URL without its parameters, so that it differs between the
// sinks of a log and stays the same when a parameter changes.
func defaultName(u *url.URL) string {
	hash := sha256.Sum256([]byte(u.Scheme + "\n" + u.Opaque + "\n" + u.Host + "\n" + u.Path))
	return u.Scheme + "-" + hex.EncodeToString(hash[:4])
}

// ValidName reports whether s can be the name of a sink: 1 to 32 of a-z, 0-9 and -.
func ValidName(s string) bool {
	return s != "" && len(s) <= 32 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
