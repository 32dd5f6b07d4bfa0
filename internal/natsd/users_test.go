package natsd

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"
)

// nkeyUser makes a key, and the option that proves it.
func nkeyUser(t *testing.T) (string, nats.Option) {
	t.Helper()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return public, nats.Nkey(public, pair.Sign)
}

// TestT24Users: a private server lets in the users that it has, each with its own subjects. A user that
// is removed loses its connection, one whose subjects change loses the others, and nobody else loses
// anything. T1, T24, T33.
func TestT24Users(t *testing.T) {
	s, err := Start(t.Context(), Config{StoreDir: t.TempDir(), Addr: "127.0.0.1:0", Log: "x", Private: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	own, err := s.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	js, err := jetstream.New(own)
	if err != nil {
		t.Fatal(err)
	}
	streams(t, js)
	if _, err := nats.Connect(s.ClientURL()); !errors.Is(err, nats.ErrAuthorization) {
		t.Fatalf("without credentials: %v", err)
	}
	a, asA := nkeyUser(t)
	b, asB := nkeyUser(t)
	user := func(key, token string) User {
		return User{NKey: key, Publish: []string{"audit.x.events." + token}, Subscribe: []string{"_INBOX_" + token + ".>"}}
	}
	if err := s.SetUsers([]User{user(a, "a"), user(b, "b")}); err != nil {
		t.Fatal(err)
	}
	connect := func(as nats.Option, token string) (*nats.Conn, <-chan struct{}) {
		t.Helper()
		closed := make(chan struct{})
		nc, err := nats.Connect(s.ClientURL(), as, nats.CustomInboxPrefix("_INBOX_"+token), nats.NoReconnect(),
			nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}), // of refusals
			nats.ClosedHandler(func(*nats.Conn) { close(closed) }))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		return nc, closed
	}
	asked := func(nc *nats.Conn, subject string, limit time.Duration) error {
		_, err := nc.Request(subject, []byte("{}"), limit)
		return err
	}
	ncA, closedA := connect(asA, "a")
	ncB, _ := connect(asB, "b")
	if err := asked(ncA, "audit.x.events.a", 5*time.Second); err != nil {
		t.Errorf("its own subject: %v", err)
	}
	for _, subject := range append([]string{"audit.x.events.b", "audit.x.submit.a", "$JS.API.INFO"}, forbidden[:5]...) {
		if err := asked(ncA, subject, 30*time.Millisecond); err == nil {
			t.Errorf("%s: allowed", subject)
		}
	}
	if err := s.SetUsers([]User{user(b, "b")}); err != nil {
		t.Fatal(err)
	}
	receive(t, closedA, "the connection of a removed user")
	if _, err := nats.Connect(s.ClientURL(), asA); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("a removed user: %v", err)
	}
	if err := asked(ncB, "audit.x.events.b", 5*time.Second); err != nil {
		t.Errorf("another user: %v", err)
	}
	if err := s.SetUsers([]User{user(b, "c")}); err != nil {
		t.Fatal(err)
	}
	if err := asked(ncB, "audit.x.events.b", 30*time.Millisecond); err == nil {
		t.Error("a subject that was withdrawn is allowed")
	}
	if lastOf(t, js, "EVENTS_x") != 2 || !own.IsConnected() {
		t.Error("the log has lost something")
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := nats.Connect(s.ClientURL(), asA); err == nil {
		t.Error("a restart has brought a user back")
	}
}
