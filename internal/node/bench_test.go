package node

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/health"
)

// BenchmarkUp loads a whole log, with metrics, alerts and index, over HTTP. The clients share its
// processors. Profile it with
//
//	go test ./internal/node -run xxx -bench Up/64 -benchtime 200000x -cpuprofile cpu.out
func BenchmarkUp(b *testing.B) {
	for _, c := range []struct {
		name            string
		clients, events int
		query           string
	}{
		{"64", 64, 1, ""},
		{"256", 256, 1, ""},
		{"sealed", 64, 1, "?wait=sealed"},
		{"batches", 16, 100, ""},
	} {
		b.Run(c.name, func(b *testing.B) {
			n, err := Up(b.Context(), UpConfig{
				Plugins: withPlugins, Data: filepath.Join(b.TempDir(), "d"), HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0",
			})
			if err != nil {
				b.Fatal(err)
			}
			defer n.Close()
			kind := "application/cloudevents+json"
			if c.events > 1 {
				kind = "application/cloudevents-batch+json"
			}
			web := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: c.clients}}
			var next atomic.Int64
			var group sync.WaitGroup
			b.ResetTimer()
			for range c.clients {
				group.Go(func() {
					var body []byte
					for {
						last := next.Add(int64(c.events))
						if last-int64(c.events) >= int64(b.N) {
							return
						}
						body = appendLoad(body[:0], last, c.events)
						resp, err := web.Post(n.URL()+"/v1/events"+c.query, kind, bytes.NewReader(body))
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
			want := uint64(next.Load()) - uint64(c.clients*c.events) + 1
			behind := func(f health.Follower) bool { return f.Look().Size < want }
			for !b.Failed() && slices.ContainsFunc(n.pipeline.followers, behind) {
				time.Sleep(time.Millisecond)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// appendLoad appends events of about 1 KB, or a batch of them.
func appendLoad(dst []byte, last int64, n int) []byte {
	if n > 1 {
		dst = append(dst, '[')
	}
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = fmt.Appendf(dst, `{"specversion":"1.0","id":"%d","source":"did:web:agent-%d.example.com",`+
			`"type":"ai.agentmesh.tool.invoked","time":"2026-11-23T10:00:00.123456Z","subject":"/crm/contacts/17",`+
			`"action":"allow","outcome":"success","sessionid":"session-17","traceid":"0af7651916cd43dd8448eb211c80319c",`+
			`"data":{"tool":"crm_lookup","arguments":{"id":1},"result":"%s"}}`, last-int64(i), last%100, loadText)
	}
	if n > 1 {
		dst = append(dst, ']')
	}
	return dst
}

var loadText = strings.Repeat(`{\"name\": \"Mia Li\", \"note\": \"called on Tuesday about the invoice\"}, `, 9)
