// Package natsd is the embedded NATS server of `sealstream up`, and the only import of nats-server. It knows JetStream's
// durability, who may connect, and nothing of logs but one name.
package natsd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// What a server can be refused for.
var (
	// ErrPortBusy: another program listens on the address.
	ErrPortBusy = errors.New("port is busy")
	// ErrStart: the server did not come up; the text is its own.
	ErrStart = errors.New("NATS server did not start")
)

// Config is an embedded server.
type Config struct {
	StoreDir  string       // JetStream's folder; made if there is none
	Addr      string       // host:port to listen on; port 0: a free one
	InProcess bool         // listen nowhere; only Connect reaches the server
	Log       string       // the log on whose event subjects anonymous clients may publish
	Password  string       // of the user sealstream, who may do everything; "": a random one, which only Connect knows
	Replayer  string       // password of the user replay, who may publish replays and nothing else; "": there is no such user
	Relaxed   bool         // let the page cache answer: false syncs every message to disk before it is acknowledged
	Logger    *slog.Logger // nil: silent
}

// Server is a running server.
type Server struct {
	cfg      Config
	server   *server.Server
	password string
}

// The users: everyone, who may publish events and read what is public; this process; and whoever may tell of entries again.
const (
	anonymous = "anonymous"
	internal  = "sealstream"
	Replayer  = "replay"
)

// The two accounts. Streams and buckets live in one; whoever shows no credentials is in the other, and reaches of the first what it exports.
// One account and permissions would not do: JetStream acknowledges a message to whatever reply subject its publisher names, so that anyone who
// may publish an event could have acknowledgements written to SEALED, to HEAD, or into the API. A reply subject that comes through an
// import stands for a subject of the importing account alone.
const (
	accountLog    = "LOG"
	accountAgents = "AGENTS"
)

// InboxPrefix begins the inboxes of this process. Anonymous clients cannot subscribe to it, and so cannot read its answers.
const InboxPrefix = "_SEALSTREAM"

// InboxOf begins the inboxes of a service: each role's user may subscribe to its own alone.
func InboxOf(role string) string { return "_INBOX_" + role }

// startTimeout is how long a server may take to come up: it reads its streams first.
const startTimeout = 60 * time.Second

// CheckPort says whether an address is free, so that a busy one is an error of ours and not the server's exit.
func CheckPort(addr string) error {
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w: %s", ErrPortBusy, addr)
	} else if err != nil {
		return fmt.Errorf("listen on %s: %w", addr, err)
	}
	return l.Close()
}

// Start starts a server and waits until clients can connect.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{cfg: cfg, password: cfg.Password}
	if s.password == "" {
		s.password = rand.Text()
	}
	opts, err := s.options()
	if err != nil {
		return nil, err
	}
	if err := s.run(ctx, opts); err != nil {
		return nil, err
	}
	return s, nil
}

// run starts the server and waits until clients can connect.
func (s *Server) run(ctx context.Context, opts *server.Options) (err error) {
	if s.server, err = server.NewServer(opts); err != nil {
		return fmt.Errorf("%w: %w", ErrStart, err)
	}
	log := &logger{log: s.cfg.Logger, fatal: make(chan string, 1)}
	s.server.SetLoggerV2(log, false, false, false)
	started := make(chan struct{})
	go func() { s.server.Start(); close(started) }()
	ready := make(chan bool, 1)
	go func() { ready <- s.server.ReadyForConnections(startTimeout) }()
	select {
	case ok := <-ready:
		if ok && s.server.JetStreamEnabled() {
			return nil
		}
		err = errors.New("it was not ready in time, or without JetStream")
	case text := <-log.fatal:
		err = errors.New(text)
	case <-ctx.Done():
		err = ctx.Err()
	}
	<-started // or it would go on making files
	s.Shutdown()
	return fmt.Errorf("%w on %s: %w", ErrStart, s.cfg.StoreDir, err)
}

func (s *Server) options() (*server.Options, error) {
	opts := &server.Options{
		ServerName: "sealstream", DontListen: s.cfg.InProcess, NoSigs: true, NoLog: false,
		JetStream: true, StoreDir: s.cfg.StoreDir, SyncAlways: !s.cfg.Relaxed,
		MaxPayload: 1 << 20, MaxControlLine: 4096, PingInterval: 20 * time.Second, MaxPingsOut: 2,
		JetStreamMaxMemory: 64 << 20, JetStreamMaxStore: 1 << 50, // what a stream may take is the stream's limit
		NoAuthUser: anonymous,
	}
	if !s.cfg.Relaxed {
		opts.SyncInterval = time.Minute // of what is not messages: meta data
	}
	if err := s.accounts(opts); err != nil {
		return nil, err
	}
	if s.cfg.InProcess {
		opts.Host, opts.Port = "127.0.0.1", -1
		return opts, nil
	}
	if err := CheckPort(s.cfg.Addr); err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(s.cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", s.cfg.Addr, err)
	}
	opts.Host = host
	if opts.Port, err = strconv.Atoi(port); err != nil {
		return nil, fmt.Errorf("address %q: %w", s.cfg.Addr, err)
	}
	if opts.Port == 0 {
		opts.Port = server.RANDOM_PORT
	}
	return opts, nil
}

// accounts declares the accounts, as an administrator of a cluster would, and who is in which.
func (s *Server) accounts(opts *server.Options) error {
	if s.cfg.Log == "" || strings.Trim(s.cfg.Log, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return fmt.Errorf("log %q: its name does not go into a subject", s.cfg.Log)
	}
	events, submit := "audit."+s.cfg.Log+".events.*", "audit."+s.cfg.Log+".submit.*"
	public := []string{"audit." + s.cfg.Log + ".alerts.>", "audit." + s.cfg.Log + ".replay.>"}
	err := opts.ProcessConfigString(fmt.Sprintf(`accounts {
		%[1]s { jetstream: enabled, exports: [{service: %[3]q}, {service: %[6]q}, {stream: %[4]q}, {stream: %[5]q}] }
		%[2]s { imports: [{service: {account: %[1]s, subject: %[3]q}}, {service: {account: %[1]s, subject: %[6]q}}, {stream: {account: %[1]s, subject: %[4]q}}, {stream: {account: %[1]s, subject: %[5]q}}] }
	}`, accountLog, accountAgents, events, public[0], public[1], submit))
	if err != nil {
		return fmt.Errorf("accounts of log %q: %w", s.cfg.Log, err)
	}
	for _, a := range opts.Accounts {
		switch a.Name {
		case accountLog:
			opts.Users = append(opts.Users, &server.User{Username: internal, Password: s.password, Account: a})
			if s.cfg.Replayer != "" { // in the account that exports replays; no stream takes them, so that nothing is acknowledged
				opts.Users = append(opts.Users, &server.User{Username: Replayer, Password: s.cfg.Replayer, Account: a, Permissions: &server.Permissions{
					Publish:   &server.SubjectPermission{Allow: public[1:]},
					Subscribe: &server.SubjectPermission{Deny: []string{">"}},
				}})
			}
		case accountAgents:
			opts.Users = append(opts.Users, &server.User{Username: anonymous, Password: rand.Text(), Account: a, Permissions: &server.Permissions{
				Publish:   &server.SubjectPermission{Allow: []string{events, submit}},
				Subscribe: &server.SubjectPermission{Allow: append(public, "_INBOX.>")},
			}})
		}
	}
	return nil
}

// ClientURL is where clients connect.
func (s *Server) ClientURL() string { return s.server.ClientURL() }

// SyncAlways says whether every message is on disk before it is acknowledged.
func (s *Server) SyncAlways() bool {
	js := s.server.JetStreamConfig()
	return js != nil && js.SyncAlways
}

// Connect connects as this process, which may do everything: over TCP, since the in-process pipe lets the sealer lag, unless
// the server listens nowhere.
func (s *Server) Connect(opts ...nats.Option) (*nats.Conn, error) {
	opts = append(opts, nats.UserInfo(internal, s.password), nats.CustomInboxPrefix(InboxPrefix))
	if s.cfg.InProcess {
		opts = append(opts, nats.InProcessServer(s.server))
	}
	nc, err := nats.Connect(s.server.ClientURL(), opts...)
	if err != nil {
		return nil, fmt.Errorf("connect to the embedded NATS server: %w", err)
	}
	return nc, nil
}

// Shutdown stops the server and waits until its files are closed.
func (s *Server) Shutdown() {
	s.server.Shutdown()
	s.server.WaitForShutdown()
}

// logger hands the server's words on. What it calls fatal would end the process in its own hands; here it ends Start.
type logger struct {
	log   *slog.Logger
	fatal chan string
}

func (l *logger) Noticef(format string, v ...any) {
	l.log.Debug("NATS server: " + fmt.Sprintf(format, v...))
}
func (l *logger) Warnf(format string, v ...any) {
	l.log.Info("NATS server: " + fmt.Sprintf(format, v...))
}
func (l *logger) Errorf(format string, v ...any) {
	l.log.Warn("NATS server: " + fmt.Sprintf(format, v...))
}
func (l *logger) Debugf(format string, v ...any) {}
func (l *logger) Tracef(format string, v ...any) {}

func (l *logger) Fatalf(format string, v ...any) {
	select {
	case l.fatal <- fmt.Sprintf(format, v...):
	default:
	}
}
