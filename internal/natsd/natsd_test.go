package natsd

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func start(t *testing.T, cfg Config) *Server {
	t.Helper()
	cfg.Log = "x"
	if cfg.StoreDir == "" {
		cfg.StoreDir = t.TempDir()
	}
	if cfg.Addr == "" && !cfg.InProcess {
		cfg.Addr = "127.0.0.1:0"
	}
	s, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	return s
}

func connect(t *testing.T, s *Server) (*nats.Conn, jetstream.JetStream) {
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
	return nc, js
}

// public connects without credentials; what the server forbids comes on the channel.
func public(t *testing.T, s *Server) (*nats.Conn, <-chan error) {
	t.Helper()
	violations := make(chan error, 1000)
	nc, err := nats.Connect(s.ClientURL(), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		violations <- err
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc, violations
}

func receive[T any](t *testing.T, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s: nothing came", what)
	}
	return v
}

// streams makes what a log has, as far as it matters here.
func streams(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	for name, subjects := range map[string][]string{
		"EVENTS_x": {"audit.x.events.*", "audit.x.batch.*", "audit.x.control"}, "SEALED_x": {"audit.x.sealed"}, "PAYLOADS_x": {"audit.x.payloads"},
	} {
		if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: subjects}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "HEAD"}); err != nil {
		t.Fatal(err)
	}
}

func lastOf(t *testing.T, js jetstream.JetStream, name string) uint64 {
	t.Helper()
	s, err := js.Stream(t.Context(), name)
	if err != nil {
		t.Fatalf("stream %s: %v", name, err)
	}
	return s.CachedInfo().State.LastSeq
}

// forbidden are subjects on which a client without credentials may neither publish nor subscribe.
var forbidden = []string{
	"audit.x.sealed", "audit.x.payloads", "audit.x.payloads.7", "audit.x.control", "audit.x.batch.i", "audit.y.events.open", "audit.y.alerts.a.b",
	"audit.x.events.a.b", "audit.x.events", "audit", "foo", "_SEALSTREAM.abc", "_SEALSTREAM.abc.1", "_R_.abc", "_GR_.a.b",
	"$KV.HEAD.x", "$KV.TILES.x.tile", "$KV.CURSORS.x", "$O.ARCHIVE.C.x", "$JS.ACK.EVENTS_x.c.1.1.1.1.0", "$JS.FC.EVENTS_x.c",
	"$JS.API.INFO", "$JS.API.ACCOUNT.PURGE.LOG", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", "$JS.API.STREAM.INFO.EVENTS_x", "$JS.API.STREAM.CREATE.A",
	"$JS.API.STREAM.UPDATE.SEALED_x", "$JS.API.STREAM.DELETE.SEALED_x", "$JS.API.STREAM.PURGE.SEALED_x", "$JS.API.STREAM.MSG.GET.SEALED_x",
	"$JS.API.STREAM.MSG.DELETE.SEALED_x", "$JS.API.STREAM.SNAPSHOT.SEALED_x", "$JS.API.STREAM.RESTORE.SEALED_x", "$JS.API.STREAM.PEER.REMOVE.SEALED_x",
	"$JS.API.STREAM.LEADER.STEPDOWN.SEALED_x", "$JS.API.DIRECT.GET.KV_HEAD", "$JS.API.DIRECT.GET.KV_HEAD.$KV.HEAD.x",
	"$JS.API.CONSUMER.CREATE.SEALED_x", "$JS.API.CONSUMER.CREATE.SEALED_x.c", "$JS.API.CONSUMER.CREATE.SEALED_x.c.audit.x.sealed",
	"$JS.API.CONSUMER.DURABLE.CREATE.SEALED_x.c", "$JS.API.CONSUMER.NAMES.SEALED_x", "$JS.API.CONSUMER.LIST.SEALED_x", "$JS.API.CONSUMER.INFO.SEALED_x.c",
	"$JS.API.CONSUMER.DELETE.SEALED_x.c", "$JS.API.CONSUMER.MSG.NEXT.SEALED_x.c", "$JS.API.CONSUMER.PAUSE.SEALED_x.c", "$JS.API.SERVER.REMOVE",
	"$SYS.REQ.SERVER.PING", "$SYS.REQ.ACCOUNT.LOG.CONNZ", "$SYS.ACCOUNT.LOG.CONNECT", "$JS.EVENT.ADVISORY.API",
}

func TestAnonymousMayNot(t *testing.T) {
	s := start(t, Config{})
	_, js := connect(t, s)
	streams(t, js)
	anon, violations := public(t, s)
	check := func(verb, subject string) {
		t.Helper()
		if err := anon.Flush(); err != nil {
			t.Fatalf("%s %s: %v", verb, subject, err)
		}
		err := receive(t, violations, verb+" "+subject)
		if !errors.Is(err, nats.ErrPermissionViolation) || !strings.Contains(err.Error(), `"`+subject+`"`) {
			t.Errorf("%s %s: %v", verb, subject, err)
		}
	}
	// Publishing on an inbox would be answering for others.
	for _, subject := range append(forbidden, "audit.x.alerts.a.b", "audit.x.replay.a", "_INBOX.abc") {
		if err := anon.Publish(subject, []byte("{}")); err != nil {
			t.Fatal(err)
		}
		check("publish on", subject)
	}
	for _, subject := range append(forbidden, ">", "*", "*.*", "audit.>", "audit.x.>", "audit.x.*", "audit.x.*.>",
		"audit.*.alerts.>", "audit.x.events.*", "audit.x.events.open",
		"_SEALSTREAM.>", "_INBOX*", "_R_.>", "$JS.>", "$JS.EVENT.>", "$KV.>", "$SYS.>") {
		if _, err := anon.SubscribeSync(subject); err != nil {
			t.Fatal(err)
		}
		check("subscribe to", subject)
		if _, err := anon.QueueSubscribeSync(subject, "q"); err != nil {
			t.Fatal(err)
		}
		check("subscribe to", subject)
	}
	for _, name := range []string{"EVENTS_x", "SEALED_x", "PAYLOADS_x", "KV_HEAD"} {
		if last := lastOf(t, js, name); last != 0 {
			t.Errorf("%s has %d messages", name, last)
		}
	}
}

func TestAnonymousMay(t *testing.T) {
	s := start(t, Config{})
	nc, js := connect(t, s)
	streams(t, js)
	anon, violations := public(t, s)
	for i, token := range []string{"open", "mfrggzdfmztwq2lknnwg23tpoa"} {
		m := &nats.Msg{Subject: "audit.x.events." + token, Header: nats.Header{"ce-id": {"1"}}, Data: []byte("{}")}
		ack, err := anon.RequestMsg(m, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{
			`{"stream":"EVENTS_x","seq":1}`, `{"stream":"EVENTS_x","seq":2}`,
		}[i]; string(ack.Data) != want {
			t.Errorf("acknowledgement %s, want %s", ack.Data, want)
		}
	}
	st, err := js.Stream(t.Context(), "EVENTS_x")
	if err != nil {
		t.Fatal(err)
	}
	m, err := st.GetMsg(t.Context(), 2)
	if err != nil || m.Subject != "audit.x.events.mfrggzdfmztwq2lknnwg23tpoa" || string(m.Data) != "{}" ||
		len(m.Header) != 1 || m.Header["ce-id"][0] != "1" {
		t.Errorf("stored %+v, %v: it must be what was published, and nothing else", m, err)
	}
	for _, subject := range []string{"audit.x.alerts.tool_blocked.abc", "audit.x.replay.1.2"} {
		sub, err := anon.SubscribeSync(subject[:len("audit.x.alerts.")] + ">")
		if err != nil {
			t.Fatal(err)
		}
		if err := anon.Flush(); err != nil {
			t.Fatal(err)
		}
		if err := nc.Publish(subject, []byte("told")); err != nil {
			t.Fatal(err)
		}
		if m, err := sub.NextMsg(5 * time.Second); err != nil || m.Subject != subject || string(m.Data) != "told" {
			t.Errorf("%s: %+v, %v", subject, m, err)
		}
	}
	select {
	case err := <-violations:
		t.Error(err)
	default:
	}
}

// TestReplayer: the user of replays may publish them, and do nothing else.
func TestReplayer(t *testing.T) {
	s := start(t, Config{Replayer: "r"})
	_, js := connect(t, s)
	streams(t, js)
	anon, _ := public(t, s)
	sub, err := anon.SubscribeSync("audit.x.replay.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := anon.Flush(); err != nil {
		t.Fatal(err)
	}
	violations := make(chan error, 16)
	nc, err := nats.Connect(s.ClientURL(), nats.UserInfo(Replayer, "r"),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { violations <- err }))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := nc.Publish("audit.x.replay.night", []byte("told")); err != nil {
		t.Fatal(err)
	}
	if m, err := sub.NextMsg(5 * time.Second); err != nil || m.Subject != "audit.x.replay.night" ||
		string(m.Data) != "told" {
		t.Errorf("%+v, %v", m, err)
	}
	for _, subject := range append(forbidden, "audit.x.events.open", "audit.x.alerts.a.b", "audit.y.replay.a",
		"_INBOX.abc") {
		if err := nc.Publish(subject, []byte("{}")); err != nil {
			t.Fatal(err)
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
		if err := receive(t, violations, subject); !errors.Is(err, nats.ErrPermissionViolation) ||
			!errors.Is(nc.LastError(), nats.ErrPermissionViolation) {
			t.Errorf("publish on %s: %v", subject, err)
		}
	}
	for _, subject := range []string{">", "audit.x.sealed", "audit.x.replay.>", "_INBOX.>"} {
		if _, err := nc.SubscribeSync(subject); err != nil {
			t.Fatal(err)
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
		if err := receive(t, violations, subject); !errors.Is(err, nats.ErrPermissionViolation) {
			t.Errorf("subscribe to %s: %v", subject, err)
		}
	}
	if nc, err := nats.Connect(start(t, Config{}).ClientURL(), nats.UserInfo(Replayer, "")); err == nil {
		nc.Close()
		t.Error("the user is there though nobody asked for it")
	}
}

// TestAcknowledgementsGoNowhereElse: a publisher names the subject on which JetStream acknowledges.
// None must reach a stream, a bucket or the API. The same goes for answers to requests.
func TestAcknowledgementsGoNowhereElse(t *testing.T) {
	s := start(t, Config{})
	nc, js := connect(t, s)
	streams(t, js)
	anon, _ := public(t, s)
	for _, reply := range forbidden {
		if err := anon.PublishRequest("audit.x.events.open", reply, []byte("{}")); err != nil &&
			!errors.Is(err, nats.ErrBadSubject) {
			t.Fatal(err)
		}
		// Nor do the traces that a publisher asks for.
		m := &nats.Msg{Subject: "audit.x.events.open", Header: nats.Header{"Nats-Trace-Dest": {reply}}}
		if err := anon.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
	}
	// Nor does what a service answers, though it may publish anywhere.
	if _, err := nc.Subscribe("audit.x.submit.*", func(m *nats.Msg) { m.Respond([]byte("{}")) }); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, reply := range forbidden {
		if err := anon.PublishRequest("audit.x.submit.open", reply, []byte("{}")); err != nil &&
			!errors.Is(err, nats.ErrBadSubject) {
			t.Fatal(err)
		}
	}
	if _, err := anon.Request("audit.x.submit.open", []byte("{}"), 5*time.Second); err != nil {
		t.Fatal(err)
	}
	// Acknowledgements are sent in order: when this one is here, the others have gone wherever they go.
	if _, err := anon.Request("audit.x.events.open", []byte("{}"), 5*time.Second); err != nil {
		t.Fatal(err)
	}
	if last, most := lastOf(t, js, "EVENTS_x"), uint64(2*len(forbidden)+1); last < 2 || last > most {
		t.Errorf("EVENTS holds %d messages of %d sent", last, most)
	}
	st, err := js.Stream(t.Context(), "EVENTS_x")
	if err != nil {
		t.Fatal(err)
	}
	if n := st.CachedInfo().State.NumSubjects; n != 1 {
		t.Errorf("EVENTS has messages on %d subjects", n)
	}
	for _, subject := range []string{"audit.x.sealed", "audit.x.payloads", "$KV.HEAD.x"} {
		if ack, err := js.Publish(t.Context(), subject, nil); err != nil || ack.Sequence != 1 {
			t.Errorf("the first message on %s: %+v, %v", subject, ack, err)
		}
	}
}

func TestRestartKeepsMessages(t *testing.T) {
	dir := t.TempDir()
	s := start(t, Config{StoreDir: dir, Password: "p"})
	if !s.SyncAlways() {
		t.Error("not every message is synced")
	}
	_, js := connect(t, s)
	streams(t, js)
	if _, err := js.Publish(t.Context(), "audit.x.events.open", []byte("kept")); err != nil {
		t.Fatal(err)
	}
	s.Shutdown()

	// The same folder opened by a server that listens nowhere.
	s = start(t, Config{StoreDir: dir, InProcess: true})
	_, js = connect(t, s)
	st, err := js.Stream(t.Context(), "EVENTS_x")
	if err != nil {
		t.Fatal(err)
	}
	if m, err := st.GetMsg(t.Context(), 1); err != nil || string(m.Data) != "kept" {
		t.Errorf("after the restart: %+v, %v", m, err)
	}
	if nc, err := nats.Connect(s.ClientURL()); err == nil {
		nc.Close()
		t.Errorf("somebody listens on %s", s.ClientURL())
	}
	if _, err := os.Stat(filepath.Join(dir, "jetstream", accountLog, "streams", "EVENTS_x", "msgs",
		"1.blk")); err != nil {
		t.Errorf("a person would not find the messages: %v", err)
	}
}

func TestRelaxed(t *testing.T) {
	if start(t, Config{Relaxed: true}).SyncAlways() {
		t.Error("a relaxed server says that it syncs always")
	}
}

func TestWrongPassword(t *testing.T) {
	s := start(t, Config{Password: `quo"te}`})
	connect(t, s)
	for _, user := range []string{internal, anonymous, "nobody"} {
		if nc, err := nats.Connect(s.ClientURL(), nats.UserInfo(user, "guess")); !errors.Is(err,
			nats.ErrAuthorization) {
			nc.Close()
			t.Errorf("%s: %v", user, err)
		}
	}
}

// TestStartFails: what is wrong comes back as one error, and the process lives on.
func TestStartFails(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	for name, c := range map[string]struct {
		ctx  context.Context
		cfg  Config
		want error
		says string
	}{
		"busy port":    {t.Context(), Config{StoreDir: t.TempDir(), Addr: busy.Addr().String()}, ErrPortBusy, busy.Addr().String()},
		"no address":   {t.Context(), Config{StoreDir: t.TempDir(), Addr: "nowhere"}, nil, "nowhere"},
		"store a file": {t.Context(), Config{StoreDir: file, Addr: "127.0.0.1:0"}, ErrStart, file},
		"wild log":     {t.Context(), Config{StoreDir: t.TempDir(), Addr: "127.0.0.1:0", Log: "*"}, nil, `log "*"`},
		"context done": {ended, Config{StoreDir: t.TempDir(), Addr: "127.0.0.1:0"}, context.Canceled, ""},
	} {
		if c.cfg.Log == "" {
			c.cfg.Log = "x"
		}
		s, err := Start(c.ctx, c.cfg)
		if err == nil {
			s.Shutdown()
		}
		if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) ||
			strings.Count(err.Error(), "\n") > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDocumentedConfig: the configuration that streams/README.md gives to administrators is one,
// and keeps an agent to its subject.
func TestDocumentedConfig(t *testing.T) {
	text, err := os.ReadFile("../../streams/README.md")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(text), "```")
	if len(parts) != 3 {
		t.Fatalf("%d code blocks, want 1", len(parts)/2)
	}
	for _, name := range []string{"SEALER", "INGEST", "QUERY", "BOOKING"} {
		t.Setenv(name, "p-"+name)
	}
	opts := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true}
	if err := opts.ProcessConfigString(strings.Replace(parts[1], "/data", t.TempDir(), 1)); err != nil {
		t.Fatal(err)
	}
	if !opts.SyncAlways || !opts.JetStream {
		t.Error("the server would not sync always")
	}
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	defer func() { s.Shutdown(); s.WaitForShutdown() }()
	if !s.ReadyForConnections(30 * time.Second) {
		t.Fatal("not ready")
	}
	sealer, err := nats.Connect(s.ClientURL(), nats.UserInfo("sealer", "p-SEALER"))
	if err != nil {
		t.Fatal(err)
	}
	defer sealer.Close()
	js, err := jetstream.New(sealer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: "EVENTS_default", Subjects: []string{"audit.default.events.*"},
	}); err != nil {
		t.Fatal(err)
	}
	violations := make(chan error, 10)
	agent, err := nats.Connect(s.ClientURL(), nats.UserInfo("booking-7", "p-BOOKING"),
		nats.CustomInboxPrefix("_INBOX_mfrggzdfmztwq2lknnwg23tpoa"),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { violations <- err }))
	if err != nil {
		t.Fatal(err)
	}
	defer agent.Close()
	if m, err := agent.Request("audit.default.events.mfrggzdfmztwq2lknnwg23tpoa", nil, 5*time.Second); err != nil ||
		!strings.Contains(string(m.Data), `"seq":1`) {
		t.Errorf("its own subject: %+v, %v", m, err)
	}
	if err := agent.Publish("audit.default.events.open", nil); err != nil {
		t.Fatal(err)
	}
	if err := receive(t, violations, "another subject"); !errors.Is(err, nats.ErrPermissionViolation) {
		t.Error(err)
	}
	// of other agents
	for _, inboxes := range []string{"_INBOX.>", "_INBOX_*.>", ">", "_INBOX_aaaaaaaaaaaaaaaaaaaaaaaaaa.>"} {
		if _, err := agent.SubscribeSync(inboxes); err != nil {
			t.Fatal(err)
		}
		if err := receive(t, violations, inboxes); !errors.Is(err, nats.ErrPermissionViolation) {
			t.Error(err)
		}
	}
}
