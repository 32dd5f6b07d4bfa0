package httpapi

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// LocalOnly refuses a request whose Host is not this machine: a page under another name that
// resolves to the loopback must not read the log through a visitor's browser. If exposed, it also
// accepts addresses and names without a dot, which no page has. A server with TLS needs no such
// check, because its certificate is not valid for the other name. Nor does a server that asks for
// credentials, because the browser has none to send.
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

// Serve runs an HTTP server, over TLS if it is configured, until ctx is done. Then it waits at most
// grace for the running requests.
func Serve(ctx context.Context, s *http.Server, l net.Listener, grace time.Duration) error {
	failed := make(chan error, 1)
	go func() {
		if s.TLSConfig != nil {
			failed <- s.ServeTLS(l, "", "")
			return
		}
		failed <- s.Serve(l)
	}()
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
