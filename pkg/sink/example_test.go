package sink_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/url"
	"os"
	"testing"

	"github.com/sealstream/sealstream/pkg/sink"
	"github.com/sealstream/sealstream/pkg/sink/run"
	"github.com/sealstream/sealstream/pkg/sink/sinktest"
)

// table is a sink of one's own: a row for each entry, by its index. The rows are the cursor.
type table struct {
	rows   map[uint64][]byte
	closed bool
}

func (t *table) Cursor(ctx context.Context) (c sink.Cursor, err error) {
	for r, err := range t.Read(ctx, uint64(max(1, len(t.rows))-1)) {
		return sink.Of(&r.Entry), err
	}
	return c, nil
}

func (t *table) Write(ctx context.Context, records []sink.Record) error {
	if t.closed {
		return sink.ErrClosed
	}
	c, _ := t.Cursor(ctx)
	rest, err := c.Rest(records)
	for i := 0; i < len(rest) && err == nil; i++ {
		if err = ctx.Err(); err == nil {
			t.rows[rest[i].Entry.Index], err = json.Marshal(rest[i])
		}
	}
	return err
}

func (t *table) Read(ctx context.Context, from uint64) iter.Seq2[sink.Record, error] {
	return func(yield func(r sink.Record, err error) bool) {
		for ; from < uint64(len(t.rows)); from++ {
			var r sink.Record
			if err := json.Unmarshal(t.rows[from], &r); !yield(r, err) || err != nil {
				return
			}
		}
	}
}

func (t *table) Verify(ctx context.Context) error { return sink.VerifyRecords(t.Read(ctx, 0)) }

func (t *table) Close() error { t.closed = true; return nil }

// A sink keeps each entry once, and says how far it has come. The program around it does the rest.
func Example() {
	var s sink.Sink = &table{rows: map[uint64][]byte{}}
	list := sinktest.Records(3, 1)
	fmt.Println(s.Write(context.Background(), list[:2]), s.Write(context.Background(), list))
	c, err := s.Cursor(context.Background())
	fmt.Println(c.Next, err, s.Verify(context.Background()))
	// Output:
	// <nil> <nil>
	// 3 <nil> <nil>
}

// tables is the scheme of `table:` URLs. It is not opened before there is something to write.
func tables(u *url.URL, p *sink.Params) (sink.Open, error) {
	rows := map[uint64][]byte{} // a real sink keeps them where the URL says
	return func(ctx context.Context) (sink.Sink, error) { return &table{rows: rows}, nil }, nil
}

// A program with a sink of your own writes the log of a cluster into it:
//
//	mysink --nats nats://HOST:4222 --key log.pub --sink table:
func Example_program() {
	os.Exit(run.Main(sink.Schemes{"table": tables}))
}

// TestExample: the example is a sink indeed, but for the locks that it leaves out to be short.
func TestExample(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Place {
		rows := map[uint64][]byte{}
		return sinktest.Place{
			Open: func(context.Context) (sink.Sink, error) { return &table{rows: rows}, nil }, Shared: true,
			Alone: true,
		}
	})
}
