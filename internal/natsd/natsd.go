// Package natsd runs the embedded NATS server of `sealstream up`. It alone imports nats-server. It
// handles durability, users and damaged settings. Of logs it knows only one name.
package natsd

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/streams/subject"
)

// Errors of a server.
var (
	// ErrPortBusy reports that another program listens on the address.
	ErrPortBusy = errors.New("port is busy")
	// ErrStart reports that the server did not start, in its own words.
	ErrStart = errors.New("NATS server did not start")
	// ErrStuck reports that the server does not stop. Its files stay in use until this process
	// ends.
	ErrStuck = errors.New("NATS server does not stop")
)

// Config configures an embedded server.
type Config struct {
	StoreDir  string // JetStream's folder; created if missing
	Addr      string // host:port to listen on; port 0 means a free one
	InProcess bool   // do not listen; only Connect reaches the server
	Log       string // name of the log whose event subjects anonymous clients may publish to
	// password of the user sealstream, who may do everything; empty means a random one that only
	// Connect knows
	Password string
	// Replayer is the password of the user replay, who may only publish replays. Empty means that
	// there is no such user.
	Replayer string
	Private  bool         // refuse clients without credentials
	Relaxed  bool         // acknowledge messages before they are synced to disk
	Logger   *slog.Logger // nil discards all messages

	stopTimeout time.Duration // shorter in tests; 0 means the constant
}

// stopTimeout is how long a server may take to stop. JetStream can deadlock for good when a write
// fails while it purges a stream.
const stopTimeout = 20 * time.Second

// Server is a running server.
type Server struct {
	cfg      Config
	running  atomic.Pointer[server.Server] // Restart replaces it
	password string
	log      *logger
	repaired []string
	broken   broken
	refusing atomic.Bool
	users    atomic.Pointer[[]User]
	stuck    atomic.Bool // the server did not stop in time
}

// The users: anonymous clients, which may publish events and read what is public; this process; and
// a program that replays entries.
const (
	anonymous = "anonymous"
	internal  = "sealstream"
	Replayer  = "replay"
)

// The two accounts. Streams and buckets are in one. Clients without credentials are in the other,
// and reach only what the first one exports. One account with permissions would not be safe:
// JetStream acknowledges a message to any reply subject that its publisher names. So anyone who may
// publish an event could have acknowledgements written to SEALED, to HEAD, or to the API. A reply
// subject that comes through an import is a subject of the importing account alone.
const (
	accountLog    = "LOG"
	accountAgents = "AGENTS"
)

// InboxPrefix is the prefix of this process' inboxes. Anonymous clients cannot subscribe to it, and
// so cannot read the answers.
const InboxPrefix = "_SEALSTREAM"

// InboxOf returns the inbox prefix of a service. The user of each role may subscribe only to its
// own.
func InboxOf(role string) string { return "_INBOX_" + role }

// startTimeout is how long a server may take to start. It reads all its streams first.
const startTimeout = 60 * time.Second

// CheckPort checks that an address is free, so that a busy one is an error of this package instead
// of an exit of the server.
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
	if err := s.loadAll(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// loadAll checks that the server has loaded every stream that has messages. It repairs the settings
// of the others and starts the server once more. After an error the server is stopped.
func (s *Server) loadAll(ctx context.Context) error {
	list, err := s.notLoaded()
	if err == nil && len(list) == 0 {
		return nil
	}
	s.Shutdown()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStart, err)
	}
	if err := s.repair(list); err != nil {
		return err
	}
	opts, err := s.options() // a server consumes its options
	if err != nil {
		return err
	}
	if err := s.run(ctx, opts); err != nil {
		return err
	}
	if list, err = s.notLoaded(); err == nil && len(list) > 0 {
		err = fmt.Errorf("%w: NATS did not load %s: %s", ErrSettings,
			filepath.Join(server.JetStreamStoreDir, list[0]), s.about(list[0]))
	}
	if err != nil {
		s.Shutdown()
	}
	return err
}

// run starts the server and waits until clients can connect.
func (s *Server) run(ctx context.Context, opts *server.Options) (err error) {
	running, err := server.NewServer(opts)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStart, err)
	}
	s.running.Store(running)
	log := &logger{log: s.cfg.Logger, fatal: make(chan string, 1), broken: &s.broken}
	s.log = log
	running.SetLoggerV2(log, false, false, false)
	started := make(chan struct{})
	go func() { running.Start(); close(started) }()
	ready := make(chan bool, 1)
	go func() { ready <- running.ReadyForConnections(startTimeout) }()
	select {
	case ok := <-ready:
		if ok && running.JetStreamEnabled() {
			if addr, ok := running.Addr().(*net.TCPAddr); ok {
				s.cfg.Addr = addr.String() // the actual port if 0 was configured
			}
			return nil
		}
		err = errors.New("it was not ready in time, or JetStream is disabled")
	case text := <-log.fatal:
		err = errors.New(text)
	case <-ctx.Done():
		err = ctx.Err()
	}
	<-started // otherwise it would go on creating files
	s.Shutdown()
	return fmt.Errorf("%w on %s: %w", ErrStart, s.cfg.StoreDir, err)
}

// options returns the settings of a server that starts.
func (s *Server) options() (*server.Options, error) {
	opts, err := s.settings()
	if err == nil && !s.cfg.InProcess {
		err = CheckPort(s.cfg.Addr)
	}
	return opts, err
}

func (s *Server) settings() (*server.Options, error) {
	opts := &server.Options{
		ServerName: "sealstream", DontListen: s.cfg.InProcess, NoSigs: true, NoLog: false,
		JetStream: true, StoreDir: s.cfg.StoreDir, SyncAlways: !s.cfg.Relaxed,
		MaxPayload: 1 << 20, MaxControlLine: 4096, PingInterval: 20 * time.Second, MaxPingsOut: 2,
		JetStreamMaxMemory: 64 << 20, JetStreamMaxStore: 1 << 50, // each stream has its own limit
	}
	if !s.cfg.Private {
		opts.NoAuthUser = anonymous
	}
	if !s.cfg.Relaxed {
		opts.SyncInterval = time.Minute // for metadata
	}
	if err := s.accounts(opts); err != nil {
		return nil, err
	}
	if s.cfg.InProcess {
		opts.Host, opts.Port = "127.0.0.1", -1
		return opts, nil
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

// accounts declares the accounts, their exports and imports, and their users.
func (s *Server) accounts(opts *server.Options) error {
	if s.cfg.Log == "" || strings.Trim(s.cfg.Log, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return fmt.Errorf("log %q: the name is not valid in a subject", s.cfg.Log)
	}
	log := s.cfg.Log
	events, submit, refused := subject.Events(log, "*"), subject.Submit(log, "*"), s.RefusedSubject()
	public := []string{subject.AllAlerts(log), subject.Replay(log, ">")}
	err := opts.ProcessConfigString(fmt.Sprintf(`accounts {
		%[1]s { jetstream: enabled, exports: [{service: %[3]q}, {service: %[6]q}, {service: %[7]q}, {stream: %[4]q}, {stream: %[5]q}] }
		%[2]s { limits: {max_connections: 16384, max_subscriptions: 1024}, imports: [{service: {account: %[1]s, subject: %[3]q}}, {service: {account: %[1]s, subject: %[6]q}}, {service: {account: %[1]s, subject: %[7]q}}, {stream: {account: %[1]s, subject: %[4]q}}, {stream: {account: %[1]s, subject: %[5]q}}] }
	}`, accountLog, accountAgents, events, public[0], public[1], submit, refused))
	if err != nil {
		return fmt.Errorf("accounts of log %q: %w", s.cfg.Log, err)
	}
	for _, a := range opts.Accounts {
		switch a.Name {
		case accountLog:
			opts.Users = append(opts.Users, &server.User{Username: internal, Password: s.password, Account: a})
			if s.cfg.Replayer != "" {
				// This user is in the account that exports replays. No stream stores them, so
				// nothing is acknowledged.
				opts.Users = append(opts.Users, &server.User{
					Username: Replayer, Password: s.cfg.Replayer, Account: a,
					Permissions: &server.Permissions{
						Publish:   &server.SubjectPermission{Allow: public[1:]},
						Subscribe: &server.SubjectPermission{Deny: []string{">"}},
					},
				})
			}
		case accountAgents:
			s.addUsers(opts, a)
			opts.Users = append(opts.Users, &server.User{
				Username: anonymous, Password: rand.Text(), Account: a,
				Permissions: &server.Permissions{
					Publish:   &server.SubjectPermission{Allow: []string{events, submit, refused}},
					Subscribe: &server.SubjectPermission{Allow: append(public, "_INBOX.>")},
				},
			})
		}
	}
	return nil
}

// ClientURL returns the URL for clients.
func (s *Server) ClientURL() string { return s.running.Load().ClientURL() }

// SyncAlways reports whether every message is synced to disk before it is acknowledged.
func (s *Server) SyncAlways() bool {
	js := s.running.Load().JetStreamConfig()
	return js != nil && js.SyncAlways
}

// Connect connects as the user sealstream, who may do everything. It uses TCP, since the in-process
// pipe slows the sealer down, unless the server does not listen.
func (s *Server) Connect(opts ...nats.Option) (*nats.Conn, error) {
	opts = append(opts, nats.UserInfo(internal, s.password), nats.CustomInboxPrefix(InboxPrefix))
	if s.cfg.InProcess {
		opts = append(opts, nats.InProcessServer(inProcess{s}))
	}
	nc, err := nats.Connect(s.ClientURL(), opts...)
	if err != nil {
		return nil, fmt.Errorf("connect to the embedded NATS server: %w", err)
	}
	return nc, nil
}

// Shutdown stops the server and waits until its files are closed. It logs ErrStuck and returns if
// the server does not stop in time.
func (s *Server) Shutdown() {
	if err := s.stop(); err != nil {
		s.cfg.Logger.Error(err.Error())
	}
}

// stop stops the server. It returns ErrStuck if that takes too long.
func (s *Server) stop() error {
	if s.stuck.Load() {
		return ErrStuck
	}
	stopped := make(chan struct{})
	go func(running *server.Server) {
		running.Shutdown()
		running.WaitForShutdown()
		close(stopped)
	}(s.running.Load())
	t := time.NewTimer(cmp.Or(s.cfg.stopTimeout, stopTimeout))
	defer t.Stop()
	select {
	case <-stopped:
		return nil
	case <-t.C:
		s.stuck.Store(true)
		return ErrStuck
	}
}

// logger forwards the server's log. What the server calls fatal would end the process in the
// server's own logger. Here it ends Start.
type logger struct {
	log    *slog.Logger
	fatal  chan string
	broken *broken

	mu     sync.Mutex
	warned []string // warnings during the start, which say why a stream was skipped

	rebuilt sync.Once // has said that the server rebuilds
}

// harmless are warnings that do not apply here: the passwords are random and never written.
var harmless = []string{"Plaintext passwords detected"}

// rebuilds are warnings that each stream causes after a process was killed: what the server keeps
// beside its messages is older than they are, so it reads them again.
var rebuilds = []string{
	"Stream state outdated, ", "Stream state detected prior state, ", "state from index errored: prior state file",
	"state is outdated; attempting to recover",
}

func (l *logger) Noticef(format string, v ...any) {
	l.log.Debug("NATS server: " + fmt.Sprintf(format, v...))
}
func (l *logger) Warnf(format string, v ...any) {
	l.broken.note(format, v...)
	text := strings.TrimSpace(fmt.Sprintf(format, v...))
	if slices.ContainsFunc(harmless, func(h string) bool { return strings.HasPrefix(text, h) }) {
		return
	}
	if slices.ContainsFunc(rebuilds, func(r string) bool { return strings.Contains(text, r) }) {
		l.rebuilt.Do(func() {
			l.log.Info("NATS was not stopped cleanly before: it reads its files again, and rebuilds what was not written")
		})
		l.log.Debug("NATS server: " + text)
		return
	}
	l.mu.Lock()
	if len(l.warned) < 100 {
		l.warned = append(l.warned, text)
	}
	l.mu.Unlock()
	l.log.Warn("NATS server: " + text)
}
func (l *logger) Errorf(format string, v ...any) {
	l.broken.note(format, v...)
	l.log.Error("NATS server: " + fmt.Sprintf(format, v...))
}
func (l *logger) Debugf(format string, v ...any) {}
func (l *logger) Tracef(format string, v ...any) {}

func (l *logger) Fatalf(format string, v ...any) {
	select {
	case l.fatal <- fmt.Sprintf(format, v...):
	default:
	}
}
