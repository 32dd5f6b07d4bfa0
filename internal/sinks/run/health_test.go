package sinkrun_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/sinks/run"
	"github.com/sealstream/sealstream/pkg/sink"
)

// losing is a sink in memory that says once that it has lost what it held.
type losing struct {
	*sink.Memory
	lost chan struct{}
}

func (l losing) Lost() <-chan struct{} { return l.lost }

func (l losing) Cursor(ctx context.Context) (sink.Cursor, error) {
	select {
	case <-l.lost:
		return sink.Cursor{}, sink.ErrLost
	default:
		return l.Memory.Cursor(ctx)
	}
}

// TestHealth: trouble of a sink, a loss that is mended, and the end of both are told, each once.
func TestHealth(t *testing.T) {
	f := newFixture(t)
	size := f.Grow(20)
	var (
		mu    sync.Mutex
		told  []string
		board health.Board
		kept  []sink.Record
	)
	board.OnChange(func(c health.Condition) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, c.State.String())
		if c.State == health.Warning && !strings.Contains(c.Text, "away") && !strings.Contains(c.Text, "lost") {
			t.Errorf("%+v", c)
		}
	})
	away, lost := 3, make(chan struct{})
	r, err := sinkrun.New(sinkrun.Config{Log: f.Store, Keys: []string{f.Key}, Pause: time.Millisecond, Health: &board,
		Sink: sink.Spec{Name: "test",
			Open: func(context.Context) (sink.Sink, error) {
				if away--; away >= 0 {
					return nil, errors.New("away")
				}
				ch := lost
				lost = make(chan struct{})
				return losing{Memory: sink.NewMemory(&kept), lost: ch}, nil
			}}})
	if err != nil {
		t.Fatal(err)
	}
	first := lost
	stop := logtest.Run(f, "sink", r.Run)
	logtest.Until(f, "the sink", func() bool { return r.Status().Next == size && r.Status().CaughtUp })
	close(first) // what was held is gone, while nothing is written
	logtest.Until(f, "the loss", func() bool { return r.Status().Mended == 1 })
	logtest.Until(f, "its end", func() bool { return board.Worst().State == health.OK && r.Status().Err == "" })
	stop()
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"warning", "ok", "warning", "ok"}; !slices.Equal(told, want) {
		t.Fatalf("%v", told)
	}
	if s := r.Status(); s.Note == "" || s.Next != size {
		t.Fatalf("%+v", s)
	}
}
