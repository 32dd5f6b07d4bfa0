package sink_test

import (
	"context"
	"testing"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/sink"
	"github.com/sealstream/sealstream/pkg/sink/sinktest"
)

func TestMemory(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Place {
		kept := new([]sink.Record)
		return sinktest.Place{
			Open:   func(context.Context) (sink.Sink, error) { return sink.NewMemory(kept), nil },
			Shared: true,
			Tamper: func(t *testing.T, index uint64) {
				e := &(*kept)[index].Entry
				e.Leaf = append([]byte(nil), e.Leaf...)
				e.Leaf[len(e.Leaf)/2] ^= 1
				e.EntryHash = entry.LeafHash(e.Leaf)
			},
		}
	})
}
