// Package proxy is a reverse proxy in front of several replicas of a service.
package proxy

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/internal/natsconn"
	"github.com/sealstream/sealstream/internal/readiness"
	"github.com/sealstream/sealstream/internal/settings"
	"github.com/sealstream/sealstream/internal/tlsfiles"
)

// Config configures a proxy.
type Config struct {
	Addr   string   // where it listens
	To     []string // base URLs of the replicas
	Alerts []string // base URLs of alert services, which get the paths of /v1/alerts; none: To gets them too
	// each request to the next one that is ready; false: all to the first that is, so that what a
	// reader sees never falls back
	Rotate bool
	Expose bool // listen beyond the loopback without TLS
	TLS    settings.TLSFlags
	Logger *slog.Logger // nil: silent
}

const (
	readyInterval  = 500 * time.Millisecond // between two readiness checks of a replica
	replicaTimeout = time.Second            // of a readiness check, and of a connection
	stopTimeout    = 5 * time.Second        // of requests under way when the proxy stops
)

// proxy forwards requests to those replicas that are ready. It keeps nothing, and never sends a
// request twice unless no byte of it was sent: whether an event is to be sent again is for its
// sender, who knows the receipt.
type proxy struct {
	replicas []*replica
	alerts   *proxy // nil: there is none
	rotate   bool
	turn     atomic.Uint64
	log      *slog.Logger
}

type replica struct {
	base  *url.URL
	ready atomic.Bool
	proxy *httputil.ReverseProxy
}

// Serve forwards requests until ctx is done.
func Serve(ctx context.Context, cfg Config) error {
	p, err := newProxy(cfg)
	if err != nil {
		return err
	}
	files, err := tlsfiles.Open(cfg.TLS, p.log)
	if err != nil {
		return err
	}
	face := httpapi.Face{Addr: cfg.Addr, Exposed: cfg.Expose, TLS: files}
	l, err := face.Listen()
	if err != nil {
		return err
	}
	p.log.InfoContext(ctx, "proxy listens", "address", face.URL(l))
	p.watchAll(ctx)
	s := face.Server(p)
	s.ErrorLog = slog.NewLogLogger(p.log.Handler(), slog.LevelWarn)
	s.ReadTimeout = 0 // the replica's own is the one that counts
	if err := httpapi.Serve(ctx, s, l, stopTimeout); err != nil {
		return err
	}
	p.log.Info("proxy has stopped", "cause", context.Cause(ctx))
	return nil
}

func newProxy(cfg Config) (*proxy, error) {
	if len(cfg.To) == 0 {
		return nil, fmt.Errorf("%w: no replica is named", settings.ErrInvalid)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	transport := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: replicaTimeout}).DialContext,
		MaxIdleConnsPerHost: 256, IdleConnTimeout: time.Minute,
	}
	p := &proxy{rotate: cfg.Rotate, log: cfg.Logger}
	for _, to := range cfg.To {
		base, err := url.Parse(to)
		if err != nil || base.Scheme != "http" || base.Host == "" || base.User != nil {
			return nil, fmt.Errorf(
				"%w: replica %q is no http URL without a user",
				settings.ErrInvalid,
				natsconn.ShownServers(to),
			)
		}
		p.replicas = append(p.replicas, &replica{base: base, proxy: p.forward(base, transport)})
	}
	if len(cfg.Alerts) > 0 {
		var err error
		if p.alerts, err = newProxy(Config{To: cfg.Alerts, Logger: cfg.Logger}); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// judged are the headers with which a browser says which page asks. The proxy has judged them, and
// the replica, which has another name, would refuse them.
var judged = []string{"Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest"}

func (p *proxy) watchAll(ctx context.Context) {
	for _, r := range p.replicas {
		go p.watch(ctx, r)
	}
	if p.alerts != nil {
		p.alerts.watchAll(ctx)
	}
}

func (p *proxy) forward(base *url.URL, transport http.RoundTripper) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport: transport, FlushInterval: -1, // server-sent events go on as they come
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(base)
			r.Out.Host = base.Host
			for _, name := range judged {
				r.Out.Header.Del(name)
			}
			r.SetXForwarded()
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil {
				p.log.Warn("a replica did not answer", "replica", base.Host, "cause", err)
			}
			httpapi.Refuse(w, http.StatusBadGateway, "the service was lost while it worked; send the request again")
		},
	}
}

// ServeHTTP forwards a request. /readyz is the replica's own, so the proxy is ready while one of
// them is.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if path := r.URL.Path; p.alerts != nil && (path == "/v1/alerts" || strings.HasPrefix(path, "/v1/alerts/")) {
		p.alerts.ServeHTTP(w, r)
		return
	}
	start := 0
	if p.rotate {
		start = int(p.turn.Add(1) % uint64(len(p.replicas)))
	}
	for i := range p.replicas {
		if to := p.replicas[(start+i)%len(p.replicas)]; to.ready.Load() {
			to.proxy.ServeHTTP(w, r)
			return
		}
	}
	httpapi.Refuse(w, http.StatusServiceUnavailable, "no replica is ready")
}

// watch asks a replica again and again whether it is ready. A paused one takes connections but does
// not answer, so nothing less would do.
func (p *proxy) watch(ctx context.Context, r *replica) {
	client := &http.Client{Timeout: replicaTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		err := readiness.Check(ctx, client, r.base.JoinPath("/readyz").String())
		if ready := err == nil; r.ready.Swap(ready) != ready && ctx.Err() == nil {
			p.log.Warn("a replica has changed", "replica", r.base.Host, "ready", ready, "cause", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(readyInterval):
		}
	}
}
