package query_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/query"
)

// BenchmarkStart starts with a folder of full parts until all of the log is indexed, and measures
// the processor time of that. In the log of the second one, nearly a part more is in no file.
func BenchmarkStart(b *testing.B) {
	defer query.FullParts()()
	const parts, rows = 6, 1 << 16
	for name, n := range map[string]int{"parts": parts * rows, "tail": (parts+1)*rows - 256} {
		b.Run(name, func(b *testing.B) {
			p := large(b, n)
			p.log = p.onNATS()
			folder := filepath.Join(b.TempDir(), "index")
			q, stop := p.begin(query.Config{Folder: folder})
			logtest.Until(b, "the entries are in files", func() bool { return q.Status().Kept == parts })
			stop()
			var worked time.Duration
			for b.Loop() {
				before := processor()
				_, stop := p.begin(query.Config{Folder: folder})
				worked += processor() - before
				b.StopTimer()
				stop()
				b.StartTimer()
			}
			b.ReportMetric(float64(worked.Milliseconds())/float64(b.N), "cpu-ms")
		})
	}
}
