package natsd

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// TestRefuse: what agents publish as events is answered by whoever answers RefusedSubject, and is
// stored again after Accept.
func TestRefuse(t *testing.T) {
	s := start(t, Config{})
	nc, js := connect(t, s)
	streams(t, js)
	anon, _ := public(t, s)
	agent, err := jetstream.New(anon)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Subscribe(s.RefusedSubject(), func(m *nats.Msg) {
		m.Respond([]byte(`{"error":{"code":503,"err_code":10047,"description":"no room: ` +
			strings.TrimPrefix(m.Subject, "audit.x.refused.") + `"}}`))
	}); err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		if err := s.Refuse(); err != nil {
			t.Fatal(err)
		}
		before := lastOf(t, js, "EVENTS_x")
		_, err := agent.Publish(t.Context(), "audit.x.events.abc", []byte("{}"))
		if refused, ok := errors.AsType[*jetstream.APIError](err); !ok || refused.Description != "no room: abc" ||
			refused.ErrorCode != 10047 {
			t.Fatalf("round %d: refused with %v", round, err)
		}
		if last := lastOf(t, js, "EVENTS_x"); last != before {
			t.Fatalf("round %d: EVENTS went from %d to %d", round, before, last)
		}
		if round == 1 { // a server that was started again refuses as before
			if err := s.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
			await(t, nc, anon)
			if _, err := agent.Publish(t.Context(), "audit.x.events.abc", []byte("{}")); err == nil ||
				!strings.Contains(err.Error(), "no room") {
				t.Fatalf("after a restart: %v", err)
			}
		}
		if err := s.Accept(); err != nil {
			t.Fatal(err)
		}
		if ack, err := agent.Publish(t.Context(), "audit.x.events.abc", []byte("{}")); err != nil ||
			ack.Sequence != before+1 {
			t.Fatalf("round %d: accepted as %+v, %v", round, ack, err)
		}
	}
}

// await waits until connections are back.
func await(t *testing.T, list ...*nats.Conn) {
	t.Helper()
	for _, nc := range list {
		for deadline := time.Now().Add(10 * time.Second); !nc.IsConnected() ||
			nc.Flush() != nil; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("a connection does not come back")
			}
		}
	}
}

// TestBroken: the words with which the server gives up a stream are heard, once, and forgotten at the restart.
func TestBroken(t *testing.T) {
	s := start(t, Config{})
	nc, js := connect(t, s)
	streams(t, js)
	url := s.ClientURL()
	if _, err := js.Publish(t.Context(), "audit.x.sealed", []byte("kept")); err != nil {
		t.Fatal(err)
	}
	l := &logger{log: s.cfg.Logger, broken: &s.broken}
	l.Errorf("a client was slow")
	l.Warnf("Filesystem permission was checked")
	select {
	case <-s.Broken():
		t.Fatal("broken by other words")
	default:
	}
	l.Errorf("JetStream stream '%s > %s' critical write error: %v", "LOG", "EVENTS_x", "no space left on device")
	l.Errorf("JetStream out of resources, will be DISABLED")
	receive(t, s.Broken(), "broken")
	if want := "JetStream stream 'LOG > EVENTS_x' critical write error: no space left on device"; s.Why() != want {
		t.Fatalf("why %q, want %q", s.Why(), want)
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.Why() != "" || s.ClientURL() != url {
		t.Fatalf("after the restart: %q at %s, was at %s", s.Why(), s.ClientURL(), url)
	}
	await(t, nc)
	if last := lastOf(t, js, "SEALED_x"); last != 1 {
		t.Fatalf("SEALED ends at %d, want 1", last)
	}
}
