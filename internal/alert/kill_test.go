package alert_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/alert"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/natsd"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/streams"
)

// child is what this test program does instead of tests when the variable below holds it: it
// follows a log until it is killed.
type child struct{ URL, Password, Key string }

const childVariable = "SEALSTREAM_TEST_ALERTER"

func TestMain(m *testing.M) { logtest.Main(m, childVariable, follow) }

func follow(ctx context.Context, c child) error {
	log, err := logtest.Dial(ctx, c.URL, c.Password)
	if err != nil {
		return err
	}
	a, err := alert.New(alert.Config{
		Log: log, Keys: []string{c.Key}, Rules: rules, Lag: -1, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

func startBroker(t testing.TB, relaxed bool) (*natsd.Server, *nats.Conn, *store.Log) {
	t.Helper()
	s := logtest.Server(t, natsd.Config{Password: "secret", Relaxed: relaxed})
	nc, log := connect(t, s)
	return s, nc, log
}

// connect opens the log on a connection of its own.
func connect(t testing.TB, s *natsd.Server) (*nats.Conn, *store.Log) {
	t.Helper()
	return logtest.Open(t, s, streams.Config{Log: logtest.Name})
}

// TestKill kills the follower's process with -9 fifty times while it tells of more than 10,000
// matches. Each stands on ALERTS once.
func TestKill(t *testing.T) {
	t.Parallel()
	kills, events := 50, 20000
	if testing.Short() {
		kills, events = 10, 4000
	}
	s, _, log := startBroker(t, true)
	f := newFixture(t, log)
	f.publish(events)
	f.Seal()
	told := func() uint64 {
		info, err := log.Alerts.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return info.Last
	}
	all := uint64(events/3+events*2/11) + 1 // and a few rates
	for n := 0; ; n++ {
		c := logtest.Child(t, childVariable, child{s.ClientURL(), "secret", f.Key}, nil)
		goal := all * uint64(n+1) / uint64(kills+1)
		if n == kills {
			goal = all
		}
		f.Until(fmt.Sprintf("alert %d of %d, in life %d", goal, all, n), func() bool { return told() >= goal })
		if n < kills {
			time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
		} else {
			f.Until("the saved state of the last life", func() bool { return f.saved() >= uint64(events) })
		}
		logtest.Kill(c)
		if n == kills {
			break
		}
	}
	t.Logf("%d kills, %d alerts", kills, f.check())
}

// saved is the index that the saved state goes on with.
func (f *fixture) saved() uint64 {
	a := f.alerter(f.Store, alert.Config{Rules: rules, Lag: -1})
	next, err := a.SavedNext(f.Context())
	if err != nil {
		return 0
	}
	return next
}
