package retry_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealstream/sealstream/internal/retry"
)

// TestPauses: the pauses double up to the longest, and begin again after a reset. Half of each is
// random.
func TestPauses(t *testing.T) {
	p, exact := retry.New(10*time.Millisecond, time.Second), retry.Exact(10*time.Millisecond, time.Second)
	seen := map[time.Duration]bool{}
	for range 200 {
		for i, want := 0, 10*time.Millisecond; i < 12; i, want = i+1, min(2*want, time.Second) {
			got := p.Next()
			if seen[got] = true; got < want/2 || got > want+1 {
				t.Errorf("pause %d: %v, want %v to %v", i, got, want/2, want)
			}
			if got := exact.Next(); got != want {
				t.Errorf("exact pause %d: %v, want %v", i, got, want)
			}
		}
		p.Reset()
		exact.Reset()
	}
	if len(seen) < 1000 {
		t.Errorf("%d different pauses", len(seen))
	}
}

// TestShortest: what is more than the longest pause is that.
func TestShortest(t *testing.T) {
	if got := retry.Exact(time.Minute, time.Second).Next(); got != time.Second {
		t.Error(got)
	}
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, begin := retry.New(time.Millisecond, time.Second), time.Now()
		if err := p.Wait(t.Context(), time.Minute); err != nil || time.Since(begin) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		why := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(why) })
		if err := retry.Sleep(ctx, time.Hour); !errors.Is(err, why) {
			t.Error(err)
		}
	})
}
