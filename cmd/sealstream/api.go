package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/tlsfiles"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/client"
	"github.com/sealstream/sealstream/pkg/redact"
)

// apiTimeout is how long the server may take until the header of its response.
const apiTimeout = 30 * time.Second

var transport = &http.Transport{
	Proxy:                 http.ProxyFromEnvironment,
	ResponseHeaderTimeout: apiTimeout,
	MaxIdleConnsPerHost:   8,
}

// transportOver returns a transport with the certificates in files, or the usual one if there are
// none.
func transportOver(files tlsfiles.ClientFiles) (*http.Transport, error) {
	cfg, err := files.Config()
	if err != nil || cfg == nil {
		return transport, err
	}
	t := transport.Clone()
	t.TLSClientConfig, t.ForceAttemptHTTP2 = cfg, true
	return t, nil
}

// webClient asks other servers.
var webClient = &http.Client{CheckRedirect: noRedirect, Transport: clearGuard{transport}}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// api returns a client of the server. Verbs read what the server says, and check it themselves as
// far as they promise.
func (a *app) api(change ...func(*client.Config)) (*client.Client, error) {
	if !ruleset.ValidLog(a.logName) {
		return nil, fmt.Errorf("--log %.80q cannot be a log's name", a.logName)
	}
	cfg := client.Config{
		Server:    a.server,
		Log:       a.logName,
		AllowHTTP: true, // clearGuard looks at each request
		HTTP:      a.httpClient(),
		FailFast:  true,
		Redaction: &redact.Rules{}, // what is sent is sent as it is
		Interrupted: func(err error) {
			fmt.Fprintf(a.err, "sealstream: the connection was lost, retrying: %v\n", a.explain(err))
		},
	}
	for _, f := range change {
		f(&cfg)
	}
	c, err := client.New(cfg)
	if err != nil {
		return nil, errServerURL
	}
	return c, nil
}

// httpClient asks the API.
func (a *app) httpClient() *http.Client {
	return &http.Client{CheckRedirect: noRedirect, Transport: apiGuard{a.guarded()}}
}

// plainClient asks the server, and returns its answers as they are.
func (a *app) plainClient() *http.Client {
	return &http.Client{CheckRedirect: noRedirect, Transport: a.guarded()}
}

// guarded sends the token, and no secret in clear.
func (a *app) guarded() http.RoundTripper {
	return bearer{clearGuard{a.transport}, a.token, cmp.Or(a.tokenFor, a.server)}
}

// get sends a GET request and decodes the JSON of the response into v. A *[]byte gets it as it is.
func (a *app) get(path string, query url.Values, v any) error {
	c, err := a.api()
	if err != nil {
		return err
	}
	return a.explain(c.Unverified().Get(a.ctx, path, query, v))
}

// getSlow is get without apiTimeout, for a request that makes the server read the whole log.
func (a *app) getSlow(path string, v any) error {
	b := *a
	b.transport = a.transport.Clone()
	b.transport.ResponseHeaderTimeout = 0
	defer b.transport.CloseIdleConnections()
	return b.get(path, nil, v)
}

// post sends a body and decodes the JSON of the response into v.
func (a *app) post(path string, query url.Values, contentType string, body []byte, v any) error {
	c, err := a.api()
	if err != nil {
		return err
	}
	return a.explain(c.Unverified().Post(a.ctx, path, query, contentType, body, v))
}

// open sends a GET request and returns the response, whose body the caller closes.
func (a *app) open(path string, query url.Values) (*http.Response, error) {
	c, err := a.api()
	if err != nil {
		return nil, err
	}
	resp, err := c.Unverified().Open(a.ctx, path, query)
	return resp, a.explain(err)
}

// maxNote is the greatest length of a checkpoint with its signatures.
const maxNote = 64 << 10

// bytes returns the body of a response of at most limit bytes.
func (a *app) bytes(path string, limit int64) ([]byte, error) {
	resp, err := a.open(path, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("the answer to %s is longer than %d bytes", path, limit)
	}
	return b, err
}

// follow calls each with every entry that the filter wants, from an index on, once and in order. It
// returns nil when the user interrupts it.
func (a *app) follow(f api.Filter, next uint64, each func(raw []byte) error) error {
	c, err := a.api()
	if err != nil {
		return err
	}
	for e, err := range c.Unverified().Follow(a.ctx, client.Filter{Filter: f, FromIndex: next}) {
		if err != nil {
			return a.ended(err)
		}
		if err := each(e.JSON); err != nil {
			return err
		}
	}
	return nil
}

// ended is why a stream has ended for good. That the user interrupts it is no error.
func (a *app) ended(err error) error {
	p := client.Problem(err)
	switch {
	case a.ctx.Err() != nil:
		return nil
	case p.Status == http.StatusInternalServerError: // the log does not verify
		return failed("%s", p.Error())
	}
	return a.explain(err)
}

// explain puts an error of the client into the words of this program.
func (a *app) explain(err error) error {
	p := client.Problem(err)
	if p.Status == 0 {
		if _, ok := errors.AsType[*url.Error](err); ok {
			return noAnswer(a.server, err)
		}
		return err
	}
	text := p.Error()
	if p.Title == "" {
		text = fmt.Sprintf("%d %s", p.Status, http.StatusText(p.Status))
	}
	if p.Status == http.StatusUnauthorized && a.token == "" {
		text += "; give a token with --token-file FILE"
	}
	if p.Field != "" && !strings.HasPrefix(text, p.Field) {
		text = p.Field + ": " + text
	}
	return answered{text, err}
}

// answered is the error of a request that the server has answered with another status than 200.
type answered struct {
	text  string
	cause error
}

func (e answered) Error() string { return e.text }
func (e answered) Unwrap() error { return e.cause }

// Is reports whether the answer means "no": 404, 409 and 422 are an errFailed.
func (e answered) Is(target error) bool {
	switch client.Problem(e.cause).Status {
	case http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity:
		return target == errFailed
	}
	return false
}
