package node

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/internal/cluster"
	"github.com/sealstream/sealstream/internal/natsconn"
	"github.com/sealstream/sealstream/internal/natsd"
	"github.com/sealstream/sealstream/streams/subject"
)

// apiSubjects are all requests of JetStream's API, on every stream and bucket of a log, and what else must not be open.
func apiSubjects() []string {
	const log = "default"
	list := []string{"$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", "$JS.API.META.LEADER.STEPDOWN",
		"$JS.API.SERVER.REMOVE", "$JS.API.ACCOUNT.PURGE.LOG",
		"$JS.API.ACCOUNT.STREAM.MOVE.LOG.x", "$JS.API.ACCOUNT.STREAM.CANCEL_MOVE.LOG.x", "$JS.API.STREAM.TEMPLATE.NAMES", "$JS.API.CONSUMER.NOTHING", "$SYS.REQ.SERVER.PING", "$SYS.REQ.ACCOUNT.PING.CONNZ",
		"$JS.SNAPSHOT.RESTORE.x.y", "$JS.SNAPSHOT.ACK.x.y", "$JS.FC.x", "_INBOX.x", "_R_.x", subject.Refused(log, "x")}
	for _, s := range []string{
		"EVENTS_default", "SEALED_default", "PAYLOADS_default", "ALERTS_default", "KV_HEAD", "KV_TILES", "KV_CURSORS",
		"OBJ_ARCHIVE", "OTHER",
	} {
		for _, verb := range []string{"STREAM.CREATE", "STREAM.UPDATE", "STREAM.DELETE", "STREAM.PURGE", "STREAM.INFO",
			"STREAM.SNAPSHOT", "STREAM.RESTORE", "STREAM.MSG.GET", "STREAM.MSG.DELETE",
			"STREAM.PEER.REMOVE", "STREAM.LEADER.STEPDOWN", "DIRECT.GET", "CONSUMER.CREATE", "CONSUMER.NAMES", "CONSUMER.LIST"} {
			list = append(list, "$JS.API."+verb+"."+s)
		}
		for _, verb := range []string{
			"CONSUMER.CREATE", "CONSUMER.DURABLE.CREATE", "CONSUMER.INFO", "CONSUMER.DELETE", "CONSUMER.PAUSE",
			"CONSUMER.UNPIN", "CONSUMER.RESET", "CONSUMER.LEADER.STEPDOWN", "CONSUMER.MSG.NEXT",
		} {
			list = append(list, "$JS.API."+verb+"."+s+".c")
		}
		list = append(list, "$JS.API.CONSUMER.CREATE."+s+".c.filter", "$JS.API.DIRECT.GET."+s+".subject",
			"$JS.ACK."+s+".c.1.1.1.1.0")
	}
	token := subject.AgentToken(testAgent)
	for _, role := range append(subject.Roles(), "sealer", "sink") {
		list = append(list, subject.Service(log, role))
	}
	for _, r := range cluster.Roles(log) {
		list = append(list, natsd.InboxOf(r.Name)+".x")
	}
	return append(list, subject.Events(log, token), subject.Events(log, "other"), subject.Events(log, "open"),
		subject.Batch(log, "x"), subject.Control(log),
		subject.Sealed(log), subject.Payloads(log), subject.PayloadsRewrite(log, 1), subject.Alerts(log, "x", token),
		subject.Submit(log, token),
		subject.Submit(log, "other"), "audit.default.replay.x", "audit.other.sealed", "$KV.HEAD.default",
		"$KV.TILES.default/tile/0/000", "$KV.CURSORS.default/x", "$KV.OTHER.x", "$O.ARCHIVE.C.x", "$O.ARCHIVE.M.x",
		"$O.OTHER.C.x")
}

// allowed asks for a right, and hears whether the server grants it. A server answers in order, so what
// it refuses is known when the flush returns. It names the subject, so one connection does for all.
func allowed(t *testing.T, nc *nats.Conn, verb, subject string) bool {
	t.Helper()
	var err error
	name := "Publish"
	if verb == "subscribe" {
		name = "Subscription"
		_, err = nc.SubscribeSync(subject)
	} else {
		err = nc.Publish(subject, []byte("x"))
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	err = nc.LastError()
	return err == nil || !strings.Contains(strings.ToLower(err.Error()),
		strings.ToLower(fmt.Sprintf("permissions violation for %s to %q", name, subject)))
}

// TestRolesMatrix tries every role on every subject. What passes must be what testdata/roles.txt
// lists, and nothing else. T1, T23, T24.
func TestRolesMatrix(t *testing.T) {
	dir, s := configuredServer(t)
	if _, err := cluster.Apply(t.Context(), roleFlags(dir, s, cluster.RoleAdmin), cluster.StreamFlags{}, "default", 1,
		false); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/roles.txt")
	if err != nil && os.Getenv("WRITE_ROLES") == "" {
		t.Fatal(err)
	}
	var have strings.Builder
	subjects := apiSubjects()
	token := subject.AgentToken(testAgent)
	tried := 0
	for _, role := range []string{
		cluster.RoleIngest, cluster.RoleSealer, cluster.RoleQuery, cluster.RoleAlert, cluster.RoleArchiver,
		cluster.RoleSink, "agent", cluster.RoleAdmin, // whose requests change the server
	} {
		flags, name := roleFlags(dir, s, role), role
		if role == "agent" {
			flags, name = roleFlags(filepath.Join(dir, "agents"), s, token), token
		}
		nc := connectRole(t, flags, name)
		var passed []string
		for _, subject := range subjects {
			for _, verb := range []string{"publish", "subscribe"} {
				if tried++; allowed(t, nc, verb, subject) {
					passed = append(passed, fmt.Sprintf("%s %s %s\n", role, verb, subject))
				}
			}
		}
		nc.Close()
		if len(passed) == 2*len(subjects) {
			passed = []string{role + " everything\n"}
		}
		have.WriteString(strings.Join(passed, ""))
	}
	t.Logf("%d tried; these pass:\n%s", tried, have.String())
	if os.Getenv("WRITE_ROLES") != "" {
		os.WriteFile("testdata/roles.txt", []byte(have.String()), 0o644)
	}
	if have.String() != string(want) {
		t.Errorf("what passes is not what testdata/roles.txt lists:\n%s", have.String())
	}
	if _, err := roleFlags(dir, s, "nobody").Reach("nobody").Connect("x", slog.New(slog.DiscardHandler)); err == nil {
		t.Error("without a seed")
	}
	if nc, err := nats.Connect(s.ClientURL()); err == nil {
		nc.Close()
		t.Error("without credentials")
	}
}

func connectRole(t *testing.T, flags natsconn.ConnFlags, name string) *nats.Conn {
	t.Helper()
	nc, err := flags.Reach(name).Connect("test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return nc
}

// TestReplies: no service and no agent can have an answer, or a stored message, sent where it may
// not publish: into a stream, to JetStream, or to the inbox of another.
func TestReplies(t *testing.T) {
	dir, s := configuredServer(t)
	admin := roleFlags(dir, s, cluster.RoleAdmin)
	if _, err := cluster.Apply(t.Context(), admin, cluster.StreamFlags{}, "default", 1, false); err != nil {
		t.Fatal(err)
	}
	watching := connectRole(t, admin, cluster.RoleAdmin)
	defer watching.Close()
	targets := []string{
		"audit.default.sealed", "audit.default.control", "audit.default.service.other", "$KV.HEAD.default",
		"$JS.API.STREAM.PURGE.EVENTS_default", "_INBOX_sealer.x", "_INBOX_query.x", "_INBOX_ingest.x",
	}
	got := make(chan *nats.Msg, 1024)
	for _, to := range targets {
		if _, err := watching.ChanSubscribe(to, got); err != nil {
			t.Fatal(err)
		}
	}
	if err := watching.Flush(); err != nil {
		t.Fatal(err)
	}
	token := subject.AgentToken(testAgent)
	asked := map[string]string{
		cluster.RoleIngest: subject.Batch("default", "x"), cluster.RoleQuery: "$JS.API.STREAM.INFO.SEALED_default",
		cluster.RoleAlert: subject.Alerts("default", "x", token), cluster.RoleArchiver: "$JS.API.STREAM.INFO.OBJ_ARCHIVE",
		cluster.RoleSink: "$KV.CURSORS.default/x", token: subject.Events("default", token),
	}
	for role, own := range asked {
		flags := roleFlags(dir, s, role)
		if role == token {
			flags = roleFlags(filepath.Join(dir, "agents"), s, role)
		}
		nc := connectRole(t, flags, role)
		defer nc.Close()
		if _, err := nc.Request(own, nil, 5*time.Second); err != nil {
			t.Fatalf("%s: %s: %v", role, own, err)
		}
		for _, to := range targets {
			if err := nc.PublishRequest(own, to, nil); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := nc.Request(own, nil, 5*time.Second); err != nil { // comes behind them
			t.Fatal(err)
		}
	}
	if err := watching.Flush(); err != nil {
		t.Fatal(err)
	}
	for len(got) > 0 {
		m := <-got
		t.Errorf("on %s: %s", m.Subject, m.Data)
	}
	js, err := jetstream.New(watching)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]uint64{
		"EVENTS_default": 2 * uint64(len(targets)+2), "SEALED_default": 0, "KV_HEAD": 0,
	} {
		info, err := js.Stream(t.Context(), name)
		if err != nil || info.CachedInfo().State.Msgs != want {
			t.Errorf("%s: %+v, %v; want %d", name, info.CachedInfo().State, err, want)
		}
	}
}

// TestRoleLimits: a user that takes too much of a server loses the connection. T25.
func TestRoleLimits(t *testing.T) {
	dir := t.TempDir()
	err := cluster.WriteConfig(cluster.Config{
		Out: dir, Store: filepath.Join(dir, "store"), Listen: "127.0.0.1:-1", Monitor: "127.0.0.1:-1",
		MaxStore: 64 << 30, Agents: []string{testAgent, "did:example:other"}, AgentMax: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SERVER_NAME", "test")
	s, err := natsd.StartFile(t.Context(), filepath.Join(dir, "nats.conf"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	agents := filepath.Join(dir, "agents")
	connect := func(did string) (*nats.Conn, error) {
		token := subject.AgentToken(did)
		return roleFlags(agents, s, token).Reach(token).Connect("test", slog.New(slog.DiscardHandler))
	}
	var conns []*nats.Conn
	for range 2 {
		nc, err := connect(testAgent)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		conns = append(conns, nc)
	}
	if nc, err := connect(testAgent); err == nil {
		nc.Close()
		t.Error("a third connection")
	}
	other, err := connect("did:example:other")
	if err != nil {
		t.Fatalf("another agent: %v", err)
	}
	defer other.Close()
	for i := range 257 {
		inbox := fmt.Sprintf("%s.%d", natsd.InboxOf(subject.AgentToken(testAgent)), i)
		if _, err := conns[0].SubscribeSync(inbox); err != nil {
			t.Fatal(err)
		}
	}
	if conns[0].Flush(); conns[0].LastError() == nil {
		t.Error("257 subscriptions")
	}
	if err := other.Publish(subject.Events("default", subject.AgentToken("did:example:other")),
		make([]byte, 1<<20+1)); err == nil {
		t.Error("a message of more than 1 MiB")
	}
}
