package natsconn

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/synadia-io/orbit.go/natscontext"
)

// Config describes how to connect to a NATS server. The command line fills it from flags, a nats
// context, and the usual NATS_* variables.
type Config struct {
	URL string // URLs, separated by commas; empty means that of the context
	// name or file (.json) of a nats context; without it and a URL, the selected one
	Context  string
	Creds    string // path of a credentials file
	NKey     string // path of an nkey seed file
	User     string
	Password string
	Token    string
	Cert     string // path of the client certificate, used with Key
	Key      string
	Inbox    string // prefix of inboxes; empty means _INBOX, or that of the context
	CA       string // path of the CA certificates that verify the server; empty means the system's

	AllowPlain bool // send a password or token to other machines without TLS
}

// Connect connects, and reconnects for ever after a connection is lost. name appears in the
// server's list of clients.
func (c Config) Connect(name string, log *slog.Logger) (*nats.Conn, error) {
	opts := Options(name, log)
	if c.Inbox != "" {
		opts = append(opts, nats.CustomInboxPrefix(c.Inbox))
	}
	if c.URL == "" {
		context := c.Context
		if strings.HasSuffix(context, ".json") {
			file, err := filepath.Abs(context)
			if err != nil {
				return nil, err
			}
			context = file
		}
		if !c.AllowPlain {
			opts = append(opts, secrets)
		}
		nc, _, err := natscontext.Connect(context, opts...)
		if err != nil {
			if c.Context == "" {
				return nil, fmt.Errorf("connect to NATS by the selected nats context, or else on this machine: %w; "+
					"--nats names a server", natsFailure(err))
			}
			return nil, fmt.Errorf("connect to NATS by context %q: %w", c.Context, natsFailure(err))
		}
		return nc, nil
	}
	switch {
	case c.Creds != "":
		opts = append(opts, nats.UserCredentials(c.Creds))
	case c.NKey != "":
		o, err := nats.NkeyOptionFromSeed(c.NKey)
		if err != nil {
			return nil, fmt.Errorf("nkey %s: %w", c.NKey, err)
		}
		opts = append(opts, o)
	case c.User != "":
		opts = append(opts, nats.UserInfo(c.User, c.Password))
	case c.Token != "":
		opts = append(opts, nats.Token(c.Token))
	}
	if c.Cert != "" {
		opts = append(opts, nats.ClientCert(c.Cert, c.Key))
	}
	if c.CA != "" {
		opts = append(opts, nats.RootCAs(c.CA))
	}
	if !c.AllowPlain {
		opts = append(opts, secrets)
	}
	nc, err := nats.Connect(c.URL, opts...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS at %s: %w", ShownServers(c.URL), natsFailure(err))
	}
	return nc, nil
}

// Options returns the connection options of all programs. A node that hangs or is half gone is
// detected within seconds, and reconnects are unlimited.
func Options(name string, log *slog.Logger) []nats.Option {
	var lost atomic.Pointer[time.Time]
	return []nats.Option{
		nats.Name(name), nats.MaxReconnects(-1), nats.ReconnectWait(250 * time.Millisecond), nats.Timeout(5 * time.Second),
		nats.PingInterval(5 * time.Second), nats.MaxPingsOutstanding(2),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				lost.Store(new(time.Now()))
				log.Warn("NATS connection lost", "cause", err)
			}
		}),
		// At the level of the loss, so that a log shows both or neither.
		nats.ReconnectHandler(func(nc *nats.Conn) {
			attrs := []any{"server", nc.ConnectedAddr()}
			if at := lost.Swap(nil); at != nil {
				attrs = append(attrs, "after", time.Since(*at).Round(time.Millisecond))
			}
			log.Warn("NATS connection is back", attrs...)
		}),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			log.Warn("NATS", "cause", err)
		}),
	}
}
