package natsconn

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/outward"
)

// IsLoopback reports whether a host name or address is this machine's own.
func IsLoopback(host string) bool { return outward.IsLoopback(host) }

// errURL replaces the errors of url.Parse, which may quote a password.
var errURL = errors.New(
	"the URL cannot be read; what is not a letter or digit in a user name or password is written as %XX",
)

// shownURL returns a URL for logs and errors: scheme and host only.
func shownURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return "a URL"
	}
	return u.Scheme + "://" + u.Host
}

// ShownServers returns a list of NATS servers for logs and errors: scheme and host only. The scheme
// may be missing in the list.
func ShownServers(list string) string {
	var shown []string
	for s := range strings.SplitSeq(list, ",") {
		if s = strings.TrimSpace(s); !strings.Contains(s, "://") {
			s = "nats://" + s
		}
		shown = append(shown, shownURL(s))
	}
	return strings.Join(shown, ",")
}

// secrets is a NATS option that must be the last one. It requires TLS if a password or token would
// be sent to another machine. Seeds and credentials files need no TLS, since they only sign a
// challenge.
func secrets(o *nats.Options) error {
	has, remote := o.User != "" || o.Password != "" || o.Token != "" || o.TokenHandler != nil || o.UserInfo != nil, false
	for _, s := range append([]string{o.Url}, o.Servers...) {
		if s == "" {
			continue
		}
		if !strings.Contains(s, "://") {
			s = "nats://" + s
		}
		u, err := url.Parse(s)
		if err != nil {
			return errURL
		}
		has, remote = has || u.User != nil, remote || !outward.IsLoopback(u.Hostname())
	}
	if !has {
		return nil
	}
	if !remote {
		o.IgnoreDiscoveredServers = true // a server may name other machines
		return nil
	}
	if o.Secure = true; o.TLSConfig == nil {
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return nil
}

// natsFailure removes what may be secret from an error of connecting, and adds advice.
func natsFailure(err error) error {
	if _, ok := errors.AsType[*url.Error](err); ok {
		return errURL
	}
	if errors.Is(err, nats.ErrSecureConnWanted) {
		return fmt.Errorf(
			"%w: the server offers no TLS, without which no password or token is sent to another machine (--allow-plain, or "+
				"allow_plain=yes of a sink, sends it)",
			err,
		)
	}
	return err
}
