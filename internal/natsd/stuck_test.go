package natsd

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// stuckLog is a handler of log lines that holds up whoever begins to stop the server, as a lock that is
// never given back does.
type stuckLog struct {
	slog.Handler
	until chan struct{}
}

func (h *stuckLog) Enabled(context.Context, slog.Level) bool { return true }

func (h *stuckLog) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "Initiating Shutdown") {
		<-h.until
	}
	return nil
}

// TestStuck: a server that does not stop is given up. It is not started a second time on the same files,
// and nobody waits for it again.
func TestStuck(t *testing.T) {
	h := &stuckLog{slog.DiscardHandler, make(chan struct{})}
	s := start(t, Config{Logger: slog.New(h), stopTimeout: 100 * time.Millisecond})
	done := s.running.Load()
	began := time.Now()
	if err := s.Restart(t.Context()); !errors.Is(err, ErrStuck) {
		t.Fatalf("restart of a server that does not stop: %v", err)
	}
	s.cfg.stopTimeout = time.Minute
	if err := s.Restart(t.Context()); !errors.Is(err, ErrStuck) {
		t.Fatalf("second restart: %v", err)
	}
	s.Shutdown()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	if s.running.Load() != done {
		t.Error("a second server was started beside it")
	}
	close(h.until)
	done.WaitForShutdown()
}

// TestGiveUp: whoever finds that the server does not answer makes it broken, until it is started again.
func TestGiveUp(t *testing.T) {
	s := start(t, Config{})
	s.GiveUp("it does not answer")
	receive(t, s.Broken(), "broken")
	if s.Why() != "it does not answer" {
		t.Fatalf("why %q", s.Why())
	}
	if err := s.Restart(t.Context()); err != nil || s.Why() != "" {
		t.Fatalf("%v, still %q", err, s.Why())
	}
}
