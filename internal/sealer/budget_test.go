package sealer

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// slow is a PAYLOADS stream that takes a second for each message.
type slow struct{ store.Stream }

func (s slow) AppendAsync(ctx context.Context, m entry.Message, expectLast *uint64) (store.Pending, error) {
	seq, err := s.Stream.Append(ctx, m, expectLast)
	return func(ctx context.Context) (uint64, error) {
		time.Sleep(time.Second)
		return seq, err
	}, nil
}

// TestBacklogIsBounded: however much waits in EVENTS, and however slow the store is, only so much
// of it is in the sealer.
func TestBacklogIsBounded(t *testing.T) {
	onLog(t, func(t *testing.T, f *fixture) {
		for i := range 150 {
			f.publish("batch.i",
				fmt.Sprintf(`[{"event":%s},{"event":%s},{"event":%s}]`,
					event(fmt.Sprint(i, "a"), `"`+strings.Repeat("x", 250_000)+`"`),
					event(fmt.Sprint(i, "b"), `"`+strings.Repeat("y", 250_000)+`"`),
					event(fmt.Sprint(i, "c"), `"`+strings.Repeat("z", 250_000)+`"`)))
		}
		log := *f.log
		log.Payloads = slow{f.log.Payloads}
		cfg := f.cfg
		cfg.Log = &log
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		for s.Status().Size < 451 {
			time.Sleep(20 * time.Second)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if s.budget.peak > maxRead {
			t.Fatalf("%d bytes were read ahead", s.budget.peak)
		}
		t.Logf("at most %d bytes were read ahead, of %d", s.budget.peak, 150*751_000)
		f.audit()
	})
}
