package httpapi

import (
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
	"github.com/sealstream/sealstream/internal/tlsfiles"
)

// Errors of Face and CheckLoopback.
var (
	// ErrNotLoopback reports an address that other machines could reach, although nothing keeps
	// strangers out.
	ErrNotLoopback = errors.New("address is not on the loopback")
	// ErrPortBusy reports that another program listens on the address.
	ErrPortBusy = errors.New("port is busy")
)

// AccessRequired is the member access of /readyz where each caller is asked for credentials.
const AccessRequired = "required"

// Face is how an HTTP server meets its network.
type Face struct {
	// Addr is the address to listen on. Empty means no server.
	Addr string

	// Exposed allows any address without TLS and Access: the network itself keeps strangers out, as
	// between the containers of one cluster.
	Exposed bool

	// TLS has the server's certificate. Nil means plain HTTP.
	TLS *tlsfiles.Server

	// Access reports that each caller proves who it is, and may do only what it is allowed.
	Access bool
}

// Check checks that strangers on other machines cannot use the server. Beyond the loopback, it
// needs both TLS and Access, or Exposed. An error wraps ErrNotLoopback or settings.ErrInvalid.
func (f Face) Check() error {
	near, err := OnLoopback(f.Addr)
	if err != nil || near || f.Exposed {
		return err
	}
	var missing []string
	if f.TLS == nil {
		missing = append(missing, "--tls-cert FILE --tls-key FILE")
	}
	if !f.Access {
		missing = append(missing, "--access FILE")
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %q; to serve other machines, add %s", ErrNotLoopback, f.Addr, strings.Join(missing, " "))
}

// CheckLoopback checks that other machines cannot reach an address. An error wraps ErrNotLoopback
// or settings.ErrInvalid.
func CheckLoopback(addr string) error {
	near, err := OnLoopback(addr)
	if err != nil || near {
		return err
	}
	return fmt.Errorf("%w: %q; only 127.0.0.1, [::1] and localhost are served", ErrNotLoopback, addr)
}

// OnLoopback reports whether an address is on the loopback. Of host names only localhost is, since
// the meaning of others may change. An error wraps settings.ErrInvalid.
func OnLoopback(addr string) (bool, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return false, fmt.Errorf("%w: address %q: %w", settings.ErrInvalid, addr, err)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return false, fmt.Errorf("%w: address %q: the port is not a number from 0 to 65535", settings.ErrInvalid, addr)
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback(), nil
}

// Listen checks the face, and opens its TCP listener.
func (f Face) Listen() (net.Listener, error) {
	if err := f.Check(); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", f.Addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%w: %s", ErrPortBusy, f.Addr)
	}
	return l, err
}

// URL is where the server of a listener is reached on this machine.
func (f Face) URL(l net.Listener) string {
	scheme, at := "http://", l.Addr().String()
	if f.TLS != nil {
		scheme = "https://"
	}
	if a, ok := l.Addr().(*net.TCPAddr); ok && a.IP.IsUnspecified() {
		at = net.JoinHostPort("localhost", strconv.Itoa(a.Port))
	}
	return scheme + at
}

// Server returns an http.Server with the limits that a port open to agents needs.
func (f Face) Server(h http.Handler) *http.Server {
	h = sameSite(http.NewCrossOriginProtection().Handler(h))
	if f.TLS == nil && !f.Access {
		h = LocalOnly(h, f.Exposed)
	}
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second, // of a TLS handshake, too
		ReadTimeout:       60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    1 << 20,
	}
	if f.TLS != nil {
		s.TLSConfig = f.TLS.Config()
	}
	return s
}
