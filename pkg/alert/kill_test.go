package alert_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/pkg/alert"
	"github.com/sealstream/sealstream/pkg/internal/natsd"
	"github.com/sealstream/sealstream/pkg/store"
	"github.com/sealstream/sealstream/pkg/store/natsstore"
	"github.com/sealstream/sealstream/streams"
)

// child is what this test program does instead of tests when the variable below holds it: it follows a log until it is killed.
type child struct{ URL, Password, Key string }

const childVariable = "SEALSTREAM_TEST_ALERTER"

func TestMain(m *testing.M) {
	args := os.Getenv(childVariable)
	if args == "" {
		os.Exit(m.Run())
	}
	var c child
	if err := json.Unmarshal([]byte(args), &c); err != nil {
		panic(err)
	}
	if err := c.run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (c child) run(ctx context.Context) error {
	nc, err := nats.Connect(c.URL, nats.UserInfo("sealstream", c.Password), nats.CustomInboxPrefix(natsd.InboxPrefix))
	if err != nil {
		return err
	}
	log, err := natsstore.Open(ctx, nc, streams.Config{Log: "default"})
	if err != nil {
		return err
	}
	a, err := alert.New(alert.Config{Log: log, Keys: []string{c.Key}, Rules: rules, Lag: -1, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

func startBroker(t testing.TB, relaxed bool) (*natsd.Server, *nats.Conn, *store.Log) {
	t.Helper()
	s, err := natsd.Start(t.Context(), natsd.Config{StoreDir: t.TempDir(), Addr: "127.0.0.1:0", Log: "default", Password: "secret", Relaxed: relaxed})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	nc, log := connect(t, s)
	return s, nc, log
}

// connect opens the log on a connection of its own.
func connect(t testing.TB, s *natsd.Server) (*nats.Conn, *store.Log) {
	t.Helper()
	nc, err := s.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	cfg := streams.Config{Log: "default"}
	if err := streams.Ensure(t.Context(), js, cfg); err != nil {
		t.Fatal(err)
	}
	log, err := natsstore.Open(t.Context(), nc, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return nc, log
}

// TestKill kills the follower's process with -9 fifty times while it tells of more than 10,000 matches. Each stands on ALERTS once.
func TestKill(t *testing.T) {
	t.Parallel()
	kills, events := 50, 20000
	if testing.Short() {
		kills, events = 10, 4000
	}
	s, _, log := startBroker(t, true)
	f := newFixture(t, log)
	f.publish(events)
	f.seal()
	env, err := json.Marshal(child{s.ClientURL(), "secret", f.key})
	if err != nil {
		t.Fatal(err)
	}
	told := func() uint64 {
		info, err := log.Alerts.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return info.Last
	}
	all := uint64(events/3+events*2/11) + 1 // and a few rates
	for n := 0; ; n++ {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), childVariable+"="+string(env))
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		goal := all * uint64(n+1) / uint64(kills+1)
		if n == kills {
			goal = all
		}
		f.until(fmt.Sprintf("alert %d of %d, in life %d", goal, all, n), func() bool { return told() >= goal })
		if n < kills {
			time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
		} else {
			f.until("the saved state of the last life", func() bool { return f.saved() >= uint64(events) })
		}
		c.Process.Kill()
		c.Wait()
		if n == kills {
			break
		}
	}
	t.Logf("%d kills, %d alerts", kills, f.check())
}

// saved is the index that the saved state goes on with.
func (f *fixture) saved() uint64 {
	a := f.alerter(f.log, alert.Config{Rules: rules, Lag: -1})
	next, err := a.SavedNext(f.Context())
	if err != nil {
		return 0
	}
	return next
}
