package query_test

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/internal/store"
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
// entries in files. Then it measures a start with that folder.
func BenchmarkKeep(b *testing.B) {
	defer query.FullParts()()
	const n = 8 << 16
	p := large(b, n)
	p.log = p.onNATS()
	folder := ""
	b.ResetTimer()
	worked := processor()
	for b.Loop() {
		folder = filepath.Join(b.TempDir(), "index")
		q, stop := p.begin(query.Config{Folder: folder})
		logtest.Until(b, "the entries are in files", func() bool { return q.Status().Kept == n>>16 })
		stop()
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "kept/s")
	b.ReportMetric(float64((processor()-worked).Nanoseconds())/float64(n*b.N)/1000, "cpu-us/entry")
	before, begun := heap(), time.Now()
	q, _ := p.begin(query.Config{Folder: folder})
	b.ReportMetric(float64(time.Since(begun).Milliseconds()), "restart-ms")
	logtest.Until(b, "the index is rechecked", func() bool { return q.Status().Rechecked })
	b.ReportMetric(float64(heap()-before)/n, "heap-B/entry")
}

// BenchmarkKeepUp follows a log that grows at the speed of a sealer, and measures how long after its
// end all entries are indexed, and those of full parts in files.
func BenchmarkKeepUp(b *testing.B) {
	defer query.FullParts()()
	const n, perSecond = 6 << 16, 62_000
	p := large(b, n)
	for b.Loop() {
		log := store.NewMemory("default")
		q, err := query.New(query.Config{
			Log: log, Keys: []string{p.signer.VerifierKey()}, Folder: filepath.Join(b.TempDir(), "index"),
		})
		if err != nil {
			b.Fatal(err)
		}
		stop := logtest.Run(b, "query", q.Run)
		begun := time.Now()
		for seq := uint64(1); seq <= p.seq; seq++ { // the first batch has no data
			if seq > 1 {
				copyMessage(b, p.log.Payloads, log.Payloads, seq-1)
			}
			copyMessage(b, p.log.Sealed, log.Sealed, seq)
			time.Sleep(time.Until(begun.Add(time.Duration(seq) * 256 * time.Second / perSecond)))
		}
		b.ReportMetric(n/time.Since(begun).Seconds(), "sealed/s")
		begun = time.Now()
		logtest.Until(b, "all is indexed", func() bool { return q.Status().Size == p.frontier.Size() })
		b.ReportMetric(float64(time.Since(begun).Milliseconds()), "lag-ms")
		logtest.Until(b, "the entries are in files", func() bool { return q.Status().Kept == n>>16 })
		b.ReportMetric(float64(time.Since(begun).Milliseconds()), "kept-lag-ms")
		stop()
	}
}

func copyMessage(b *testing.B, from, to store.Stream, seq uint64) {
	m, err := from.Get(b.Context(), seq)
	if err == nil {
		_, err = to.Append(b.Context(), m, nil)
	}
	if err != nil {
		b.Fatal(err)
	}
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

// BenchmarkScopedPage reads the first page of 200,000 entries for readers that see few and most of
// them. Callers has as many readers as are asked in turn, which is more than the index remembers.
func BenchmarkScopedPage(b *testing.B) {
	defer query.FullParts()()
	p := large(b, 200_000)
	q, _ := p.begin(query.Config{Scoped: true})
	nothing := api.Filter{Agent: []string{"did:web:agent-0.example.com"}, Type: []string{"tool_blocked"}}
	for _, c := range []struct {
		name    string
		read    func(i int) string
		callers int
		filter  api.Filter
	}{
		{"one agent", func(int) string { return "did:web:agent-300.example.com" }, 1, api.Filter{}},
		{"withheld", func(int) string { return "did:web:agent-300.example.com" }, 1, nothing},
		{"all agents", func(int) string { return "did:web:*" }, 1, api.Filter{}},
		{"many readers", func(i int) string { return fmt.Sprintf("did:web:agent-%d.example.com", i) }, 400, api.Filter{}},
	} {
		var who []context.Context
		for i := range c.callers {
			who = append(who, access.With(b.Context(), callerWith(b, access.Grants{Read: access.Agents{c.read(i)}})))
		}
		b.Run(c.name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if _, err := q.Entries(who[i%len(who)], c.filter, query.Page{}); err != nil {
					b.Fatal(err)
				}
			}
		})
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
