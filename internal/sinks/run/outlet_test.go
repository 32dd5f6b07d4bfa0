package sinkrun_test

import (
	"context"
	"errors"
	"testing"

	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/pkg/sink"
)

// TestParts: an outlet that takes only a part of what it is given has all entries in the end, and each once.
func TestParts(t *testing.T) {
	f := newFixture(t)
	size := f.Grow(300)
	var got []uint64
	r := f.runner(func(context.Context) (sink.Sink, error) {
		return sink.NewOutlet(func(_ context.Context, records []sink.Record) error {
			n := min(len(records), 20)
			for i := range records[:n] {
				got = append(got, records[i].Entry.Index)
			}
			if n < len(records) {
				return sink.Part(n, errors.New("the time is over"))
			}
			return nil
		}, nil), nil
	})
	stop := logtest.Run(f, "sink", r.Run)
	logtest.Until(f, "the outlet", func() bool { return r.Status().Next == size })
	stop()
	for i, index := range got {
		if index != uint64(i) {
			t.Fatalf("index %d at place %d", index, i)
		}
	}
	if s := r.Status(); len(got) != int(size) || s.Written != size || s.Failures == 0 {
		t.Fatalf("%d of %d, %+v", len(got), size, s)
	}
}
