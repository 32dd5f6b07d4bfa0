package bench

import (
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/natsd"
)

// BenchmarkPhase runs single phases for a profile: go test -bench 'Phase/sealing' -benchtime 1x
// -cpuprofile cpu.out ./internal/bench
func BenchmarkPhase(b *testing.B) {
	natsd.DoubleThreads()
	for _, p := range []struct {
		name   string
		do     func(*run, *testing.B) error
		result func(Result) map[string]float64
	}{
		{"raw", func(r *run, b *testing.B) error { return r.rawAsync(b.Context()) }, func(r Result) map[string]float64 {
			return map[string]float64{"events/s": r.RawAsync}
		}},
		{"ingest", func(r *run, b *testing.B) error { return r.ingest(b.Context()) }, func(r Result) map[string]float64 {
			return map[string]float64{
				"1/s": r.Ingest["1"], "64/s": r.Ingest["64"], "512/s": r.Ingest["512"], "4096/s": r.Ingest["4096"],
				"p50-1-ms": r.IngestMS["1"].P50,
			}
		}},
		{"sealing", func(r *run, b *testing.B) error { return r.sealing(b.Context()) }, func(r Result) map[string]float64 {
			return map[string]float64{"events/s": r.Sealed}
		}},
		{"followed", func(r *run, b *testing.B) error { return r.sealingFollowed(b.Context()) }, func(r Result) map[string]float64 {
			return map[string]float64{"events/s": r.SealedFollow}
		}},
		{"drain", func(r *run, b *testing.B) error {
			defer func() { r.built.close() }()
			return r.drain(b.Context())
		}, func(r Result) map[string]float64 {
			return map[string]float64{"events/s": r.Drain}
		}},
		{"latency", func(r *run, b *testing.B) error { return r.latencies(b.Context()) }, func(r Result) map[string]float64 {
			return map[string]float64{"stored-2000-p50-ms": r.StoredMS["2000"].P50,
				"stored-2000-p99-ms": r.StoredMS["2000"].P99,
				"sealed-2000-p50-ms": r.SealedMS["2000"].P50, "sealed-2000-p99-ms": r.SealedMS["2000"].P99}
		}},
		{"bare-64", clients("bare net/http, 64 clients"), perS("bare net/http, 64 clients")},
		{"bare-256", clients("bare net/http, 256 clients"), perS("bare net/http, 256 clients")},
		{"http-64", clients("stored, 64 clients"), perS("stored, 64 clients")},
		{"http-256", clients("stored, 256 clients"), perS("stored, 256 clients")},
		{"http-sealed", clients("sealed, 64 clients"), perS("sealed, 64 clients")},
		{"http-batches", clients("batches of 100, 16 clients"), perS("batches of 100, 16 clients")},
		{"nats", clients("NATS request, 64 clients"), perS("NATS request, 64 clients")},
	} {
		b.Run(p.name, func(b *testing.B) {
			for b.Loop() {
				r := &run{dir: b.TempDir(), total: 60 * time.Second, out: Result{
					Ingest: map[string]float64{}, IngestMS: map[string]Latency{}, StoredMS: map[string]Latency{},
					SealedMS: map[string]Latency{},
				}}
				if err := r.fsync(b.Context()); err != nil {
					b.Fatal(err)
				}
				if err := p.do(r, b); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(r.out.FsyncMS, "fsync-ms")
				for unit, v := range p.result(r.out) {
					b.ReportMetric(v, unit)
				}
			}
		})
	}
}

// clients runs one phase of clients for as long as it takes to profile it.
func clients(name string) func(r *run, b *testing.B) error {
	return func(r *run, b *testing.B) error {
		r.total = 250 * time.Second // of which the phase takes its share
		return r.clients(b.Context(), func(phase string) bool { return phase == name })
	}
}

func perS(name string) func(Result) map[string]float64 {
	return func(r Result) map[string]float64 { return map[string]float64{"events/s": r.HTTP[name]} }
}
