package sink

import (
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

// Open opens a sink, again and again: after each error of the sink the Runner closes it and opens it anew.
type Open func(ctx context.Context) (Sink, error)

// Scheme makes of a sink's URL what opens it. It says what is wrong with the URL, and touches nothing: a sink that is away is no error here.
type Scheme func(u *url.URL, p *Params) (Open, error)

// Schemes are the kinds of sinks that there are, by the scheme of their URLs.
type Schemes map[string]Scheme

// Spec is a sink as its URL describes it.
type Spec struct {
	Name string // [a-z0-9-]{1,32}: in metrics and health pages, and in the key of its cursor if the sink has none. The parameter `name`, or made of the URL
	URL  string // for people: without password and parameters
	Open Open
}

// ErrURL is wrapped by what is wrong with a sink's URL.
var ErrURL = errors.New("sink URL")

// Parse reads a URL. Parameters that no sink looks at are refused: what is misspelt must not be passed over.
func (s Schemes) Parse(raw string) (Spec, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return Spec{}, fmt.Errorf("%w: it cannot be read: %w", ErrURL, errors.Unwrap(err)) // url.Error repeats the URL, and with it a password
	}
	shown := &url.URL{Scheme: u.Scheme, Opaque: u.Opaque, User: u.User, Host: u.Host, Path: u.Path}
	spec := Spec{URL: shown.Redacted()}
	scheme, ok := s[u.Scheme]
	if !ok {
		return Spec{}, fmt.Errorf("%w %s: no such kind of sink; there are %s", ErrURL, spec.URL, strings.Join(slices.Sorted(maps.Keys(s)), ", "))
	}
	p, err := newParams(u.RawQuery)
	if err != nil {
		return Spec{}, fmt.Errorf("%w %s: %w", ErrURL, spec.URL, err)
	}
	spec.Name = p.Text("name", defaultName(u))
	if spec.Open, err = scheme(u, p); err == nil {
		err = p.Err()
	}
	if err == nil && !validName(spec.Name) {
		err = fmt.Errorf("name %.40q is not 1 to 32 of a-z, 0-9 and -", spec.Name)
	}
	if err != nil {
		return Spec{}, fmt.Errorf("%w %s: %w", ErrURL, spec.URL, err)
	}
	return spec, nil
}

// defaultName tells the sinks of one log apart, and does not change with their parameters.
func defaultName(u *url.URL) string {
	hash := sha256.Sum256([]byte(u.Scheme + "\n" + u.Opaque + "\n" + u.Host + "\n" + u.Path))
	return u.Scheme + "-" + hex.EncodeToString(hash[:4])
}

func validName(s string) bool {
	return s != "" && len(s) <= 32 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
