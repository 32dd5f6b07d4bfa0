package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/pkg/internal/natsd"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/store"
	"github.com/sealstream/sealstream/pkg/store/natsstore"
	"github.com/sealstream/sealstream/streams"
)

// ServiceFlags are what each of the services that run apart takes on its command line.
type ServiceFlags struct {
	ConfigFlags
	ConnFlags
	Log      string `help:"Name of the log." default:"default" env:"SEALSTREAM_LOG" placeholder:"NAME"`
	Replicas int    `help:"Copies of each stream. 0: as many as there are, and 1 of what is made now." default:"0" env:"SEALSTREAM_REPLICAS"`
	Expose   bool   `help:"Listen beyond the loopback: where the network keeps strangers out, as between containers. There is no authentication." env:"SEALSTREAM_EXPOSE"`
	Verbose  bool   `help:"Log what goes on." short:"v"`
}

// ConnFlags say how to reach NATS, to every program that does. Each has the variable of the nats tool too.
type ConnFlags struct {
	NATS        string `help:"NATS servers, with commas between; none: that of the context." env:"SEALSTREAM_NATS,NATS_URL" placeholder:"URL"`
	Context     string `help:"Nats context; none: the selected one." env:"SEALSTREAM_CONTEXT,NATS_CONTEXT" placeholder:"NAME"`
	Creds       string `help:"NATS credentials file." env:"SEALSTREAM_CREDS,NATS_CREDS" placeholder:"FILE"`
	NKey        string `help:"NATS nkey seed file." name:"nkey" env:"SEALSTREAM_NKEY,NATS_NKEY" placeholder:"FILE"`
	User        string `help:"NATS user." env:"SEALSTREAM_USER,NATS_USER"`
	Password    string `help:"NATS password." env:"SEALSTREAM_PASSWORD,NATS_PASSWORD" secret:""`
	Token       string `help:"NATS token." env:"SEALSTREAM_TOKEN,NATS_TOKEN" secret:""`
	TLSCert     string `help:"Client certificate." name:"tlscert" env:"SEALSTREAM_TLSCERT,NATS_CERT" placeholder:"FILE"`
	TLSKey      string `help:"Its key." name:"tlskey" env:"SEALSTREAM_TLSKEY,NATS_KEY" placeholder:"FILE"`
	TLSCA       string `help:"Certificates to check the server's with." name:"tlsca" env:"SEALSTREAM_TLSCA,NATS_CA" placeholder:"FILE"`
	InboxPrefix string `help:"What the inboxes begin with; none: _INBOX_ and the program's name, or what the context says." placeholder:"PREFIX"`
}

// Reach is the same for Connect; role is the program's name, which its inboxes begin with.
func (f ConnFlags) Reach(role string) NATSConfig {
	c := NATSConfig{URL: f.NATS, Context: f.Context, Creds: f.Creds, NKey: f.NKey, User: f.User, Password: f.Password, Token: f.Token,
		Cert: f.TLSCert, Key: f.TLSKey, CA: f.TLSCA, Inbox: f.InboxPrefix}
	if c.Inbox == "" && c.URL != "" {
		c.Inbox = natsd.InboxOf(role)
	}
	return c
}

// testLogger is where services log in a test that listens; nil otherwise.
var testLogger *slog.Logger

func (f ServiceFlags) logger() *slog.Logger {
	if testLogger != nil {
		return testLogger
	}
	level := slog.LevelWarn
	if f.Verbose {
		level = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

// Service is a program of its own: its flags, and what it does with them until ctx is done.
type Service interface{ Serve(context.Context) error }

// Main parses the command line into a service and runs it. It returns the exit status: 0 after a signal, 1 if the service failed, 2 for
// wrong use.
func Main(name, description string, s Service) int {
	exit := -1
	parser, err := kong.New(s, kong.Name(name), kong.Description(description), kong.Exit(func(code int) { exit = code }))
	if err != nil {
		panic(err) // the flags are wrong
	}
	ConfigVariables(parser.Model.Flags)
	file, err := ConfigFile(name, os.Args[1:])
	if err != nil {
		return ended(name, err)
	}
	if file != nil {
		if err := kong.Resolvers(file).Apply(parser); err != nil {
			panic(err)
		}
	}
	_, err = parser.Parse(os.Args[1:])
	if exit >= 0 {
		return exit
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v (see --help)\n", name, err)
		return 2
	}
	if WantsConfig(parser.Model.Flags) {
		return ended(name, PrintConfig(os.Stdout, parser.Model.Flags))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return ended(name, s.Serve(ctx))
}

// WantsConfig says whether --print-config was given.
func WantsConfig(flags []*kong.Flag) bool {
	i := slices.IndexFunc(flags, func(f *kong.Flag) bool { return f.Name == "print-config" })
	return i >= 0 && flags[i].Target.Bool()
}

// ended tells of an error, once, and gives the exit status.
func ended(name string, err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrPortBusy), errors.Is(err, ErrNotLoopback), errors.Is(err, ErrKeys), errors.Is(err, ErrWrong):
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		return 2
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
	return 1
}

// awaitLog opens a log that the sealer has made, and waits until it has. Nobody else may make its streams: the first message on EVENTS must be the
// one that creates the log, and an event that came before it would stop the sealer for good.
func awaitLog(ctx context.Context, nc *nats.Conn, cfg streams.Config, logger *slog.Logger) (*store.Log, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	for told := false; ; told = true {
		l, err := patiently(ctx, logger, func() (*store.Log, error) { return createdLog(ctx, js, nc, cfg) })
		if l != nil || err != nil {
			return l, err
		}
		if !told {
			logger.WarnContext(ctx, "waiting for the sealer to make the log", "log", cfg.Log)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// createdLog opens a log, or says nil if it is not made yet.
func createdLog(ctx context.Context, js jetstream.JetStream, nc *nats.Conn, cfg streams.Config) (*store.Log, error) {
	err := streams.Check(ctx, js, cfg)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	l, err := natsstore.Open(ctx, nc, cfg)
	if err != nil {
		return nil, err
	}
	for _, s := range []store.Stream{l.Sealed, l.Events} {
		info, err := s.Info(ctx)
		if err != nil || info.Last > 0 {
			return l, err
		}
	}
	return nil, nil
}

// serve connects, starts what start starts, and runs until ctx is done or a part fails. start gets two groups: the parts, and what answers requests,
// which ends before them. addr "": no HTTP.
func (f ServiceFlags) serve(ctx context.Context, name, addr string, start func(nc *nats.Conn, parts, web *group) (http.Handler, error)) error {
	nc, err := f.Reach(name).Connect("sealstream "+name, f.logger())
	if err != nil {
		return err
	}
	defer nc.Close()
	g := newGroup(context.WithoutCancel(ctx))
	defer g.stop()
	web := newGroup(context.WithoutCancel(ctx))
	defer web.stop() // before the parts: requests under way are answered
	handler, err := start(nc, g, web)
	if ctx.Err() != nil {
		return nil
	} else if err != nil {
		return err
	}
	if handler != nil {
		l, err := listen(addr, f.Expose)
		if err != nil {
			return err
		}
		web.run("http", func(ctx context.Context) error { return serve(ctx, server(handler, f.Expose), l, stopGrace) })
		fmt.Fprintf(os.Stderr, "%s listens on http://%s\n", name, l.Addr())
	}
	select {
	case <-ctx.Done():
		return nil
	case <-g.ctx.Done():
		return context.Cause(g.ctx)
	case <-web.ctx.Done():
		return context.Cause(web.ctx)
	}
}

// check looks at the settings before anything is touched, and reads the log's public keys.
func (f ServiceFlags) check(addr, keyFile string) ([]string, error) {
	if err := checkAddr(addr, f.Expose); err != nil {
		return nil, err
	}
	return f.publicKeys(keyFile)
}

// publicKeys reads the log's public keys, newest first.
func (f ServiceFlags) publicKeys(keyFile string) ([]string, error) {
	keys, err := readPublicKeys(keyFile)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeys, err)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: %s is empty", ErrKeys, keyFile)
	}
	for _, key := range keys {
		if err := f.checkLog(key); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// checkLog: the key must be that of the log that is named, else another log would be made under its origin.
func (f ServiceFlags) checkLog(vkey string) error {
	if err := checkNames("host", f.Log); err != nil {
		return err
	}
	if f.Replicas < 0 || f.Replicas > 5 {
		return fmt.Errorf("%w: %d replicas; 1 to 5 are possible, and 0 to leave them", ErrWrong, f.Replicas)
	}
	if err := proof.CheckKey(vkey); err != nil {
		return fmt.Errorf("%w: %w", ErrKeys, err)
	}
	if of := logOfKey(vkey); of != f.Log {
		return fmt.Errorf("%w: the key is of log %q, not %q", ErrKeys, of, f.Log)
	}
	return nil
}
