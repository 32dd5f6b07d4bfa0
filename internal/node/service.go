package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/internal/natsconn"
	"github.com/sealstream/sealstream/internal/settings"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/internal/tlsfiles"
	"github.com/sealstream/sealstream/internal/vitals"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/streams"
)

// ServiceConfig is what all services that run apart from each other need.
type ServiceConfig struct {
	natsconn.ConnFlags
	Plugins

	Log      string // name of the log
	Replicas int    // replicas per stream; 0 keeps existing streams as they are and creates new ones with 1
	Expose   bool   // listen on addresses other than the loopback without TLS and access
	TLS      settings.TLSFlags
	Access   string       // file of the rules of access; "": whoever reaches an address may do everything
	Logger   *slog.Logger // nil: silent
	Version  string       // of the program, for the log
}

func (c ServiceConfig) logger() *slog.Logger {
	if c.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Logger
}

// Service is one role in a process of its own. Serve runs it until ctx is done.
type Service interface{ Serve(context.Context) error }

// service is how a role runs in a process of its own.
type service struct {
	name   string
	face   httpapi.Face   // of HTTP
	keys   []string       // verifier keys of the log, newest first
	vitals *vitals.Config // nil: nothing looks at the streams
	writes bool           // the service writes to the log, so the state of the streams makes it unready
	paths  string         // what the service is and serves; all other paths are refused with it; "": query's are
	typed  bool           // that refusal has a problem type of its own

	// open opens the log. Nil: awaitLog, as all do but the sealer, which creates it.
	open func(context.Context, *nats.Conn) (*store.Log, error)
	// assemble adds the parts.
	assemble func(context.Context, *process, *nats.Conn) error
}

// serve connects, starts the parts of a service, and runs until ctx is done or a part fails.
func (c ServiceConfig) serve(ctx context.Context, s service) (err error) {
	stopped := Began(ctx, c.logger(), s.name, "version", c.Version, "log", c.Log)
	defer func() { stopped(err) }()
	board := newBoard(c.logger(), c.Log)
	g, seals, err := c.openGate(c.Access, board, c.logger())
	if err != nil {
		return err
	}
	nc, err := c.Reach(s.name).Connect("sealstream "+s.name, c.logger())
	if err != nil {
		return err
	}
	defer nc.Close()
	p, err := c.start(ctx, s, nc, processConfig{keys: s.keys, board: board, gate: g, seals: seals, vitals: s.vitals})
	if p != nil {
		defer p.stop()
	}
	if ctx.Err() != nil {
		return nil
	} else if err != nil {
		return err
	}
	if s.face.Addr != "" {
		l, err := s.face.Listen()
		if err != nil {
			return err
		}
		p.serve(l, s.face, p.handler(s.pages(p)))
		c.logger().Info(s.name+" listens", "address", s.face.URL(l), "nats", nc.ConnectedAddr())
	}
	return p.wait(ctx)
}

// start opens the log, and starts the parts of a service. The process, if there is one, must be
// stopped in any case.
func (c ServiceConfig) start(ctx context.Context, s service, nc *nats.Conn, pc processConfig) (*process, error) {
	open := s.open
	if open == nil {
		open = func(ctx context.Context, nc *nats.Conn) (*store.Log, error) {
			return awaitLog(ctx, nc, streams.Config{Log: c.Log, Replicas: c.Replicas}, c.logger())
		}
	}
	log, err := open(ctx, nc)
	if err != nil {
		return nil, err
	}
	pc.log, pc.plugins, pc.logger = log, c.Plugins, c.logger()
	p := newProcess(ctx, pc)
	if s.open == nil { // others than the sealer, which may close the log
		if err := p.refuseOpen(ctx, true); err != nil {
			return p, err
		}
	}
	if err := s.assemble(ctx, p, nc); err != nil {
		return p, err
	}
	p.addVitals()
	p.addGate()
	return p, p.start(ctx)
}

// pages are those of the process, and the refusal of all paths that the service does not serve.
func (s service) pages(p *process) map[string]http.Handler {
	pages := p.servicePages(s.writes)
	if s.paths != "" {
		pages["/"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			problem := api.Problem{Status: http.StatusNotFound, Detail: "this is " + s.paths}
			if s.typed {
				problem.Type = api.ProblemType + "not-found"
			}
			httpapi.Problem(w, problem)
		})
	}
	return pages
}

// check looks at the settings before anything is touched, and reads the log's public keys.
func (c ServiceConfig) check(addr, keyFile string) (httpapi.Face, []string, error) {
	face, err := c.face(addr)
	if err != nil {
		return face, nil, err
	}
	keys, err := c.publicKeys(keyFile)
	return face, keys, err
}

// sideFace is the face of a service that works without a server, too, where addr is empty.
func (c ServiceConfig) sideFace(addr string) (httpapi.Face, error) {
	if addr == "" {
		return httpapi.Face{}, nil
	}
	return c.face(addr)
}

// face reads the TLS files, and checks that strangers cannot use the server.
func (c ServiceConfig) face(addr string) (httpapi.Face, error) {
	files, err := tlsfiles.Open(c.TLS, c.logger())
	if err != nil {
		return httpapi.Face{}, err
	}
	face := httpapi.Face{Addr: addr, Exposed: c.Expose, TLS: files, Access: c.Access != ""}
	return face, face.Check()
}

// publicKeys reads the log's public keys, newest first.
func (c ServiceConfig) publicKeys(keyFile string) ([]string, error) {
	keys, err := datadir.ReadPublicKeys(keyFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: --key: there is no file %s; give the log's public key, "+
			"which `sealstream keygen` writes to log.pub", settings.ErrInvalid, keyFile)
	} else if err != nil {
		return nil, fmt.Errorf("%w: %w", datadir.ErrKeys, err)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: %s is empty", datadir.ErrKeys, keyFile)
	}
	for _, key := range keys {
		if err := c.checkLog(key); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// checkLog: the key must be that of the log that is named, else another log would be made under its
// origin.
func (c ServiceConfig) checkLog(vkey string) error {
	if err := settings.CheckNames("host", c.Log); err != nil {
		return err
	}
	if c.Replicas < 0 || c.Replicas > 5 {
		return fmt.Errorf("%w: %d replicas; 1 to 5 are possible, and 0 to leave them", settings.ErrInvalid, c.Replicas)
	}
	if err := proof.CheckKey(vkey); err != nil {
		return fmt.Errorf("%w: %w", datadir.ErrKeys, err)
	}
	if of := datadir.LogOfKey(vkey); of != c.Log {
		return fmt.Errorf("%w: the key is of log %q, not %q", datadir.ErrKeys, of, c.Log)
	}
	return nil
}
