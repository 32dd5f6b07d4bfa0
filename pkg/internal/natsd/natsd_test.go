package natsd

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func start(t *testing.T, cfg Config) *Server {
	t.Helper()
	s, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	return s
}

// TestAnonymous asks for every kind of subject as a client without credentials: what is not on the list must be refused.
func TestAnonymous(t *testing.T) {
	s := start(t, Config{StoreDir: t.TempDir(), Addr: "127.0.0.1:0", Log: "default"})
	denied := make(chan string, 100)
	nc, err := nats.Connect(s.ClientURL(), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		if errors.Is(err, nats.ErrPermissionViolation) {
			denied <- err.Error()
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for _, c := range []struct {
		subject            string
		publish, subscribe bool
	}{
		{"audit.default.events.open", true, false}, {"audit.default.events.abc", true, false}, {"audit.default.events.a.b", false, false},
		{"audit.other.events.open", false, false}, {"audit.default.batch.x", false, false}, {"audit.default.control", false, false},
		{"audit.default.sealed", false, false}, {"audit.default.payloads", false, false}, {"audit.default.payloads.1", false, false},
		{"audit.default.alerts.policy_violation.x", false, true}, {"audit.default.replay.x", false, true}, {"_INBOX.abc.1", false, true},
		{InboxPrefix + ".abc", false, false}, {"$JS.API.INFO", false, false}, {"$JS.API.STREAM.UPDATE.SEALED_default", false, false},
		{"$JS.API.STREAM.DELETE.SEALED_default", false, false}, {"$JS.API.STREAM.PURGE.EVENTS_default", false, false},
		{"$JS.API.STREAM.MSG.GET.PAYLOADS_default", false, false}, {"$JS.API.DIRECT.GET.KV_HEAD", false, false}, {"$JS.API.CONSUMER.CREATE.SEALED_default", false, false},
		{"$JS.ACK.x", false, false}, {"$KV.HEAD.default", false, false}, {"$SYS.REQ.SERVER.PING", false, false}, {">", false, false}, {"audit.>", false, false},
	} {
		if !strings.ContainsAny(c.subject, ">") {
			if err := nc.Publish(c.subject, []byte("x")); err != nil {
				t.Fatal(err)
			}
			if allowed := !violation(t, nc, denied); allowed != c.publish {
				t.Errorf("publish on %s: allowed %v", c.subject, allowed)
			}
		}
		sub, err := nc.SubscribeSync(c.subject)
		if err != nil {
			t.Fatal(err)
		}
		if allowed := !violation(t, nc, denied); allowed != c.subscribe {
			t.Errorf("subscribe to %s: allowed %v", c.subject, allowed)
		}
		sub.Unsubscribe()
	}
}

// violation says whether the server has refused what was sent last; its word comes before the answer to a flush.
func violation(t *testing.T, nc *nats.Conn, denied chan string) bool {
	t.Helper()
	if err := nc.FlushTimeout(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	select {
	case <-denied:
		return true
	case <-time.After(20 * time.Millisecond): // the error handler runs beside the flush
		return false
	}
}

func TestRestartKeepsMessages(t *testing.T) {
	dir := t.TempDir()
	for round := range 3 {
		s := start(t, Config{StoreDir: dir, InProcess: true, Log: "default"})
		if !s.SyncAlways() {
			t.Fatal("messages are not synced before they are acknowledged")
		}
		nc, err := s.Connect()
		if err != nil {
			t.Fatal(err)
		}
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}}); err != nil {
			t.Fatal(err)
		}
		ack, err := js.Publish(t.Context(), "s", []byte("x"))
		if err != nil || ack.Sequence != uint64(round+1) {
			t.Fatalf("round %d: %+v, %v", round, ack, err)
		}
		nc.Close()
		s.Shutdown()
	}
	if s := start(t, Config{StoreDir: t.TempDir(), InProcess: true, Log: "default", Relaxed: true}); s.SyncAlways() {
		t.Fatal("relaxed, but synced")
	}
}

func TestBusyPortAndBadFolder(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dir := filepath.Join(t.TempDir(), "store")
	if _, err := Start(t.Context(), Config{StoreDir: dir, Addr: l.Addr().String(), Log: "default"}); !errors.Is(err, ErrPortBusy) {
		t.Fatalf("Start: %v, want ErrPortBusy", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Fatal("a folder was made")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), Config{StoreDir: file, InProcess: true, Log: "default"}); !errors.Is(err, ErrStart) {
		t.Fatalf("Start: %v, want ErrStart", err)
	}
}
