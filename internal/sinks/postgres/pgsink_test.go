package pgsink_test

import (
	"context"
	"testing"

	"github.com/sealstream/sealstream/internal/sinks/postgres"
	"github.com/sealstream/sealstream/internal/sinks/postgres/pgtest"
	"github.com/sealstream/sealstream/pkg/sink"
	"github.com/sealstream/sealstream/pkg/sink/sinktest"
)

func open(t testing.TB, cfg pgsink.Config) *pgsink.Sink {
	t.Helper()
	s, err := pgsink.Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestConformance(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Place {
		c, url := pgtest.Database(t)
		writer := c.Writer(t, url)
		return sinktest.Place{
			Open: func(ctx context.Context) (sink.Sink, error) {
				return pgsink.Open(ctx, pgsink.Config{URL: writer, Owner: url})
			},
			Shared: true,
			Tamper: func(t *testing.T, index uint64) {
				pgtest.Exec(t, url,
					"UPDATE sealstream.entries SET leaf = set_byte(leaf, 20, get_byte(leaf, 20) # 1) WHERE index = 6")
			},
		}
	})
}
