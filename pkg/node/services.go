package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/pkg/archive"
	"github.com/sealstream/sealstream/pkg/ingest"
	"github.com/sealstream/sealstream/pkg/internal/natsd"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/query"
	"github.com/sealstream/sealstream/pkg/sealer"
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

// IngestService accepts events over HTTP and writes them to EVENTS.
type IngestService struct {
	ServiceFlags
	HTTP       string `help:"Where it listens." default:"127.0.0.1:8410" env:"SEALSTREAM_HTTP" placeholder:"ADDR"`
	Key        string `help:"File with the log's public key, for receipts of sealed events." default:"log.pub" type:"path" placeholder:"FILE"`
	EventsOpen bool   `help:"Accept any source on submit.open. Only where NATS has no authentication."`

	WitnessPolicy string `help:"The witness policy that the sealer has, for receipts of witnessed events." type:"path" env:"SEALSTREAM_WITNESS_POLICY" placeholder:"FILE"`
}

// Serve implements Service.
func (s *IngestService) Serve(ctx context.Context) error {
	keys, err := s.check(s.HTTP, s.Key)
	if err != nil {
		return err
	}
	policy, err := readPolicy(s.WitnessPolicy, keys...)
	if err != nil {
		return err
	}
	log := s.logger()
	return s.serve(ctx, "ingest", s.HTTP, func(nc *nats.Conn, g, web *group) (http.Handler, error) {
		l, err := awaitLog(ctx, nc, streams.Config{Log: s.Log, Replicas: s.Replicas}, log)
		if err != nil {
			return nil, err
		}
		m := newMetrics(s.Log)
		in, err := ingest.New(ingest.Config{Log: archive.Through(l), Keys: keys, Open: s.EventsOpen, Policy: policy, Observe: m.observeIngest(), Logger: log})
		if err != nil {
			return nil, err
		}
		g.run("ingest", in.Run)
		r, err := listenRequests(ctx, nc, s.Log, in)
		if err != nil {
			return nil, err
		}
		web.run("requests", r.run)
		mux := http.NewServeMux()
		mux.Handle("/", in.ServiceHandler())
		for pattern, h := range toolkitWriting(s.Log, in, nil) {
			mux.Handle(pattern, h)
		}
		return m.instrument(mux), nil
	})
}

// QueryService answers filters and makes proofs.
type QueryService struct {
	ServiceFlags
	HTTP  string `help:"Where it listens." default:"127.0.0.1:8420" env:"SEALSTREAM_HTTP" placeholder:"ADDR"`
	Key   string `help:"File with the log's public key." default:"log.pub" type:"path" placeholder:"FILE"`
	Index string `help:"Folder for the index, so that a restart need not build it from the log; none: in memory alone." env:"SEALSTREAM_INDEX" type:"path" placeholder:"DIR"`
}

// Serve implements Service.
func (s *QueryService) Serve(ctx context.Context) error {
	keys, err := s.check(s.HTTP, s.Key)
	if err != nil {
		return err
	}
	log := s.logger()
	return s.serve(ctx, "query", s.HTTP, func(nc *nats.Conn, g, _ *group) (http.Handler, error) {
		l, err := awaitLog(ctx, nc, streams.Config{Log: s.Log, Replicas: s.Replicas}, log)
		if err != nil {
			return nil, err
		}
		a := archive.New(l)
		q, err := query.New(query.Config{Log: a.Through(), Keys: keys, Folder: s.folder(), Logger: log})
		if err != nil {
			return nil, err
		}
		g.run("query", q.Run)
		context.AfterFunc(ctx, q.EndStreams) // else the server would wait for them
		m := newMetrics(s.Log)
		m.watchQuery(q)
		m.watchFollowers(func() []follower { return []follower{indexFollower(q)} }, sealedSize(l, func() uint64 { return q.Status().Size }))
		mux := http.NewServeMux()
		mux.Handle("/", q.Handler())
		for pattern, h := range archiveRoutes(s.Log, a, keys, nil) {
			mux.Handle(pattern, h)
		}
		for pattern, h := range toolkitReading(s.Log, q, true) {
			mux.Handle(pattern, h)
		}
		return m.instrument(mux), nil
	})
}

// folder is the log's own folder of the index.
func (s *QueryService) folder() string {
	if s.Index == "" {
		return ""
	}
	return filepath.Join(s.Index, s.Log)
}

// SealerService is the one writer of a log.
type SealerService struct {
	ServiceFlags
	StreamFlags
	Keys         string `help:"Folder with log.key and log.secret, as keygen makes it; it is only read." default:"." type:"path" placeholder:"DIR"`
	State        string `help:"Folder for the newest checkpoint that this host has seen; none: that of the keys." type:"path" placeholder:"DIR"`
	StreamsExist bool   `help:"Make no streams: wait until \"sealstream admin apply\" has. For a sealer whose NATS user may not make them."`
	EventsOpen   bool   `help:"Of a log that is made now: accept any source on events.open. Only where NATS has no authentication."`
	OpenEpoch    string `help:"Go on although EVENTS lost what was sealed from; the reason is sealed with what was lost." placeholder:"REASON"`
	Metrics      string `help:"Where /metrics, /healthz and /readyz are; empty: nowhere." default:"127.0.0.1:9464" env:"SEALSTREAM_METRICS" placeholder:"ADDR"`
	Holder       string `help:"Name of this sealer where there are several of one log: one seals, the others are warm standbys. None: it seals at once." env:"SEALSTREAM_HOLDER" placeholder:"NAME"`
	Redaction    string `help:"What secrets are taken out of events: off, default, or a file of rules (YAML). None: default for a log that is made now, and no change to one that is there." env:"SEALSTREAM_REDACTION" placeholder:"off|default|FILE"`

	WitnessPolicy string `help:"Witness policy: whom to ask to cosign checkpoints, and how many are enough." type:"path" env:"SEALSTREAM_WITNESS_POLICY" placeholder:"FILE"`
}

// Serve implements Service. The sealer makes the log if there is none; the other services wait for it.
func (s *SealerService) Serve(ctx context.Context) error {
	keys, err := LoadKeys(filepath.Join(s.Keys, fileKey), filepath.Join(s.Keys, fileSecret))
	if err != nil {
		return err
	}
	if err := s.checkLog(keys.Signer.VerifierKey()); err != nil {
		return err
	}
	if s.Metrics != "" {
		if err := checkAddr(s.Metrics, s.Expose); err != nil {
			return err
		}
	}
	if s.State != "" {
		if err := os.MkdirAll(s.State, 0o700); err != nil {
			return fmt.Errorf("%w: state: %w", ErrWrong, err)
		}
	}
	policy, err := readPolicy(s.WitnessPolicy, keys.All()...)
	if err != nil {
		return err
	}
	redaction, err := readRedaction(s.Redaction)
	if err != nil {
		return err
	}
	log, m := s.logger(), newMetrics(s.Log)
	return s.serve(ctx, "sealer", s.Metrics, func(nc *nats.Conn, g, _ *group) (http.Handler, error) {
		l, err := patiently(ctx, log, func() (*store.Log, error) { return s.open(ctx, nc, log) })
		if err != nil {
			return nil, err
		}
		cfg := sealer.Config{Log: archive.Through(l), Signer: keys.Signer, Keys: keys.Former, Secret: keys.Secret, Mark: s.mark(), Holder: s.Holder, Observe: m.observeSealer(), Logger: log, Redaction: redaction.created()}
		if _, err := patiently(ctx, log, func() (struct{}, error) { return struct{}{}, sealer.Create(ctx, cfg, s.EventsOpen) }); err != nil {
			return nil, err
		}
		if s.OpenEpoch != "" {
			if _, err := sealer.OpenEpoch(ctx, cfg, s.OpenEpoch); err != nil {
				return nil, err
			}
		}
		if err := keys.announce(ctx, cfg); err != nil {
			return nil, err
		}
		if err := redaction.announce(ctx, cfg); err != nil {
			return nil, err
		}
		sl, err := sealer.New(cfg)
		if err != nil {
			return nil, err
		}
		g.run("sealer", sl.Run)
		collector, err := newCollector(archive.Through(l), keys.All(), policy, log)
		if err != nil {
			return nil, err
		}
		if collector != nil {
			g.run("witnesses", collector.Run)
		}
		if s.Metrics == "" {
			return nil, nil
		}
		m.watchSealer(l, sl)
		return m.instrument(sealerHandler(s.Log, sl)), nil
	})
}

// mark is the file of the newest checkpoint. It must outlive the process.
func (s *SealerService) mark() string {
	if s.State == "" {
		return filepath.Join(s.Keys, fileMark)
	}
	return filepath.Join(s.State, fileMark)
}

// open makes the streams, or waits for them.
func (s *SealerService) open(ctx context.Context, nc *nats.Conn, logger *slog.Logger) (*store.Log, error) {
	cfg := s.StreamFlags.config(s.Log, s.Replicas)
	if !s.StreamsExist {
		return openLog(ctx, nc, cfg)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	for told := false; ; told = true {
		err := streams.Check(ctx, js, cfg)
		if err == nil {
			return natsstore.Open(ctx, nc, cfg)
		} else if !errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil, err
		}
		if !told {
			logger.WarnContext(ctx, "waiting for the streams to be made: sealstream admin apply", "log", s.Log)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// sealerHandler says how a sealer that stands alone fares. It is ready once it has opened the log; that it lags is for /metrics to say.
func sealerHandler(log string, sl *sealer.Sealer) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /healthz", strict(log, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusOK, "application/json", map[string]string{"status": "ok"})
	})))
	mux.Handle("GET /readyz", strict(log, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := sl.Status()
		if status.Size == 0 {
			problem(w, http.StatusServiceUnavailable, "the log is not opened yet")
			return
		}
		role := "standby"
		if status.Active {
			role = "active"
		}
		answer(w, http.StatusOK, "application/json", map[string]any{"status": "ready", "tree_size": status.Size, "role": role})
	})))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		problem(w, http.StatusNotFound, "this is the sealer: GET /metrics, GET /healthz, GET /readyz")
	})
	return mux
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
