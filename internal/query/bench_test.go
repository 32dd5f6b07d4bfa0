package query_test

import (
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/pkg/api"
)

// BenchmarkBuild builds the index of 100,000 entries, verified, and measures what it takes in memory.
func BenchmarkBuild(b *testing.B) {
	defer query.FullParts()()
	const n = 100_000
	p := large(b, n)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	kept := []*query.Query{}
	worked := processor()
	for b.Loop() {
		q, _ := p.begin(query.Config{})
		kept = append(kept, q)
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
	b.ReportMetric(float64((processor()-worked).Nanoseconds())/float64(n*b.N)/1000, "cpu-us/entry")
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n)/float64(len(kept)), "bytes/entry")
	runtime.KeepAlive(kept)
}

// BenchmarkKeep fills an empty folder: it follows a log of full parts, indexes it, and keeps all
// entries in files.
func BenchmarkKeep(b *testing.B) {
	defer query.FullParts()()
	const n = 8 << 16
	p := large(b, n)
	p.log = p.onNATS()
	b.ResetTimer()
	worked := processor()
	for b.Loop() {
		q, stop := p.begin(query.Config{Folder: filepath.Join(b.TempDir(), "index")})
		logtest.Until(b, "the entries are in files", func() bool { return q.Status().Kept == n>>16 })
		stop()
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "kept/s")
	b.ReportMetric(float64((processor()-worked).Nanoseconds())/float64(n*b.N)/1000, "cpu-us/entry")
}

// BenchmarkFirstPage reads the first page of 100 of 200,000 entries; cold means that no message is kept in memory.
func BenchmarkFirstPage(b *testing.B) {
	defer query.FullParts()()
	p := large(b, 200_000)
	for _, c := range []struct {
		name   string
		filter api.Filter
	}{
		{"all", api.Filter{}},
		{"agent", api.Filter{Agent: []string{"did:web:agent-300.example.com"}}},
		{"agent+outcome+action", api.Filter{Agent: []string{"did:web:agent-0.example.com"}, Outcome: []string{"denied"}, Action: []string{"deny", "audit"}}},
		{"time", api.Filter{From: "2023-11-15T12:00:00Z", To: "2023-11-15T12:00:30Z"}},
		{"resource+time", api.Filter{Resource: []string{"/crm/customers/7"}, From: "2023-11-15T12:00:00Z"}},
		{"nothing", api.Filter{Agent: []string{"did:web:agent-0.example.com"}, Outcome: []string{"denied"}, To: "2023-11-14T22:13:20Z"}},
	} {
		for _, cache := range []int{0, 1} {
			q, _ := p.begin(query.Config{CacheBytes: cache})
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
	defer query.FullParts()()
	p := large(b, 200_000)
	q, _ := p.begin(query.Config{})
	i := uint64(0)
	for b.Loop() {
		if _, err := q.Proof(b.Context(), i, false); err != nil {
			b.Fatal(err)
		}
		i = (i + 7919) % p.frontier.Size()
	}
}

func BenchmarkExport(b *testing.B) {
	defer query.FullParts()()
	const n = 50_000
	p := large(b, n)
	q, _ := p.begin(query.Config{})
	for _, format := range query.Formats {
		b.Run(string(format), func(b *testing.B) {
			for b.Loop() {
				if err := q.Export(b.Context(), io.Discard, api.Filter{}, format); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}
