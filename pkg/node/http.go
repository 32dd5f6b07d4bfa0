package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// What a listening address can be refused for.
var (
	// ErrNotLoopback: there is no authentication yet, so nothing listens beyond this machine.
	ErrNotLoopback = errors.New("address is not on the loopback")
	// ErrPortBusy: another program listens there.
	ErrPortBusy = errors.New("port is busy")
)

// listen opens a TCP listener on a loopback address; exposed, on any.
func listen(addr string, exposed bool) (net.Listener, error) {
	if err := checkAddr(addr, exposed); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%w: %s", ErrPortBusy, addr)
	}
	return l, err
}

// checkLoopback refuses an address that other machines could reach. Names are refused too, but for localhost: what they mean may change.
func checkLoopback(addr string) error { return checkAddr(addr, false) }

// checkAddr takes any address where exposed says that the network itself keeps strangers out, as between the containers of one cluster.
func checkAddr(addr string, exposed bool) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%w: address %q: %w", ErrWrong, addr, err)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%w: address %q: the port is no number", ErrWrong, addr)
	}
	if ip, err := netip.ParseAddr(host); !exposed && host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return fmt.Errorf("%w: %q; only 127.0.0.1, [::1] and localhost are served, as there is no authentication", ErrNotLoopback, addr)
	}
	return nil
}

// server is an http.Server with the limits that a port open to agents needs.
func server(h http.Handler, exposed bool) *http.Server {
	return &http.Server{
		Handler: localOnly(http.NewCrossOriginProtection().Handler(h), exposed), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 60 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 1 << 20,
	}
}

// localOnly refuses a request whose Host is not this machine: a page on another name that resolves to the loopback must
// not read the log through a visitor's browser. Exposed, addresses and names without a dot are this machine too: no page has such a name.
func localOnly(h http.Handler, exposed bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := strings.ToLower(r.Host)
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
		near := host == "localhost" || err == nil && ip.IsLoopback() || exposed && (err == nil || !strings.Contains(host, "."))
		if !near {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusMisdirectedRequest)
			fmt.Fprintln(w, `{"type":"about:blank","title":"Misdirected Request","status":421,"detail":"this host name is not served here"}`)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// serve runs an HTTP server until ctx is done, then lets the requests under way end, for a while.
func serve(ctx context.Context, s *http.Server, l net.Listener, grace time.Duration) error {
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		return s.Close() // slow readers are cut off; nothing they did is lost
	}
	return nil
}
