package client_test

import (
	"fmt"
	"testing"

	"github.com/sealstream/sealstream/pkg/client"
)

// BenchmarkEntries reads a log of 100,000 entries over HTTP on the loopback: proven, and as the
// server shows it. An operation is the whole log.
func BenchmarkEntries(b *testing.B) {
	const n = 100_000
	w := memory(b)
	c := w.client()
	for sent := 0; sent < n-1; {
		events := make([]client.Event, min(10_000, n-1-sent))
		for i := range events {
			events[i] = client.Event{ID: fmt.Sprint("e-", sent+i), Type: "tool_invocation", Action: "allow",
				Resource: "/tools/search_flights",
				Outcome:  "success", Session: "s-1", Data: map[string]any{"from": "JFK", "to": "SEA", "passengers": i}}
		}
		if _, err := c.LogBatch(b.Context(), events); err != nil {
			b.Fatal(err)
		}
		sent += len(events)
	}
	w.entries()
	read := func(name string, entries func() int) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if got := entries(); got != n {
					b.Fatalf("%d entries", got)
				}
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
	read("unverified", func() (got int) {
		for _, err := range c.Unverified().Entries(b.Context(), client.Filter{}) {
			if err != nil {
				b.Fatal(err)
			}
			got++
		}
		return got
	})
	read("verified", func() (got int) {
		for _, err := range c.Entries(b.Context(), client.Filter{}) {
			if err != nil {
				b.Fatal(err)
			}
			got++
		}
		return got
	})
}
