package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync/atomic"
	"time"
)

// FrontConfig is one address before several replicas of a service.
type FrontConfig struct {
	Addr   string       // where it listens
	To     []string     // base URLs of the replicas
	Rotate bool         // each request to the next one that is ready; false: all to the first that is, so that what a reader sees never falls back
	Expose bool         // listen beyond the loopback
	Logger *slog.Logger // nil: silent
}

const (
	frontLook    = 500 * time.Millisecond // how often each replica is asked whether it is ready
	frontPatient = time.Second            // how long it may take to say so, and to take a connection
)

// front hands requests to those replicas that are ready. It keeps nothing, and never sends a request twice unless no byte of it was sent: whether
// an event is to be sent again is for its sender, who knows the receipt.
type front struct {
	replicas []*replica
	rotate   bool
	turn     atomic.Uint64
	log      *slog.Logger
}

type replica struct {
	base  *url.URL
	ready atomic.Bool
	proxy *httputil.ReverseProxy
}

// Front serves until ctx is done.
func Front(ctx context.Context, cfg FrontConfig) error {
	f, err := newFront(cfg)
	if err != nil {
		return err
	}
	l, err := listen(cfg.Addr, cfg.Expose)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "front listens on http://%s\n", l.Addr())
	for _, r := range f.replicas {
		go f.watch(ctx, r)
	}
	s := server(f, cfg.Expose)
	s.ReadTimeout = 0 // the replica's own is the one that counts
	return serve(ctx, s, l, stopGrace)
}

func newFront(cfg FrontConfig) (*front, error) {
	if len(cfg.To) == 0 {
		return nil, fmt.Errorf("%w: no replica is named", ErrWrong)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	transport := &http.Transport{
		DialContext: (&net.Dialer{Timeout: frontPatient}).DialContext, MaxIdleConnsPerHost: 256, IdleConnTimeout: time.Minute,
	}
	f := &front{rotate: cfg.Rotate, log: cfg.Logger}
	for _, to := range cfg.To {
		base, err := url.Parse(to)
		if err != nil || base.Scheme != "http" || base.Host == "" {
			return nil, fmt.Errorf("%w: replica %q is no http URL", ErrWrong, to)
		}
		f.replicas = append(f.replicas, &replica{base: base, proxy: f.proxy(base, transport)})
	}
	return f, nil
}

func (f *front) proxy(base *url.URL, transport http.RoundTripper) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport: transport, FlushInterval: -1, // server-sent events go on as they come
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(base)
			r.Out.Host = r.In.Host // the replica checks it, and origins against it
			r.SetXForwarded()
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil {
				f.log.Warn("a replica did not answer", "replica", base.Host, "cause", err)
			}
			problem(w, http.StatusBadGateway, "the service was lost while it worked; send the request again")
		},
	}
}

// ServeHTTP hands a request on. /readyz is the replica's own, so the front is ready while one of them is.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := 0
	if f.rotate {
		start = int(f.turn.Add(1) % uint64(len(f.replicas)))
	}
	for i := range f.replicas {
		if to := f.replicas[(start+i)%len(f.replicas)]; to.ready.Load() {
			to.proxy.ServeHTTP(w, r)
			return
		}
	}
	problem(w, http.StatusServiceUnavailable, "no replica is ready")
}

// watch asks a replica again and again whether it is ready. A paused one takes connections but does not answer, so nothing less would do.
func (f *front) watch(ctx context.Context, r *replica) {
	client := &http.Client{Timeout: frontPatient, Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		err := Ready(ctx, client, r.base.JoinPath("/readyz").String())
		if ready := err == nil; r.ready.Swap(ready) != ready && ctx.Err() == nil {
			f.log.Warn("a replica has changed", "replica", r.base.Host, "ready", ready, "cause", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(frontLook):
		}
	}
}

// ErrNotReady: a service does not say that it is ready.
var ErrNotReady = errors.New("not ready")

// Ready asks a URL and wants status 200. It is what a health check runs, in an image that has no shell.
func Ready(ctx context.Context, client *http.Client, to string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, to, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrWrong, err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotReady, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: %s: status %d", ErrNotReady, to, resp.StatusCode)
	}
	return nil
}
