package ingest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sealstream/sealstream/internal/ingest"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
)

// kilobyte is an event of about 1 KB.
func kilobyte(id int64) []byte {
	return fmt.Appendf(nil,
		`{"specversion":"1.0","id":"01890a5d-ac96-774b-bcce-%012d","source":"did:web:agents.example.com:buyer",`+
			`"type":"ai.agentmesh.tool.invoked",`+
			`"time":"2026-11-23T10:00:00.123456789Z","subject":"search_flights","action":"allow",`+
			`"outcome":"success","sessionid":"session-17",`+
			`"traceid":"0af7651916cd43dd8448eb211c80319c","data":{"arguments":{"from":"JFK","to":"SEA"},"text":"%s"}}`,
		id, strings.Repeat("lorem ipsum ", 55))
}

// BenchmarkSubmit: producers that each wait for their event to be on disk, over JetStream with an
// fsync for each message. No sealer runs.
func BenchmarkSubmit(b *testing.B) {
	for _, producers := range []int{1, 16, 64, 512, 4096} {
		b.Run(fmt.Sprint(producers), func(b *testing.B) {
			log := onNATS(b)
			w := &world{log: log}
			w.run(b, ingest.Config{Log: log})
			b.SetBytes(int64(len(kilobyte(0))))
			var next atomic.Int64
			b.ResetTimer()
			parallel(producers, func(int) {
				for {
					n := next.Add(1)
					if n > int64(b.N) {
						return
					}
					if _, err := w.ingest.Submit(b.Context(), []ingest.Raw{{Event: kilobyte(n)}},
						ingest.WaitStored); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkSealed: the same, but each producer waits for its seal.
func BenchmarkSealed(b *testing.B) {
	for _, producers := range []int{1, 64, 512} {
		b.Run(fmt.Sprint(producers), func(b *testing.B) {
			w := start(b, onNATS(b), ingest.Config{})
			var next atomic.Int64
			b.ResetTimer()
			parallel(producers, func(int) {
				for {
					n := next.Add(1)
					if n > int64(b.N) {
						return
					}
					got, err := w.ingest.Submit(b.Context(), []ingest.Raw{{Event: kilobyte(n)}}, ingest.WaitSealed)
					if err != nil || got[0].Status != api.Sealed {
						b.Errorf("%+v %v", got, err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkHTTP: producers that post one event a request on connections of their own, to a log in memory.
func BenchmarkHTTP(b *testing.B) {
	log := store.NewMemory("default")
	w := &world{log: log}
	w.run(b, ingest.Config{Log: log})
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	var next atomic.Int64
	b.ResetTimer()
	parallel(64, func(int) {
		for {
			n := next.Add(1)
			if n > int64(b.N) {
				return
			}
			resp, err := client.Post(w.http.URL+"/v1/events", structured, bytes.NewReader(kilobyte(n)))
			if err != nil || resp.StatusCode != http.StatusOK {
				b.Errorf("%v %v", resp, err)
				return
			}
			resp.Body.Close()
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// instant is a stream that stores nothing.
type instant struct {
	store.Stream
	last uint64
}

func (s *instant) Append(context.Context, entry.Message, *uint64) (uint64, error) {
	s.last++
	return s.last, nil
}

// answer is a response that is thrown away.
type answer struct{ header http.Header }

func (w *answer) Header() http.Header         { return w.header }
func (w *answer) Write(b []byte) (int, error) { return len(b), nil }
func (w *answer) WriteHeader(int)             {}

// BenchmarkHandler is what ingest itself costs of a request, without server and store.
func BenchmarkHandler(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			log := store.NewMemory("default")
			log.Events = &instant{Stream: log.Events}
			w := &world{log: log}
			w.run(b, ingest.Config{Log: log})
			body, kind := kilobyte(0), structured
			if n > 1 {
				body, kind = append(append([]byte("["), bytes.Repeat(append(body, ','), n-1)...), append(body, ']')...), batched
			}
			h := w.ingest.Handler()
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				r := &http.Request{
					Method: http.MethodPost, URL: &url.URL{Path: "/v1/events"}, Header: http.Header{"Content-Type": {kind}},
					Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
				}
				h.ServeHTTP(&answer{http.Header{}}, r)
			}
		})
	}
}
