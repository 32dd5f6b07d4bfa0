package node

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

// TestFront: requests go to a replica that is ready, to the other one when it is not any more, and to none at last.
func TestFront(t *testing.T) {
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
			io.WriteString(w, name+" "+r.Method+" "+r.Host+" "+r.URL.RequestURI()+" "+string(body))
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
			f, err := newFront(FrontConfig{To: urls, Rotate: c.rotate})
			if err != nil {
				t.Fatal(err)
			}
			ask := func() (int, string) {
				w := httptest.NewRecorder()
				r := httptest.NewRequest("POST", "http://localhost:8420/v1/x?y=%2F", strings.NewReader("body"))
				f.ServeHTTP(w, r)
				return w.Code, w.Body.String()
			}
			if code, _ := ask(); code != http.StatusServiceUnavailable {
				t.Fatalf("before anybody is known to be ready: %d", code)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			for _, r := range f.replicas {
				go f.watch(ctx, r)
			}
			until := func(i int, ready bool) {
				t.Helper()
				for begin := time.Now(); f.replicas[i].ready.Load() != ready; time.Sleep(time.Millisecond) {
					if time.Since(begin) > 20*time.Second {
						t.Fatalf("replica %d is not seen to be ready=%v", i, ready)
					}
				}
			}
			until(0, true)
			until(1, true)
			f.turn.Store(0)
			for _, who := range []string{c.first, c.then} {
				if code, body := ask(); code != 200 || body != who+" POST localhost:8420 /v1/x?y=%2F body" {
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

func TestFrontWrong(t *testing.T) {
	for _, to := range [][]string{nil, {"query-1:8420"}, {"http://"}, {"https://x"}} {
		if _, err := newFront(FrontConfig{To: to}); err == nil {
			t.Errorf("%v is taken", to)
		}
	}
}

// TestExposed: which hosts a request may name.
func TestExposed(t *testing.T) {
	for _, c := range []struct {
		host            string
		local, exposure int
	}{
		{"localhost:1", 200, 200}, {"127.0.0.1", 200, 200}, {"[::1]:8420", 200, 200}, {"query-1:8420", 421, 200}, {"172.18.0.4:8420", 421, 200},
		{"evil.example:8420", 421, 421}, {"", 421, 200},
	} {
		for exposed, want := range map[bool]int{false: c.local, true: c.exposure} {
			w := httptest.NewRecorder()
			r := httptest.NewRequest("GET", "/", nil)
			r.Host = c.host
			localOnly(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), exposed).ServeHTTP(w, r)
			if w.Code != want {
				t.Errorf("host %q, exposed %v: status %d, want %d", c.host, exposed, w.Code, want)
			}
		}
	}
}
