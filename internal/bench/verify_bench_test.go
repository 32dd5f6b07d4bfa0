package bench

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/query"
)

// benchLog returns a log of three full parts, and its size.
func benchLog(b *testing.B) (*rig, uint64) {
	const n = 3 << 16
	bench := &run{dir: b.TempDir(), total: 20 * time.Second}
	r, err := bench.populated(b.Context(), n)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(r.close)
	r.stopSealer()
	r.stopSealer = nil
	return r, r.sealer.Status().Size
}

// BenchmarkKept follows a log with an empty folder until its full parts are in files.
func BenchmarkKept(b *testing.B) {
	r, size := benchLog(b)
	measured(b, size, func() (uint64, error) {
		cfg := query.Config{Log: r.log, Folder: b.TempDir()}
		return size, r.serve(b.Context(), cfg, size, func(*query.Query, float64) error { return nil })
	})
}

// BenchmarkVerify verifies a log as a whole: out of its streams, and over HTTP as a client does,
// with the server in the same process.
func BenchmarkVerify(b *testing.B) {
	r, size := benchLog(b)
	cfg := query.Config{Log: r.log, Folder: filepath.Join(b.TempDir(), "index")}
	err := r.serve(b.Context(), cfg, size, func(q *query.Query, _ float64) error {
		b.Run("streams", func(b *testing.B) {
			measured(b, size, func() (uint64, error) { return r.verifyStreams(b.Context()) })
		})
		b.Run("http", func(b *testing.B) {
			measured(b, size, func() (uint64, error) { return r.verifyHTTP(b.Context(), q) })
		})
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// measured reports the rate of a verification, and the processor time that it takes of all threads.
func measured(b *testing.B, size uint64, verify func() (uint64, error)) {
	worked := processor()
	for b.Loop() {
		if n, err := verify(); err != nil || n != size {
			b.Fatalf("%d of %d entries, %v", n, size, err)
		}
	}
	entries := float64(size) * float64(b.N)
	b.ReportMetric(entries/b.Elapsed().Seconds(), "entries/s")
	b.ReportMetric(float64((processor()-worked).Nanoseconds())/entries/1000, "cpu-us/entry")
}

func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
