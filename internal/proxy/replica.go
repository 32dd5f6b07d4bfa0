package proxy

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/internal/readiness"
	"github.com/sealstream/sealstream/internal/tlsfiles"
)

// replica is one process that answers requests.
type replica struct {
	pool  *pool
	base  *url.URL
	state atomic.Pointer[state]
	proxy *httputil.ReverseProxy

	mu   sync.Mutex
	life context.Context // of the requests that the replica works on
	end  context.CancelFunc
}

// state is what a replica said last of itself, and why it gets no requests.
type state struct {
	page readiness.Page
	err  error // nil: it is ready
}

func newReplica(base *url.URL, p *pool, transport http.RoundTripper) *replica {
	r := &replica{pool: p, base: base}
	r.state.Store(&state{err: errUnasked})
	r.life, r.end = context.WithCancel(context.Background())
	r.proxy = &httputil.ReverseProxy{
		Transport:     transport,
		FlushInterval: -1, // server-sent events and exports go on as they come
		Rewrite:       r.rewrite,
		ErrorHandler: func(w http.ResponseWriter, req *http.Request, err error) {
			if req.Context().Err() == nil {
				p.logger.Warn("a replica did not answer", "replica", base.Host, "cause", err)
			}
			httpapi.Refuse(w, http.StatusBadGateway, "the service was lost while it worked; send the request again")
		},
	}
	return r
}

// transportTo reaches replicas, those with https by the certificates in files. A request may work
// for long before its answer begins, as an audit does, so only a connection has a timeout here.
func transportTo(files tlsfiles.ClientFiles) (*http.Transport, error) {
	cfg, err := files.Config()
	if err != nil {
		return nil, err
	}
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: replicaTimeout}).DialContext,
		TLSClientConfig:     cfg,
		TLSHandshakeTimeout: replicaTimeout,
		MaxIdleConnsPerHost: 256, IdleConnTimeout: time.Minute,
	}, nil
}

// localHost is the host that every service answers to. A service without access answers to few
// others, so that no page reads a log through a visitor's browser.
const localHost = "localhost"

// local sends requests as those of localHost.
type local struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t local) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Host = localHost
	return t.RoundTripper.RoundTrip(r)
}

// removed are the headers that do not go on. With the first ones, a browser says which page asks:
// the proxy has judged that, and the replica has another name. In the others, proxies in front of
// other services say who asks. No service here believes them, and none should be able to.
var removed = []string{
	"Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest",
	"Client-Cert", "Client-Cert-Chain", "Remote-User", "X-Remote-User", "X-Forwarded-User", "X-Forwarded-Email",
	"X-Forwarded-Client-Cert", "X-Real-Ip",
}

// rewrite prepares a request for the replica. ReverseProxy has removed Forwarded and X-Forwarded-*.
func (r *replica) rewrite(req *httputil.ProxyRequest) {
	req.SetURL(r.base)
	req.Out.Host = localHost
	for _, name := range removed {
		req.Out.Header.Del(name)
	}
	req.SetXForwarded()
}

// ServeHTTP forwards a request.
func (r *replica) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	ctx, cancel := context.WithCancel(req.Context())
	defer cancel()
	r.mu.Lock()
	life := r.life
	r.mu.Unlock()
	defer context.AfterFunc(life, cancel)()
	r.proxy.ServeHTTP(w, req.WithContext(ctx))
}

// Reasons for which a replica gets no requests.
var (
	errUnasked   = errors.New("it has not answered yet whether it is ready")
	errUnguarded = errors.New("it asks callers for no credentials (--access)")
)

// watch asks the replica again and again whether it is ready. A paused one takes connections but
// does not answer, so nothing less would do.
func (r *replica) watch(ctx context.Context) {
	transport, err := transportTo(r.pool.files)
	if err != nil {
		r.pool.logger.Error("a replica cannot be watched", "replica", r.base.Host, "cause", err)
		return
	}
	transport.DisableKeepAlives = true
	client := &http.Client{Timeout: replicaTimeout, Transport: local{transport}}
	answered := time.Now()
	for {
		page, err := readiness.Ask(ctx, client, r.base.JoinPath("/readyz").String())
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			answered = time.Now()
		}
		r.see(page, err)
		if time.Since(answered) > lostTimeout {
			r.cutOff()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(r.pool.interval):
		}
	}
}

// see takes what /readyz has said.
func (r *replica) see(page readiness.Page, err error) {
	switch {
	case err != nil:
	case !page.Ready:
		err = errors.New(page.Detail)
	case r.pool.guarded && page.Access != httpapi.AccessRequired:
		err = errUnguarded
	}
	old := r.state.Swap(&state{page, err})
	// One that never was ready is only told of if it will not become so by itself.
	if (old.err == nil) != (err == nil) || err == errUnguarded && old.err != errUnguarded {
		r.pool.logger.Warn("a replica has changed", "replica", r.base.Host, "ready", err == nil, "cause", err)
	}
}

// cutOff ends the requests that the replica works on: it is paused, or its machine is gone.
func (r *replica) cutOff() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end()
	r.life, r.end = context.WithCancel(context.Background())
}
