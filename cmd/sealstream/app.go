package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/sealstream/sealstream/pkg/proof"
)

// app is what every verb has: where to read, print and ask.
type app struct {
	ctx      context.Context
	in       io.Reader
	out, err io.Writer
	json     bool
	server   string
	log      string
	client   *http.Client // nil: httpClient
}

// errFailed is wrapped by errors that mean "no": a check failed, an event was refused, an entry is not there. Exit status 1.
var errFailed = errors.New("check failed")

// failure is an errFailed with a text of its own.
type failure struct{ text string }

func (f failure) Error() string        { return f.text }
func (f failure) Is(target error) bool { return target == errFailed }

func failed(format string, args ...any) error { return failure{fmt.Sprintf(format, args...)} }

// errRefused is wrapped by errors of a server that has understood and says no: to ask it again would not help.
var errRefused = errors.New("refused")

// refusal is an errRefused with a text of its own.
type refusal struct{ error }

func (r refusal) Is(target error) bool { return target == errRefused }
func (r refusal) Unwrap() error        { return r.error }

// shown is an error that the output tells already.
type shown struct{ error }

func (s shown) Unwrap() error { return s.error }

// print writes v as JSON, indented for a person and in one line for a pipe.
func (a *app) print(v any) error {
	return a.encode(v, isTerminal(a.out))
}

// encode writes v as JSON. What a terminal would obey stands in it as escapes: the same JSON for whoever parses it.
func (a *app) encode(v any, indent bool) error {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if indent {
		e.SetIndent("", "  ")
	}
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := a.out.Write(tameJSON(buf.Bytes()))
	return err
}

// tameJSON escapes DEL, the controls of eight bits, which JSON allows in strings and terminals take for the beginning of commands, and what
// turns the direction of writing. All of them stand in strings, for elsewhere they are no JSON.
func tameJSON(b []byte) []byte {
	wild := func(r rune) bool { return r >= 0x7f && r <= 0x9f || unicode.Is(unicode.Bidi_Control, r) }
	i := bytes.IndexFunc(b, wild)
	if i < 0 {
		return b
	}
	out := append(make([]byte, 0, len(b)+64), b[:i]...)
	for _, r := range string(b[i:]) {
		if wild(r) {
			out = fmt.Appendf(out, `\u%04x`, r)
		} else {
			out = utf8.AppendRune(out, r)
		}
	}
	return out
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// apiTimeout is how long an answer may take to begin.
const apiTimeout = 30 * time.Second

var httpClient = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Transport: &http.Transport{
	Proxy: http.ProxyFromEnvironment, ResponseHeaderTimeout: apiTimeout, MaxIdleConnsPerHost: 8,
}}

// open asks the server, and returns the body of a 200. Any other answer is an error with the problem's own words.
func (a *app) open(path string, query url.Values, accept string) (io.ReadCloser, error) {
	resp, err := a.answer(path, query, accept)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// answer is open with the answer's header.
func (a *app) answer(path string, query url.Values, accept string) (*http.Response, error) {
	if query == nil {
		query = url.Values{}
	}
	query.Set("log", a.log)
	req, err := http.NewRequestWithContext(a.ctx, http.MethodGet, strings.TrimRight(a.server, "/")+path+"?"+query.Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("--server: %w", err)
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	return a.do(req)
}

func (a *app) do(req *http.Request) (*http.Response, error) {
	client := httpClient
	if a.client != nil {
		client = a.client
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("no answer from %s; is `sealstream up` running? (%w)", a.server, errors.Unwrap(err))
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, a.problem(resp)
}

// problem reads an RFC 9457 answer.
func (a *app) problem(resp *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	var p struct{ Title, Detail, Field string }
	text := resp.Status
	if json.Unmarshal(body, &p) == nil && p.Title != "" {
		if text = p.Detail; text == "" {
			text = p.Title
		}
		if p.Field != "" && !strings.HasPrefix(text, p.Field) {
			text = p.Field + ": " + text
		}
	}
	if resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusConflict || resp.StatusCode == http.StatusUnprocessableEntity {
		return refusal{failed("%s", text)}
	}
	if resp.StatusCode/100 == 4 && resp.StatusCode != http.StatusRequestTimeout && resp.StatusCode != http.StatusTooManyRequests {
		return refusal{errors.New(text)}
	}
	return errors.New(text)
}

// get asks the server for JSON and decodes it into v.
func (a *app) get(path string, query url.Values, v any) error {
	body, err := a.open(path, query, "")
	if err != nil {
		return err
	}
	defer body.Close()
	if err := json.NewDecoder(body).Decode(v); err != nil {
		return fmt.Errorf("answer to %s: %w", path, err)
	}
	return nil
}

// getSlow is get for an answer that takes as long as reading a whole log does.
func (a *app) getSlow(path string, v any) error {
	t := httpClient.Transport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = 0
	defer t.CloseIdleConnections()
	slow := *httpClient
	slow.Transport = t
	b := *a
	b.client = &slow
	return b.get(path, nil, v)
}

// entryPath is the API's path of an entry that is named by index or by id.
func entryPath(name string) string {
	if strings.Trim(name, "0123456789") == "" {
		return "/v1/entries/" + name
	}
	return "/v1/entries/id/" + url.PathEscape(name)
}

func entryQuery(agent string) url.Values {
	q := url.Values{}
	if agent != "" {
		q.Set("agent", agent)
	}
	return q
}

// readKey takes a verifier key as it is, or the file that holds it.
func readKey(key string) (string, error) {
	if key == "" || proof.CheckKey(key) == nil {
		return key, nil
	}
	b, err := os.ReadFile(key)
	if err != nil {
		return "", fmt.Errorf("--key: neither a verifier key nor its file: %w", err)
	}
	vkey := strings.TrimSpace(string(b))
	if err := proof.CheckKey(vkey); err != nil {
		return "", fmt.Errorf("--key %s: %w", key, err)
	}
	return vkey, nil
}
