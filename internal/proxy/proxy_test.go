package proxy

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestProxy: requests go to a replica that is ready, to the other one when it is not any more, and to none at last.
func TestProxy(t *testing.T) {
	var up [2]atomic.Bool
	var urls []string
	for i, name := range []string{"a", "b"} {
		up[i].Store(true)
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/readyz" {
				if !up[i].Load() {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
				return
			}
			body, _ := io.ReadAll(r.Body)
			io.WriteString(w, name+" "+r.Method+" "+r.URL.RequestURI()+" "+string(body))
		}))
		t.Cleanup(s.Close)
		urls = append(urls, s.URL)
	}
	for _, c := range []struct {
		name        string
		rotate      bool
		first, then string // who answers two requests in a row
	}{{"sticks", false, "a", "a"}, {"rotates", true, "b", "a"}} {
		t.Run(c.name, func(t *testing.T) {
			up[0].Store(true)
			up[1].Store(true)
			p, err := newProxy(Config{To: urls, Rotate: c.rotate})
			if err != nil {
				t.Fatal(err)
			}
			ask := func() (int, string) {
				w := httptest.NewRecorder()
				r := httptest.NewRequest("POST", "http://localhost:8420/v1/x?y=%2F", strings.NewReader("body"))
				p.ServeHTTP(w, r)
				return w.Code, w.Body.String()
			}
			if code, _ := ask(); code != http.StatusServiceUnavailable {
				t.Fatalf("before anybody is known to be ready: %d", code)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			for _, r := range p.replicas {
				go p.watch(ctx, r)
			}
			until := func(i int, ready bool) {
				t.Helper()
				for begin := time.Now(); p.replicas[i].ready.Load() != ready; time.Sleep(time.Millisecond) {
					if time.Since(begin) > 20*time.Second {
						t.Fatalf("replica %d is not seen to be ready=%v", i, ready)
					}
				}
			}
			until(0, true)
			until(1, true)
			p.turn.Store(0)
			for _, who := range []string{c.first, c.then} {
				if code, body := ask(); code != 200 || body != who+" POST /v1/x?y=%2F body" {
					t.Fatalf("status %d: %q, want %s", code, body, who)
				}
			}
			up[0].Store(false)
			until(0, false)
			for range 2 {
				if code, body := ask(); code != 200 || !strings.HasPrefix(body, "b ") {
					t.Fatalf("status %d: %q, want b", code, body)
				}
			}
			up[1].Store(false)
			until(1, false)
			if code, _ := ask(); code != http.StatusServiceUnavailable {
				t.Fatalf("nobody is ready: %d", code)
			}
		})
	}
}

func TestProxyInvalid(t *testing.T) {
	for _, to := range [][]string{nil, {"query-1:8420"}, {"http://"}, {"https://x"}} {
		if _, err := newProxy(Config{To: to}); err == nil {
			t.Errorf("%v is taken", to)
		}
	}
}

// TestProxyAlerts: the paths of alerts go to the alert service, all others to query, and each is ready for itself.
func TestProxyAlerts(t *testing.T) {
	urls := map[string]string{}
	for _, name := range []string{"query", "alert"} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, name+" "+r.Method+" "+r.URL.RequestURI())
		}))
		t.Cleanup(s.Close)
		urls[name] = s.URL
	}
	p, err := newProxy(Config{To: []string{urls["query"]}, Alerts: []string{urls["alert"]}})
	if err != nil {
		t.Fatal(err)
	}
	p.watchAll(t.Context())
	for begin := time.Now(); !p.replicas[0].ready.Load() ||
		!p.alerts.replicas[0].ready.Load(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > 20*time.Second {
			t.Fatal("not ready")
		}
	}
	ask := func(method, path string) (int, string) {
		w := httptest.NewRecorder()
		p.ServeHTTP(w, httptest.NewRequest(method, "http://localhost:8420"+path, nil))
		return w.Code, w.Body.String()
	}
	for path, who := range map[string]string{"/v1/alerts": "alert", "/v1/alerts?after=3": "alert",
		"/v1/alerts/stream": "alert", "/v1/alerts/status": "alert", "/v1/alerts/redeliver?webhook=x": "alert",
		"/v1/alertsx": "query", "/v1/entries": "query", "/readyz": "query", "/": "query", "/metrics": "query"} {
		if code, body := ask("POST", path); code != 200 || body != who+" POST "+path {
			t.Errorf("%s: %d %q, want %s", path, code, body, who)
		}
	}
	p.alerts.replicas[0].ready.Store(false)
	if code, _ := ask("GET", "/v1/alerts"); code != http.StatusServiceUnavailable {
		t.Errorf("alerts without an alert service: %d", code)
	}
	if code, _ := ask("GET", "/v1/entries"); code != http.StatusOK {
		t.Errorf("queries without an alert service: %d", code)
	}
	if _, err := newProxy(Config{To: []string{urls["query"]}, Alerts: []string{"alert:8430"}}); err == nil {
		t.Error("an address that is no URL is taken")
	}
}
