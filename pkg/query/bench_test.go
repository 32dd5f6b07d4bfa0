package query_test

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/sealstream/sealstream/pkg/query"
)

func (p *press) start(cfg query.Config) *query.Query {
	p.Helper()
	cfg.Log, cfg.Keys = p.log, []string{p.signer.VerifierKey()}
	q, err := query.New(cfg)
	if err != nil {
		p.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); q.Run(ctx) }()
	p.Cleanup(func() { cancel(); <-done })
	wait, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	if err := q.Await(wait, p.frontier.Size()); err != nil {
		p.Fatal(err)
	}
	return q
}

// BenchmarkBuild builds the index of 100,000 entries, verified, and measures what it takes in memory.
func BenchmarkBuild(b *testing.B) {
	const n = 100_000
	p := large(b, n)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	kept := []*query.Query{}
	for b.Loop() {
		kept = append(kept, p.start(query.Config{}))
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n)/float64(len(kept)), "bytes/entry")
	runtime.KeepAlive(kept)
}

// BenchmarkFirstPage reads the first page of 100 of 200,000 entries; cold means that no message is kept in memory.
func BenchmarkFirstPage(b *testing.B) {
	p := large(b, 200_000)
	for _, c := range []struct {
		name   string
		filter query.Filter
	}{
		{"all", query.Filter{}},
		{"agent", query.Filter{Agent: []string{"did:web:agent-300.example.com"}}},
		{"agent+outcome+action", query.Filter{Agent: []string{"did:web:agent-0.example.com"}, Outcome: []string{"denied"}, Action: []string{"deny", "audit"}}},
		{"time", query.Filter{From: "2023-11-15T12:00:00Z", To: "2023-11-15T12:00:30Z"}},
		{"resource+time", query.Filter{Resource: []string{"/crm/customers/7"}, From: "2023-11-15T12:00:00Z"}},
		{"nothing", query.Filter{Agent: []string{"did:web:agent-0.example.com"}, Outcome: []string{"denied"}, To: "2023-11-14T22:13:20Z"}},
	} {
		for _, cache := range []int{0, 1} {
			q := p.start(query.Config{CacheBytes: cache})
			b.Run(fmt.Sprintf("%s/%s", c.name, []string{"warm", "cold"}[cache]), func(b *testing.B) {
				for b.Loop() {
					if _, err := q.Entries(b.Context(), c.filter, query.Page{}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkProof(b *testing.B) {
	p := large(b, 200_000)
	q := p.start(query.Config{})
	i := uint64(0)
	for b.Loop() {
		if _, err := q.Proof(b.Context(), i, false); err != nil {
			b.Fatal(err)
		}
		i = (i + 7919) % p.frontier.Size()
	}
}

func BenchmarkExport(b *testing.B) {
	const n = 50_000
	p := large(b, n)
	q := p.start(query.Config{})
	for _, format := range query.Formats {
		b.Run(string(format), func(b *testing.B) {
			for b.Loop() {
				if err := q.Export(b.Context(), io.Discard, query.Filter{}, format); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}
