package interop

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// BenchmarkRead asks the running log from 32 clients at once, each as soon as it has its answer, or
// at a pace that leaves the machine time.
func BenchmarkRead(b *testing.B) {
	tile := func(format string) func() string { return func() string { return fmt.Sprintf(format, rand.IntN(273)) } }
	for _, k := range []struct {
		name string
		path func() string
	}{
		{"checkpoint", func() string { return "/checkpoint" }}, {"tile", tile("/tile/0/%03d")}, {"partial", func() string { return fmt.Sprintf("/tile/0/273.p/%d", 1+rand.IntN(113)) }},
		{"bundle", tile("/tile/entries/%03d")},
	} {
		for _, pace := range []time.Duration{0, 32 * time.Millisecond} {
			name := k.name + "/flat out"
			if pace > 0 {
				name = k.name + "/1000 a second"
			}
			b.Run(name, func(b *testing.B) { read(b, k.path, pace) })
		}
	}
}

func read(b *testing.B, path func() string, pace time.Duration) {
	const clients = 32
	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	defer transport.CloseIdleConnections()
	hc := &http.Client{Transport: transport}
	took := make([][]time.Duration, clients)
	var all sync.WaitGroup
	for c := range clients {
		all.Go(func() {
			next := time.Now().Add(time.Duration(rand.Int64N(int64(pace) + 1)))
			for range b.N/clients + 1 {
				if pace > 0 {
					time.Sleep(time.Until(next))
					next = next.Add(pace)
				}
				begin := time.Now()
				resp, err := hc.Get(the.url + path())
				if err != nil {
					b.Error(err)
					return
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if took[c] = append(took[c], time.Since(begin)); resp.StatusCode != http.StatusOK {
					b.Errorf("%s: %s", resp.Request.URL, resp.Status)
					return
				}
			}
		})
	}
	all.Wait()
	list := slices.Concat(took...)
	slices.Sort(list)
	at := func(p float64) float64 { return float64(list[int(p*float64(len(list)-1))].Microseconds()) / 1000 }
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
}
