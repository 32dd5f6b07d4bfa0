package query_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/pkg/internal/natsd"
	"github.com/sealstream/sealstream/pkg/query"
	"github.com/sealstream/sealstream/pkg/store"
	"github.com/sealstream/sealstream/pkg/store/natsstore"
	"github.com/sealstream/sealstream/streams"
)

// onNATS copies a log into the streams of an embedded NATS server.
func (p *press) onNATS() *store.Log {
	p.Helper()
	s, err := natsd.Start(p.Context(), natsd.Config{StoreDir: p.TempDir(), Addr: "127.0.0.1:0", Log: "default", Relaxed: true})
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(s.Shutdown)
	nc, err := s.Connect()
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err == nil {
		err = streams.Ensure(p.Context(), js, streams.Config{Log: "default"})
	}
	if err != nil {
		p.Fatal(err)
	}
	l, err := natsstore.Open(p.Context(), nc, streams.Config{Log: "default"})
	if err != nil {
		p.Fatal(err)
	}
	for _, c := range [][2]store.Stream{{p.log.Sealed, l.Sealed}, {p.log.Payloads, l.Payloads}} {
		info, err := c[0].Info(p.Context())
		for seq := uint64(1); seq <= info.Last && err == nil; seq++ {
			m, e := c[0].Get(p.Context(), seq)
			if err = e; err == nil {
				_, err = c[1].Append(p.Context(), m, nil)
			}
		}
		if err != nil {
			p.Fatal(err)
		}
	}
	return l
}

// BenchmarkNATS builds the index of 200,000 entries out of JetStream, and reads first pages of which no message is in memory.
func BenchmarkNATS(b *testing.B) {
	defer query.FullParts()()
	const n = 200_000
	p := large(b, n)
	all := p.scanAll()
	p.log = p.onNATS()
	begun, worked := time.Now(), processor()
	q, _ := p.begin(query.Config{CacheBytes: 1})
	b.ReportMetric(n/time.Since(begun).Seconds(), "built/s")
	b.ReportMetric(float64((processor()-worked).Nanoseconds())/n/1000, "build-cpu-us/entry")
	r := rand.New(rand.NewPCG(4, 4))
	var full, any []time.Duration
	worked = processor()
	for range 300 {
		f := mixed(r, all)
		for i, f := range []query.Filter{f, {Agent: []string{all[r.IntN(n)].fields[0].Value()}}} {
			begun := time.Now()
			if _, err := q.Entries(b.Context(), f, query.Page{}); err != nil {
				b.Fatal(err)
			}
			if any = append(any, time.Since(begun)); i == 1 {
				full = append(full, time.Since(begun))
			}
		}
	}
	b.ReportMetric(float64((processor()-worked).Microseconds())/600/1000, "page-cpu-ms")
	report(b, any, "page")
	report(b, slices.Clone(full), "full-page")
}
