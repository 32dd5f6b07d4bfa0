package pgsink_test

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/sealstream/sealstream/internal/sinks/postgres"
	"github.com/sealstream/sealstream/internal/sinks/postgres/pgtest"
	"github.com/sealstream/sealstream/pkg/entry"
)

// BenchmarkWrite sinks batches as the Runner makes them when it is behind: an event of a tool call
// with 180 bytes of JSON a row, all indexes in place, each batch a durable commit. cpu-µs/row is
// the processor time of both sides.
func BenchmarkWrite(b *testing.B) {
	for _, size := range []int{256, 4096} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			c, url := pgtest.Database(b)
			s := open(b, pgsink.Config{URL: url})
			events := make([]entry.Event, b.N)
			for i := range events {
				events[i] = entry.Event{Subject: fmt.Sprintf("/crm/contacts/%d", i%5000), Action: "allow",
					Outcome: "success", MatchedRule: "allow-crm", HasData: true,
					TraceID: fmt.Sprintf("trace-%032x", i/20), SessionID: fmt.Sprintf("session-%d", i/100),
					Data: fmt.Appendf(nil,
						`{"tool":"crm_lookup","arguments":{"query":"acme corp %d","limit":25,"fields":["name",`+
							`"owner","stage"]},"result":{"count":%d,"took_ms":12.5,"names":["Ann","Bob"]},"ok":true}`,
						i, i%25)}
			}
			list := sealed(events...)
			ours, theirs := cpu(b), c.CPU()
			b.ResetTimer()
			for at := 0; at < len(list); at += size {
				if err := s.Write(b.Context(), list[at:min(at+size, len(list))]); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric((cpu(b)-ours+c.CPU()-theirs)*1e6/float64(b.N), "cpu-µs/row")
			b.ReportMetric((c.CPU()-theirs)*1e6/float64(b.N), "postgres-cpu-µs/row")
		})
	}
}

func cpu(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
