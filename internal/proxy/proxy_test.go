package proxy

import (
	"bufio"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/internal/settings"
	"github.com/sealstream/sealstream/internal/tlsfiles"
)

// backend is a service that says its name and what it is asked.
type backend struct {
	*httptest.Server
	unready atomic.Bool
	access  atomic.Value // of /readyz
}

// newBackend starts a service. extra handles the paths below /extra.
func newBackend(t *testing.T, name string, extra http.HandlerFunc) *backend {
	t.Helper()
	b := &backend{}
	b.access.Store("")
	mux := http.NewServeMux()
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, r *http.Request) {
		status := http.StatusOK
		if b.unready.Load() {
			status = http.StatusServiceUnavailable
		}
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string]any{
			"detail": "not now", "log": "default", "durability": "fsync", "access": b.access.Load(),
			"conditions": []any{map[string]any{"name": "disk", "state": "ok", "since": "2026-01-01T00:00:00Z"}},
		})
	})
	if extra != nil {
		mux.HandleFunc("/extra", extra)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		io.WriteString(w, name+" "+r.Method+" "+r.Host+" "+r.URL.RequestURI()+" "+string(body))
	})
	b.Server = httptest.NewServer(mux)
	t.Cleanup(b.Close)
	return b
}

// start makes a front and watches its replicas.
func start(t *testing.T, cfg Config) *front {
	t.Helper()
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:0"
	}
	cfg.interval = 5 * time.Millisecond
	f, err := newFront(cfg)
	if err != nil {
		t.Fatal(err)
	}
	f.watch(t.Context())
	return f
}

// until waits until a pool has seen what a replica says.
func until(t *testing.T, what string, seen func() bool) {
	t.Helper()
	for begin := time.Now(); !seen(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > 20*time.Second {
			t.Fatalf("not seen: %s", what)
		}
	}
}

func (p *pool) allReady() bool {
	for _, r := range p.replicas {
		if r.state.Load().err != nil {
			return false
		}
	}
	return true
}

// ask sends a request through the proxy.
func ask(h http.Handler, method, path string) (int, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, "http://audit.example.com:8420"+path, strings.NewReader("body")))
	return w.Code, w.Body.String()
}

// TestProxy: requests go to a replica that is ready, to the other one when it is not any more, and to none at last.
func TestProxy(t *testing.T) {
	a, b := newBackend(t, "a", nil), newBackend(t, "b", nil)
	for _, c := range []struct {
		name        string
		rotate      bool
		first, then string // who answers two requests in a row
	}{{"sticks", false, "a", "a"}, {"rotates", true, "b", "a"}} {
		t.Run(c.name, func(t *testing.T) {
			a.unready.Store(false)
			b.unready.Store(false)
			f, err := newFront(Config{
				Addr: "127.0.0.1:0", To: []string{a.URL, b.URL}, Rotate: c.rotate, interval: time.Millisecond,
			})
			if err != nil {
				t.Fatal(err)
			}
			if code, _ := ask(f, "GET", "/"); code != http.StatusServiceUnavailable {
				t.Fatalf("before anybody is known to be ready: %d", code)
			}
			f.watch(t.Context())
			p := f.pools[Query]
			until(t, "all ready", p.allReady)
			p.turn.Store(0)
			for _, who := range []string{c.first, c.then} {
				if code, body := ask(f, "POST", "/v1/x?y=%2F"); code != 200 ||
					body != who+" POST localhost /v1/x?y=%2F body" {
					t.Fatalf("status %d: %q, want %s", code, body, who)
				}
			}
			a.unready.Store(true)
			until(t, "a is not ready", func() bool { return p.replicas[0].state.Load().err != nil })
			for range 2 {
				if code, body := ask(f, "POST", "/v1/x"); code != 200 || !strings.HasPrefix(body, "b ") {
					t.Fatalf("status %d: %q, want b", code, body)
				}
			}
			b.unready.Store(true)
			until(t, "b is not ready", func() bool { return p.why() == "query: not now" })
			if code, body := ask(f, "GET", "/"); code != http.StatusServiceUnavailable ||
				!strings.Contains(body, "no replica of query is ready") {
				t.Fatalf("nobody is ready: %d %s", code, body)
			}
		})
	}
}

// TestOneService: in front of the replicas of one service, each path is theirs.
func TestOneService(t *testing.T) {
	b := newBackend(t, "up", nil)
	f := start(t, Config{To: []string{b.URL}})
	until(t, "ready", f.pools[Query].allReady)
	for path := range paths {
		want := "up GET localhost " + path + " body"
		if path == "/readyz" {
			want = `"durability":"fsync"`
		}
		if code, body := ask(f, "GET", path); code != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
}

func TestProxyInvalid(t *testing.T) {
	at := "127.0.0.1:0"
	for _, c := range []Config{
		{Addr: at}, {Addr: at, To: []string{"query-1:8420"}}, {Addr: at, To: []string{"http://"}},
		{Addr: at, To: []string{"http://u:p@x"}}, {Addr: at, To: []string{"ftp://x"}},
		{Addr: at, To: []string{"http://x"}, Alerts: []string{"alert:8430"}},
		{Addr: at, To: []string{"http://x"}, Ingest: []string{"ingest:8410"}},
		{Addr: at, To: []string{"https://x"}, Files: tlsfiles.ClientFiles{CA: "none"}},
		{Addr: "x", To: []string{"http://x"}},
	} {
		if _, err := newFront(c); !errors.Is(err, settings.ErrInvalid) || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%+v: %v", c, err)
		}
	}
	// What needs TLS is refused before anything is served.
	to := []string{"http://x"}
	for text, c := range map[string]Config{
		"add --tls-cert FILE --tls-key FILE": {Addr: "0.0.0.0:0", To: to},
		"clients need tokens":                {Addr: at, To: to, TLS: settings.TLSFlags{ClientCA: "ca.pem"}},
		"take every caller for the proxy": {
			Addr: at, To: to, Files: tlsfiles.ClientFiles{Cert: "proxy.pem", Key: "proxy.key"},
		},
	} {
		if err := Serve(t.Context(), c); err == nil || !strings.HasSuffix(err.Error(), text) {
			t.Errorf("%+v: %v, want %s", c, err, text)
		}
	}
}

// TestFront: one address serves all services. Each of them is ready for itself, and the health of
// all is answered by the proxy.
func TestFront(t *testing.T) {
	query, ingest, alert := newBackend(t, "query", nil), newBackend(t, "ingest", nil), newBackend(t, "alert", nil)
	f := start(t, Config{To: []string{query.URL}, Ingest: []string{ingest.URL}, Alerts: []string{alert.URL}})
	for _, p := range f.pools {
		until(t, p.name, p.allReady)
	}
	for path, who := range map[string]string{
		"/v1/events": "ingest", "/v1/events?wait=sealed": "ingest", "/v1/eventsx": "query",
		"/api/v1/audit/log": "ingest", "/api/v1/audit/batch": "ingest", "/api/v1/audit/query": "query",
		"/v1/alerts": "alert", "/v1/alerts?after=3": "alert", "/v1/alerts/stream": "alert", "/v1/alertsx": "query",
		"/v1/entries/id/a%2Fb": "query", "/metrics": "query", "/": "query", "/openapi.json": "query", "/x/y": "query",
	} {
		if code, body := ask(f, "POST", path); code != 200 || body != who+" POST localhost "+path+" body" {
			t.Errorf("%s: %d %q, want %s", path, code, body, who)
		}
	}
	for _, c := range []struct {
		what                 string
		b                    *backend
		p                    *pool
		all, write, read, v1 int // /readyz, its sides, and /v1/entries
	}{
		{"alert", alert, f.pools[Alerts], 200, 200, 200, 200},
		{"ingest", ingest, f.pools[Ingest], 503, 503, 200, 200},
		{"query", query, f.pools[Query], 503, 200, 503, 503},
	} {
		c.b.unready.Store(true)
		until(t, c.what, func() bool { return c.p.why() != "" })
		for path, want := range map[string]int{
			"/readyz": c.all, "/readyz?log=default": c.all, "/readyz/write": c.write, "/readyz/read": c.read,
			"/v1/entries": c.v1, "/healthz": 200, "/readyz?x=1": 400, "/readyz?log=other": 404,
		} {
			code, body := ask(f, "GET", path)
			if code != want || code == 503 && !strings.Contains(body, c.what) {
				t.Errorf("without %s, %s: %d %s, want %d", c.what, path, code, body, want)
			}
		}
		c.b.unready.Store(false)
		until(t, c.what, func() bool { return c.p.why() == "" })
	}
	if code, body := ask(f, "GET", "/readyz"); code != 200 || !strings.Contains(body, `"durability":"fsync"`) ||
		strings.Count(body, `"disk"`) != 1 {
		t.Errorf("%d %s", code, body)
	}
	if code, _ := ask(f, "POST", "/readyz"); code != http.StatusMethodNotAllowed {
		t.Errorf("POST /readyz: %d", code)
	}
}

// TestGuarded: beyond the loopback, a service that asks for no credentials gets no requests.
func TestGuarded(t *testing.T) {
	b := newBackend(t, "query", nil)
	f := start(t, Config{Addr: "0.0.0.0:0", To: []string{b.URL}})
	p := f.pools[Query]
	until(t, "unguarded", func() bool { return strings.HasSuffix(p.why(), errUnguarded.Error()) })
	b.access.Store(httpapi.AccessRequired)
	until(t, "guarded", p.allReady)
	b.access.Store("")
	until(t, "unguarded again", func() bool { return p.why() != "" })
	exposed := start(t, Config{Addr: "0.0.0.0:0", Expose: true, To: []string{b.URL}})
	until(t, "exposed", exposed.pools[Query].allReady)
}

// TestHeaders: what a client claims about itself, or another proxy about it, does not reach a
// service.
func TestHeaders(t *testing.T) {
	got := make(chan http.Header, 1)
	b := newBackend(t, "query", func(w http.ResponseWriter, r *http.Request) { got <- r.Header })
	f := start(t, Config{To: []string{b.URL}})
	until(t, "ready", f.pools[Query].allReady)
	r := httptest.NewRequest("GET", "http://localhost/extra", nil)
	for _, name := range append(removed, "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto") {
		r.Header.Set(name, "forged")
	}
	r.Header.Set("Authorization", "Bearer x")
	r.RemoteAddr = "192.0.2.9:1"
	f.ServeHTTP(httptest.NewRecorder(), r)
	h := <-got
	for name, values := range h {
		if strings.Contains(strings.Join(values, " "), "forged") {
			t.Errorf("%s: %v", name, values)
		}
	}
	if h.Get("Authorization") != "Bearer x" || h.Get("X-Forwarded-For") != "192.0.2.9" {
		t.Errorf("%v", h)
	}
}

// TestUnbuffered: what a replica writes arrives while it writes on, and a replica that is lost ends
// the answer.
func TestUnbuffered(t *testing.T) {
	b := newBackend(t, "query", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "one\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	f := start(t, Config{To: []string{b.URL}})
	until(t, "ready", f.pools[Query].allReady)
	s := httptest.NewServer(f)
	defer s.Close()
	resp, err := http.Get(s.URL + "/extra")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	if line, err := lines.ReadString('\n'); line != "one\n" {
		t.Fatalf("%q, %v", line, err)
	}
	f.pools[Query].replicas[0].cutOff()
	if _, err := lines.ReadString('\n'); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("an answer that was cut off looks whole: %v", err)
	}
	if code, _ := ask(f, "GET", "/"); code != 200 {
		t.Errorf("the next request: %d", code)
	}
}

// TestLostBeforeAnswer: a request without an answer ends with 502 when its replica is lost, and
// with nothing when its client goes.
func TestLostBeforeAnswer(t *testing.T) {
	begun := make(chan struct{})
	b := newBackend(t, "query", func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // a server does not notice before that its client has gone
		begun <- struct{}{}
		<-r.Context().Done()
	})
	f := start(t, Config{To: []string{b.URL}})
	until(t, "ready", f.pools[Query].allReady)
	codes := make(chan int)
	go func() { code, _ := ask(f, "GET", "/extra"); codes <- code }()
	<-begun
	f.pools[Query].replicas[0].cutOff()
	if code := <-codes; code != http.StatusBadGateway {
		t.Errorf("status %d", code)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		w := httptest.NewRecorder()
		f.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/extra", nil))
		codes <- w.Code
	}()
	<-begun
	cancel()
	<-codes
}

// TestTLSReplica: a replica with https is verified by the CA.
func TestTLSReplica(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "{}") }))
	defer s.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	f := start(t, Config{To: []string{s.URL}, Files: tlsfiles.ClientFiles{CA: ca}})
	until(t, "ready", f.pools[Query].allReady)
	if code, body := ask(f, "GET", "/v1/stats"); code != 200 || body != "{}" {
		t.Errorf("%d %s", code, body)
	}
	other := start(t, Config{To: []string{s.URL}})
	until(t, "refused", func() bool { return strings.Contains(other.pools[Query].why(), "certificate") })
}
