package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/access/accessfile"
	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/pkg/api"
)

// tokens of the tests, by name
var tokens = map[string]string{}

// text is a file of rules with one token each for the given identities and rights.
func text(t *testing.T, identities map[string]string) []byte {
	t.Helper()
	var b strings.Builder
	b.WriteString("identities:\n")
	for id, may := range identities {
		expires := ""
		if may, at, ok := strings.Cut(may, " until "); ok {
			expires = ", expires: " + at
			identities[id] = may
		}
		fmt.Fprintf(&b, "  - {id: %s, tokens: [{name: t, sha256: %x%s}], may: {%s}}\n", id,
			access.HashToken(token(id)), expires, identities[id])
	}
	return []byte(b.String())
}

var tokensMu sync.Mutex

// token returns the token of an identity.
func token(id string) string {
	tokensMu.Lock()
	defer tokensMu.Unlock()
	if tokens[id] == "" {
		tokens[id] = access.NewToken()
	}
	return tokens[id]
}

// fixture is a gate in front of a server that answers with the caller's id.
type fixture struct {
	*Gate
	t      *testing.T
	file   string
	board  health.Board
	server *httptest.Server
	opened atomic.Int64 // requests to the stream that have begun
}

func newFixture(t *testing.T, rules []byte, change func(*Config)) *fixture {
	t.Helper()
	f := &fixture{t: t, file: filepath.Join(t.TempDir(), "access.yaml")}
	f.write(rules)
	cfg := Config{File: f.file, Parse: accessfile.Parse, Health: &f.board, Poll: time.Millisecond}
	if change != nil {
		change(&cfg)
	}
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	f.Gate = g
	f.server = httptest.NewServer(g.Handler(http.HandlerFunc(f.answer)))
	t.Cleanup(f.server.Close)
	return f
}

// answer shows who the caller is. A stream goes on until its context ends, whose cause it shows.
func (f *fixture) answer(w http.ResponseWriter, r *http.Request) {
	caller := access.From(r.Context())
	if !strings.HasSuffix(r.URL.Path, "/stream") {
		fmt.Fprint(w, caller.ID())
		return
	}
	w.WriteHeader(http.StatusOK)
	http.NewResponseController(w).Flush()
	f.opened.Add(1)
	<-r.Context().Done()
	if r.Header.Get("Quiet") == "" {
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Second))
		fmt.Fprint(w, context.Cause(r.Context()))
	}
}

func (f *fixture) write(rules []byte) {
	f.t.Helper()
	temp := f.file + ".new"
	if err := errors.Join(os.WriteFile(temp, rules, 0o600), os.Rename(temp, f.file)); err != nil {
		f.t.Fatal(err)
	}
}

// run runs the gate until the test ends.
func (f *fixture) run() {
	ctx, cancel := context.WithCancel(f.t.Context())
	done := make(chan struct{})
	go func() { defer close(done); f.Run(ctx) }()
	f.t.Cleanup(func() { cancel(); <-done })
}

// apply writes a file and waits until its version is in force.
func (f *fixture) apply(rules []byte) {
	f.t.Helper()
	changed := f.Changed()
	f.write(rules)
	select {
	case <-changed:
	case <-time.After(5 * time.Second):
		f.t.Fatal("the file does not come into force")
	}
}

// do makes a request with a bearer token; "" is none.
func (f *fixture) do(method, path, bearer string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(f.t.Context(), method, f.server.URL+path, nil)
	if err != nil {
		return nil, err
	}
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	return f.server.Client().Do(r)
}

// get makes a request and returns its status, its body, and its challenge.
func (f *fixture) get(method, path, bearer string) (int, string, string) {
	f.t.Helper()
	resp, err := f.do(method, path, bearer)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := readAtMost(resp.Body, 1<<20)
	if err != nil {
		f.t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header.Get("WWW-Authenticate")
}

// wait waits until a condition holds.
func (f *fixture) wait(what string, ok func() bool) {
	f.t.Helper()
	deadline := time.After(5 * time.Second)
	for !ok() {
		select {
		case <-deadline:
			f.t.Fatal(what)
		case <-time.After(time.Millisecond):
		}
	}
}

// TestScopes: each route wants its scope, and says which one is missing. A stranger is asked for a
// credential first, wherever the path leads.
func TestScopes(t *testing.T) {
	who := map[string]string{
		"publisher": "publish: [a]", "scoped": "read: [a]", "all": "read: all", "prover": "proof: true",
		"alerted": "alerts: true", "exporter": "read: all, export: true", "admin": "admin: true", "nothing": "",
		"old": "admin: true until 2020-01-01T00:00:00Z",
	}
	f := newFixture(t, text(t, who), nil)
	every := "publisher scoped all prover alerted exporter admin nothing"
	for _, c := range []struct{ method, path, may string }{
		{"POST", "/v1/events", "publisher"},
		{"POST", "/api/v1/audit/log", "publisher"},
		{"GET", "/v1/entries", "scoped all exporter"},
		{"HEAD", "/v1/entries", "scoped all exporter"},
		{"GET", "/v1/entries/7", "scoped all exporter"},
		{"GET", "/v1/entries/id/a%2Fb/proof", "scoped all exporter"},
		{"GET", "/v1/entries/id/proof", "scoped all exporter"},
		{"GET", "/v1/export", "exporter"},
		{"GET", "/checkpoint", "scoped all prover exporter"},
		{"GET", "/tile/0/x001/067", "all prover exporter"},
		{"GET", "/tile", ""},
		{"GET", "/tile/0/067", "all prover exporter"},
		{"GET", "/tile/entries/067", "all exporter"},
		{"GET", "/logs/l/tile/entries/067", "all exporter"},
		{"GET", "/v1/verify", "all exporter admin"},
		{"GET", "/v1/alerts", "alerted"},
		{"POST", "/v1/alerts/redeliver", "admin"},
		{"GET", "/metrics", "admin"},
		{"GET", "/", every},
		{"GET", "/openapi.json", every},
		{"GET", "/healthz", every + " old stranger"},
		{"GET", "/readyz/write", every + " old stranger"},
	} {
		for id := range who {
			status, body, challenge := f.get(c.method, c.path, token(id))
			want := http.StatusForbidden
			switch {
			case strings.Contains(" "+c.may+" ", " "+id+" "):
				want = http.StatusOK
			case id == "old":
				want = http.StatusUnauthorized
			case c.may == "":
				want = http.StatusNotFound
			}
			if status != want && !(id == "old" && status == http.StatusTooManyRequests) {
				t.Errorf("%s %s by %s: %d %s", c.method, c.path, id, status, body)
			}
			if status == http.StatusOK && id != "old" && body != id && c.method != "HEAD" {
				t.Errorf("%s %s by %s: answered as %s", c.method, c.path, id, body)
			}
			if (challenge != "") != (status == http.StatusUnauthorized) || strings.Contains(body+challenge, token(id)) {
				t.Errorf("%s %s by %s: %s %s", c.method, c.path, id, challenge, body)
			}
		}
		status, _, _ := f.get(c.method, c.path, "")
		if want := map[bool]int{true: 200, false: 401}[strings.Contains(c.may, "stranger")]; status != want {
			t.Errorf("%s %s by a stranger: %d", c.method, c.path, status)
		}
	}
	if s := f.Stats(); s.Accepted[access.Token] == 0 || s.Forbidden == 0 || s.Unknown == 0 || s.Accepted[""] == 0 {
		t.Errorf("%+v", s)
	}
}

// TestT45Paths: a path has the rule of what a handler takes it for, however it is written. What no
// handler could take for a path has none. T45.
func TestT45Paths(t *testing.T) {
	f := newFixture(t, text(t, map[string]string{"p": "proof: true"}), nil)
	for path, want := range map[string]int{
		"/tile/0/067": 200, "/tile/0/x001/067": 200, "/tile/%30/067": 200, "/checkpoint": 200, "/%63heckpoint": 200,
		"/tile/entries/067": 403, "/tile/%65ntries/067": 403, "/tile/entrie%73/x001/067": 403,
		"/logs/l/tile/%65ntries/x001/067": 403, "/logs/tile/tile/entries/067": 403,
		"/v1/entries": 403, "/v1/%65ntries": 403, "/v1/entries/7/%70roof": 403, "/v1/entries/id/a%2Fb": 403,
		"/v1/entries/i%64/x/proof": 403, "/v1/entries/%2e%2e": 403, "/metrics": 403, "/%6detrics": 403,
		"/v1//entries": 404, "/v1/./entries": 404, "/v1/entries/": 404, "/v1/entries/../export": 404,
		"/v1/entries//proof": 404, "/tile/0/": 404, "/tile//0": 404, "/tile/0/../entries/000": 404, "/checkpoint/": 404,
		"//checkpoint": 404, "/metrics/x": 404, "/v1%2Fentries": 404, "/tile%2Fentries/000": 404, "/v1/entries%2F7": 404,
		"/tile/entries%2F000/1": 200, // the level "entries/000", which is none
	} {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Authorization", "Bearer "+token("p"))
		w := httptest.NewRecorder()
		f.Handler(http.HandlerFunc(f.answer)).ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if status, _, _ := f.get("DELETE", "/v1/entries", token("p")); status != http.StatusMethodNotAllowed {
		t.Errorf("DELETE: %d", status)
	}
}

// TestT44Guesses: wrong credentials from one address are limited. The right one is still accepted.
// T44.
func TestT44Guesses(t *testing.T) {
	f := newFixture(t, text(t, map[string]string{"a": "admin: true"}), nil)
	for i := range maxGuesses + 5 {
		status, body, _ := f.get("GET", "/metrics", access.NewToken())
		if want := map[bool]int{true: 401, false: 429}[i < maxGuesses]; status != want {
			t.Errorf("guess %d: %d", i, status)
		}
		var p api.Problem
		if err := json.Unmarshal([]byte(body), &p); err != nil || !p.Own() {
			t.Errorf("%s: %v", body, err)
		}
	}
	if status, _, _ := f.get("GET", "/metrics", token("a")); status != http.StatusOK {
		t.Errorf("the right token: %d", status)
	}
	r := httptest.NewRequest("GET", "/metrics", nil) // from another address
	r.Header.Set("Authorization", "Bearer "+access.NewToken())
	w := httptest.NewRecorder()
	f.Handler(http.HandlerFunc(f.answer)).ServeHTTP(w, r)
	if w.Code != http.StatusUnauthorized {
		t.Errorf("another address: %d", w.Code)
	}
	for _, header := range []string{"Basic " + token("a"), token("a"), "Bearer", "Bearer " + token("a") + " x",
		"Bearer " + strings.Repeat("x", maxCredential+1), "Bearer a.b.c"} {
		r.Header.Set("Authorization", header)
		if _, err := f.Authenticate(r); !errors.Is(err, access.ErrUnknown) {
			t.Errorf("%.40q: %v", header, err)
		}
	}
	r.Header["Authorization"] = []string{"Bearer " + token("a"), "Bearer " + token("a")}
	if _, err := f.Authenticate(r); !errors.Is(err, access.ErrUnknown) {
		t.Errorf("two headers: %v", err)
	}
}

// TestGuessesForget: counts end after two periods, and the number of addresses is limited.
func TestGuessesForget(t *testing.T) {
	var g guesses
	now := time.Now()
	for range maxGuesses {
		g.add("[2001:db8::1]:1", now)
	}
	if !g.add("[2001:db8::2%eth0]:9", now.Add(guessPeriod)) {
		t.Error("the same network is counted apart")
	}
	if g.add("[2001:db8:0:1::1]:1", now) {
		t.Error("another network is limited")
	}
	if g.add("[2001:db8::1]:1", now.Add(4*guessPeriod)) {
		t.Error("nothing is forgotten")
	}
	for i := range maxAddresses + 100 {
		g.add(fmt.Sprintf("10.%d.%d.1:1", i/250, i%250), now.Add(4*guessPeriod))
	}
	if len(g.counts) > maxAddresses+1 {
		t.Errorf("%d addresses", len(g.counts))
	}
}

// TestNilGate: without access control, each caller is Open.
func TestNilGate(t *testing.T) {
	var g *Gate
	var seen access.Caller
	h := g.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = access.From(r.Context()) }))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/any/path", nil))
	again, err := g.Rejudge(seen)
	if seen != access.Open || again != access.Open || err != nil || g.Changed() != nil || g.Version() != nil {
		t.Errorf("%v", seen)
	}
}
