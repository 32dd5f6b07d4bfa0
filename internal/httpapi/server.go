package httpapi

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

	"github.com/sealstream/sealstream/internal/settings"
)

// Errors of Listen and CheckAddr.
var (
	// ErrNotLoopback reports an address that other machines could reach. There is no authentication
	// yet.
	ErrNotLoopback = errors.New("address is not on the loopback")
	// ErrPortBusy reports that another program listens on the address.
	ErrPortBusy = errors.New("port is busy")
)

// Listen opens a TCP listener on a loopback address, or, if exposed, on any address.
func Listen(addr string, exposed bool) (net.Listener, error) {
	if err := CheckAddr(addr, exposed); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%w: %s", ErrPortBusy, addr)
	}
	return l, err
}

// CheckAddr checks that other machines cannot reach an address. It refuses host names except
// localhost, since their meaning may change. exposed allows any address: the network itself then
// keeps strangers out, as between the containers of one cluster.
func CheckAddr(addr string, exposed bool) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%w: address %q: %w", settings.ErrInvalid, addr, err)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%w: address %q: the port is not a number from 0 to 65535", settings.ErrInvalid, addr)
	}
	if ip, err := netip.ParseAddr(host); !exposed && host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return fmt.Errorf("%w: %q; only 127.0.0.1, [::1] and localhost are served, as there is no authentication",
			ErrNotLoopback, addr)
	}
	return nil
}

// Server returns an http.Server with the limits that a port open to agents needs.
func Server(h http.Handler, exposed bool) *http.Server {
	return &http.Server{
		Handler:           LocalOnly(sameSite(http.NewCrossOriginProtection().Handler(h)), exposed),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    1 << 20,
	}
}

// LocalOnly refuses a request whose Host is not this machine: a page under another name that
// resolves to the loopback must not read the log through a visitor's browser. If exposed, it also
// accepts addresses and names without a dot, which no page has.
func LocalOnly(h http.Handler, exposed bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := strings.ToLower(r.Host)
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
		near := host == "localhost" || err == nil && ip.IsLoopback() ||
			exposed && (err == nil || !strings.Contains(host, "."))
		if !near {
			Refuse(w, http.StatusMisdirectedRequest, "this host name is not served here")
			return
		}
		h.ServeHTTP(w, r)
	})
}

// Serve runs an HTTP server until ctx is done. Then it waits at most grace for the running
// requests.
func Serve(ctx context.Context, s *http.Server, l net.Listener, grace time.Duration) error {
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
		return s.Close() // cuts off slow readers; nothing they did is lost
	}
	return nil
}
