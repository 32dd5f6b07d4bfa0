// Package proxy is a reverse proxy in front of several replicas of a service, or in front of all
// services of a log.
package proxy

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/internal/settings"
	"github.com/sealstream/sealstream/internal/tlsfiles"
)

// Config configures a proxy.
type Config struct {
	Addr   string   // where it listens
	To     []string // base URLs of the replicas; with Ingest and Alerts, those of query
	Ingest []string // base URLs of ingest services; none: To gets their requests, too
	Alerts []string // base URLs of alert services; none: To gets their requests, too
	// each request to the next one that is ready; false: all to the first that is, so that what a
	// reader sees never falls back. The replicas of Ingest take turns in any case.
	Rotate bool
	Expose bool // listen beyond the loopback without TLS and access
	TLS    settings.TLSFlags
	Files  tlsfiles.ClientFiles // how replicas are reached over https
	Logger *slog.Logger         // nil: silent

	interval time.Duration // between two readiness checks; 0: readyInterval
}

// stopTimeout is how long requests under way may take when the proxy stops.
const stopTimeout = 5 * time.Second

// front sends requests to the services that answer them.
type front struct {
	pools map[Service]*pool // several services may share one
	split bool              // each service has its own
}

// Serve forwards requests until ctx is done.
func Serve(ctx context.Context, cfg Config) error {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	f, err := newFront(cfg)
	if err != nil {
		return err
	}
	face, err := cfg.face()
	if err != nil {
		return err
	}
	l, err := face.Listen()
	if err != nil {
		return err
	}
	cfg.Logger.InfoContext(ctx, "proxy listens", "address", face.URL(l))
	f.watch(ctx)
	s := face.Server(f)
	s.ErrorLog = slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelWarn)
	s.ReadTimeout = 0 // the replica's own is the one that counts
	if err := httpapi.Serve(ctx, s, l, stopTimeout); err != nil {
		return err
	}
	cfg.Logger.Info("proxy has stopped", "cause", context.Cause(ctx))
	return nil
}

// face is how the proxy meets its network. Who may do what is judged by the services, so beyond the
// loopback the proxy uses only those that judge.
func (cfg Config) face() (httpapi.Face, error) {
	if cfg.TLS.ClientCA != "" {
		return httpapi.Face{}, fmt.Errorf("%w: --tls-client-ca: the proxy does not show the certificates of clients to "+
			"the services, so clients need tokens", settings.ErrInvalid)
	}
	files, err := tlsfiles.Open(cfg.TLS, cfg.Logger)
	if err != nil {
		return httpapi.Face{}, err
	}
	face := httpapi.Face{Addr: cfg.Addr, Exposed: cfg.Expose, TLS: files, Access: true}
	return face, face.Check()
}

// newFront makes the pools of replicas.
func newFront(cfg Config) (*front, error) {
	if len(cfg.To) == 0 {
		return nil, fmt.Errorf("%w: no replica is named", settings.ErrInvalid)
	}
	if cfg.Files.Cert != "" {
		return nil, fmt.Errorf("%w: --client-cert: the services would take every caller for the proxy", settings.ErrInvalid)
	}
	guarded, err := cfg.guarded()
	if err != nil {
		return nil, err
	}
	pooled := func(name string, urls []string, rotate bool) (*pool, error) {
		return newPool(poolConfig{
			name: name, urls: urls, rotate: rotate, guarded: guarded, files: cfg.Files,
			interval: cmp.Or(cfg.interval, readyInterval), logger: cfg.Logger,
		})
	}
	query, err := pooled("query", cfg.To, cfg.Rotate)
	if err != nil {
		return nil, err
	}
	f := &front{
		pools: map[Service]*pool{Query: query, Ingest: query, Alerts: query, Health: query},
		split: len(cfg.Ingest) > 0,
	}
	if f.split {
		if f.pools[Ingest], err = pooled("ingest", cfg.Ingest, true); err != nil {
			return nil, err
		}
	}
	if len(cfg.Alerts) > 0 {
		if f.pools[Alerts], err = pooled("alert", cfg.Alerts, false); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// guarded reports whether only services may be used that ask callers for credentials.
func (cfg Config) guarded() (bool, error) {
	near, err := httpapi.OnLoopback(cfg.Addr)
	return !near && !cfg.Expose, err
}

// watch begins to ask the replicas whether they are ready.
func (f *front) watch(ctx context.Context) {
	seen := map[*pool]bool{}
	for _, p := range f.pools {
		if !seen[p] {
			seen[p] = true
			p.watch(ctx)
		}
	}
}

// ServeHTTP forwards a request. In front of all services, it answers for their health itself. In
// front of one, the health is that of a replica.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.split && f.serveHealth(w, r) {
		return
	}
	s, _ := ServiceOf(r.URL.Path)
	f.pools[s].ServeHTTP(w, r)
}
