//go:build unix

package node

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// BenchmarkTLS compares single events over HTTPS with single events over HTTP, on connections that
// are kept. Both logs run in this process and take turns, so that what else the machine does falls
// on both. The clients share the processors, so the ratios count their part of TLS, too:
//
//	go test ./internal/node -run xxx -bench TLS -benchtime 20000x
//
// tls/plain is the ratio of events per second, and tls/plain-cpu that of events per second of
// processor time.
func BenchmarkTLS(b *testing.B) {
	for _, c := range []struct {
		http2   bool
		clients int
	}{{false, 1}, {false, 64}, {true, 64}} {
		name := fmt.Sprintf("http1/%d", c.clients)
		if c.http2 {
			name = fmt.Sprintf("http2/%d", c.clients)
		}
		b.Run(name, func(b *testing.B) {
			flags, client := certificates(b)
			plain := &target{web: webOf(c.clients, nil, false)}
			secure := &target{web: webOf(c.clients, client, c.http2)}
			for _, t := range []*target{plain, secure} {
				cfg := UpConfig{
					Plugins: withPlugins, Data: filepath.Join(b.TempDir(), "d"), HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0",
				}
				if t == secure {
					cfg.TLS = flags
				}
				n, err := Up(b.Context(), cfg)
				if err != nil {
					b.Fatal(err)
				}
				defer n.Close()
				t.url = n.URL()
				t.send(b, c.clients, 10*c.clients) // connections, handshakes and caches
			}
			plain.reset()
			secure.reset()
			const round = 500
			for sent := 0; sent < b.N; sent += round {
				plain.send(b, c.clients, min(round, b.N-sent))
				secure.send(b, c.clients, min(round, b.N-sent))
			}
			b.ReportMetric(float64(plain.took)/float64(secure.took), "tls/plain")
			b.ReportMetric(float64(plain.cpu)/float64(secure.cpu), "tls/plain-cpu")
			b.ReportMetric(float64(b.N)/secure.took.Seconds(), "tls-events/s")
		})
	}
}

// target is one of the two logs.
type target struct {
	url       string
	web       *http.Client
	next      atomic.Int64
	took, cpu time.Duration
}

func (t *target) reset() { t.took, t.cpu = 0, 0 }

func webOf(clients int, cfg *tls.Config, http2 bool) *http.Client {
	return &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: clients, TLSClientConfig: cfg, ForceAttemptHTTP2: http2,
	}}
}

// send sends events by concurrent clients, and adds how long that took.
func (t *target) send(b *testing.B, clients, events int) {
	b.Helper()
	begin, used := time.Now(), processorTime(b)
	var left atomic.Int64
	left.Store(int64(events))
	var group sync.WaitGroup
	for range clients {
		group.Go(func() {
			var body []byte
			for left.Add(-1) >= 0 {
				body = appendLoad(body[:0], t.next.Add(1), 1)
				resp, err := t.web.Post(t.url+"/v1/events", "application/cloudevents+json", bytes.NewReader(body))
				if err != nil || resp.StatusCode != http.StatusOK {
					b.Errorf("%v %v", resp, err)
					return
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
	}
	group.Wait()
	t.took += time.Since(begin)
	t.cpu += processorTime(b) - used
}

// processorTime is what this process has used.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
