package filesink_test

import (
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/sinks/file"
	"github.com/sealstream/sealstream/pkg/sink/sinktest"
)

// BenchmarkFile writes entries to files, as the Runner does: many at a time and an fsync at least
// each 100 ms, or an fsync for each batch of a size. The bytes are those of a mixed log, about 1.8
// kB a line. It tells CPU time too, as the disk and its neighbours are not this program's doing.
func BenchmarkFile(b *testing.B) {
	for _, c := range []struct {
		name  string
		sync  time.Duration
		batch int
	}{
		{"sync=100ms/batch=256", 100 * time.Millisecond, 256}, {"sync=batch/batch=256", 0, 256},
		{"sync=batch/batch=16", 0, 16}, {"sync=batch/batch=1", 0, 1},
	} {
		b.Run(c.name, func(b *testing.B) {
			list := sinktest.Records(20000, 1)
			b.ResetTimer()
			var cpu time.Duration
			bytes, n := int64(0), 0
			for round := 0; n < b.N; round++ {
				b.StopTimer()
				s := open(b, filesink.Config{
					Path: filepath.Join(b.TempDir(), strconv.Itoa(round)+".jsonl"), Keys: ring, Sync: c.sync,
					MaxSize: 50 << 20,
				})
				b.StartTimer()
				began := cpuTime(b)
				end := min(len(list), b.N-n)
				for i := 0; i < end; i += c.batch {
					write(b, s, list[i:min(i+c.batch, end)])
				}
				closeSink(b, s)
				cpu += cpuTime(b) - began
				n += end
				bytes += s.Written()
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "entries/s")
			b.ReportMetric(float64(cpu.Microseconds())/float64(n), "cpu-µs/entry")
			b.SetBytes(bytes / int64(n))
		})
	}
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
