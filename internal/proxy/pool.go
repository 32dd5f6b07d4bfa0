package proxy

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/internal/natsconn"
	"github.com/sealstream/sealstream/internal/readiness"
	"github.com/sealstream/sealstream/internal/settings"
	"github.com/sealstream/sealstream/internal/tlsfiles"
)

const (
	readyInterval  = 500 * time.Millisecond // between two readiness checks of a replica
	replicaTimeout = time.Second            // of a readiness check, and of a connection
	lostTimeout    = 15 * time.Second       // without an answer to readiness checks, until requests are cut off
)

// pool forwards requests to those replicas of one service that are ready. It keeps nothing, and
// never sends a request twice unless no byte of it was sent: whether an event is to be sent again
// is for its sender, who knows the receipt.
type pool struct {
	poolConfig
	replicas []*replica
	turn     atomic.Uint64
}

type poolConfig struct {
	name    string
	urls    []string // base URLs of the replicas
	rotate  bool     // each request to the next replica that is ready
	guarded bool     // a replica that asks callers for no credentials gets no requests
	files   tlsfiles.ClientFiles

	interval time.Duration // between two readiness checks
	logger   *slog.Logger
}

func newPool(cfg poolConfig) (*pool, error) {
	if cfg.logger == nil {
		cfg.logger = slog.New(slog.DiscardHandler)
	}
	transport, err := transportTo(cfg.files)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", settings.ErrInvalid, err)
	}
	p := &pool{poolConfig: cfg}
	for _, to := range cfg.urls {
		base, err := url.Parse(to)
		if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.User != nil {
			return nil, fmt.Errorf("%w: replica %q is no http or https URL without a user",
				settings.ErrInvalid, natsconn.ShownServers(to))
		}
		p.replicas = append(p.replicas, newReplica(base, p, transport))
	}
	return p, nil
}

// watch begins to ask the replicas whether they are ready.
func (p *pool) watch(ctx context.Context) {
	for _, r := range p.replicas {
		go r.watch(ctx)
	}
}

// ready returns a replica that is ready, or nil.
func (p *pool) ready() *replica {
	start := 0
	if p.rotate {
		start = int(p.turn.Add(1) % uint64(len(p.replicas)))
	}
	for i := range p.replicas {
		if r := p.replicas[(start+i)%len(p.replicas)]; r.state.Load().err == nil {
			return r
		}
	}
	return nil
}

// page returns what a replica that is ready says of itself, or nil.
func (p *pool) page() *readiness.Page {
	for _, r := range p.replicas {
		if s := r.state.Load(); s.err == nil {
			return &s.page
		}
	}
	return nil
}

// why says why no replica is ready. It is empty if one is.
func (p *pool) why() string {
	text := ""
	for _, r := range p.replicas {
		err := r.state.Load().err
		if err == nil {
			return ""
		}
		if text == "" {
			text = p.name + ": " + err.Error()
		}
	}
	return text
}

// ServeHTTP forwards a request.
func (p *pool) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if to := p.ready(); to != nil {
		to.ServeHTTP(w, r)
		return
	}
	httpapi.Refuse(w, http.StatusServiceUnavailable, "no replica of "+p.name+" is ready")
}
