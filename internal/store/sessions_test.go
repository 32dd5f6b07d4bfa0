package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/store"
)

// TestSessions: trouble is tried again after ever longer pauses, progress begins them anew, and what
// is wrong with the log itself ends the loop.
func TestSessions(t *testing.T) {
	trouble := errors.New("no answer")
	bad := fmt.Errorf("batch: %w", &audit.MismatchError{})
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		var told []string
		progress, begin := uint64(0), time.Now()
		s := store.Sessions{
			Session: func(context.Context) error {
				at = append(at, time.Since(begin))
				switch len(at) {
				case 12:
					progress++
				case 15:
					return bad
				}
				return trouble
			},
			Progress: func() uint64 { return progress },
			Retry:    func(err error, _ time.Duration) { told = append(told, fmt.Sprint("retry ", err == trouble)) },
			Ended:    func(err error) { told = append(told, fmt.Sprint("ended ", err == bad)) },
			Longest:  time.Second,
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Hour, cancel)
		s.Run(ctx)
		if time.Since(begin) != time.Hour || len(at) != 15 {
			t.Fatalf("%d sessions in %v", len(at), time.Since(begin))
		}
		if pause := at[11] - at[10]; pause < 500*time.Millisecond || pause > time.Second+1 {
			t.Errorf("the pause has become %v", pause)
		}
		if pause := at[12] - at[11]; pause > 10*time.Millisecond+1 {
			t.Errorf("the pause after progress is %v", pause)
		}
		if want := append(slices.Repeat([]string{"retry true"}, 14), "ended true"); !slices.Equal(told, want) {
			t.Errorf("told %q", told)
		}
	})
}

// TestSessionsWithoutPause: an error that Restart handles, and Wake, cost no time.
func TestSessionsWithoutPause(t *testing.T) {
	trouble, again := errors.New("no answer"), errors.New("begin again")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		wake, n, begin := make(chan struct{}, 1), 0, time.Now()
		store.Sessions{
			Session: func(context.Context) error {
				if n++; n == 1 {
					return again
				} else if n == 2 {
					wake <- struct{}{}
					return trouble
				}
				cancel()
				return trouble
			},
			Progress: func() uint64 { return 0 },
			Retry:    func(err error, pause time.Duration) {},
			Restart:  func(err error) bool { return err == again },
			Wake:     wake,
			First:    time.Minute,
			Longest:  time.Minute,
		}.Run(ctx)
		if n != 3 || time.Since(begin) != 0 {
			t.Errorf("%d sessions in %v", n, time.Since(begin))
		}
	})
}

func TestFinal(t *testing.T) {
	for err, want := range map[error]bool{
		errors.New("x"): false, &audit.MismatchError{}: true, fmt.Errorf("x: %w", sealedlog.ErrVersion): true, context.Canceled: false,
	} {
		if store.Final(err) != want {
			t.Errorf("Final(%v) is %v", err, !want)
		}
	}
}
