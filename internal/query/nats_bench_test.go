package query_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/natsd"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/internal/store/natsstore"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/streams"
)

// onNATS copies a log into the streams of an embedded NATS server.
func (p *press) onNATS() *store.Log {
	p.Helper()
	s, err := natsd.Start(p.Context(), natsd.Config{
		StoreDir: p.TempDir(), Addr: "127.0.0.1:0", Log: "default", Relaxed: true,
	})
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

// BenchmarkNATS builds the index of 200,000 entries out of JetStream, and reads first pages of
// which no message is in memory.
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
		for i, f := range []api.Filter{f, {Agent: []string{all[r.IntN(n)].fields[0].Value()}}} {
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

// BenchmarkReads proves entries at random and reads pages of 20 of rare agents, out of JetStream
// and out of files, with one client and with eight.
func BenchmarkReads(b *testing.B) {
	defer query.FullParts()()
	const n = 4 << 16
	p := large(b, n)
	all := p.scanAll()
	p.log = p.onNATS()
	for _, folder := range []string{"", filepath.Join(b.TempDir(), "index")} {
		begun := time.Now()
		q, stop := p.begin(query.Config{Folder: folder})
		if folder != "" {
			logtest.Until(b, "the entries are in files", func() bool { return q.Status().Kept == n>>16 })
			b.Logf("%.0f entries/s until they are in files", n/time.Since(begun).Seconds())
			sizes(b, folder)
		}
		for _, clients := range []int{1, 8} {
			for name, read := range map[string]func(r *rand.Rand) error{
				"proof": func(r *rand.Rand) error { _, err := q.Proof(b.Context(), r.Uint64N(n), false); return err },
				"page": func(r *rand.Rand) error {
					agent := all[r.IntN(n)].fields[0].Value()
					_, err := q.Entries(b.Context(), api.Filter{Agent: []string{agent}}, query.Page{Limit: 20})
					return err
				},
			} {
				b.Run(fmt.Sprintf("files=%t/clients=%d/%s", folder != "", clients, name), func(b *testing.B) {
					report(b, together(b, clients, read), name)
				})
			}
		}
		stop()
	}
}

// sizes logs what the files of a folder take together, by kind.
func sizes(b *testing.B, folder string) {
	list, err := os.ReadDir(folder)
	if err != nil {
		b.Fatal(err)
	}
	kinds := map[string]int64{}
	for _, e := range list {
		if info, err := e.Info(); err == nil {
			kinds[filepath.Ext(e.Name())] += info.Size()
		}
	}
	b.Logf("bytes by kind: %v", kinds)
}

// together lets clients read b.N times in all, and returns how long each read took.
func together(b *testing.B, clients int, read func(*rand.Rand) error) (took []time.Duration) {
	var mu sync.Mutex
	var all sync.WaitGroup
	for c := range clients {
		all.Go(func() {
			r, mine := rand.New(rand.NewPCG(uint64(c), 16)), []time.Duration(nil)
			for range max(1, b.N/clients) {
				begun := time.Now()
				if err := read(r); err != nil {
					b.Error(err)
					return
				}
				mine = append(mine, time.Since(begun))
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
		})
	}
	all.Wait()
	return took
}
