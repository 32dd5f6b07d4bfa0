package client_test

import (
	"sync/atomic"
	"testing"

	"github.com/sealstream/sealstream/pkg/client"
)

// BenchmarkWaitSealed logs events of concurrent agents over HTTP on the loopback, each with a
// receipt that the client has verified.
func BenchmarkWaitSealed(b *testing.B) {
	w := memory(b)
	c := w.client()
	var n atomic.Int64
	b.SetParallelism(32)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			event := client.Event{Type: "tool_invocation", Resource: "search", Data: n.Add(1)}
			if _, err := c.Log(b.Context(), event, client.WaitSealed); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
