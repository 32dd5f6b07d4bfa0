package node

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/synadia-io/orbit.go/natscontext"
)

// NATSConfig says how to reach a NATS server. The command line fills it from flags, a nats context, and the usual NATS_*
// variables.
type NATSConfig struct {
	URL      string // "": that of the context
	Context  string // name or file (.json) of a nats context; "" and no URL: the selected one
	Creds    string // credentials file
	NKey     string // seed file
	User     string
	Password string
	Token    string
	Cert     string // client certificate, with Key
	Key      string
	Inbox    string // what inboxes begin with; "": _INBOX, or what the context says
	CA       string // certificates that the server's is checked with; "": the system's
}

// Connect connects, and keeps reconnecting for ever: a server that is away is a matter of time. name shows in the server's
// list of clients.
func (c NATSConfig) Connect(name string, log *slog.Logger) (*nats.Conn, error) {
	opts := connOptions(name, log)
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
		nc, _, err := natscontext.Connect(context, opts...)
		if err != nil {
			return nil, fmt.Errorf("connect to NATS by context %q: %w", c.Context, err)
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
	nc, err := nats.Connect(c.URL, opts...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS at %s: %w", c.URL, err)
	}
	return nc, nil
}

// connOptions: a node that is paused or half gone is noticed within seconds, and a lost one is tried again without end.
func connOptions(name string, log *slog.Logger) []nats.Option {
	return []nats.Option{
		nats.Name(name), nats.MaxReconnects(-1), nats.ReconnectWait(250 * time.Millisecond), nats.Timeout(5 * time.Second),
		nats.PingInterval(5 * time.Second), nats.MaxPingsOutstanding(2),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Warn("NATS connection lost", "cause", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) { log.Info("NATS connection is back", "server", nc.ConnectedUrlRedacted()) }),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			log.Warn("NATS", "cause", err)
		}),
	}
}

// group runs parts until the first of them ends, then stops the others and waits for them.
type group struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	done   []chan struct{}
}

func newGroup(ctx context.Context) *group {
	g := &group{}
	g.ctx, g.cancel = context.WithCancelCause(ctx)
	return g
}

// run starts a part. A part that returns an error ends the group with it.
func (g *group) run(name string, part func(context.Context) error) {
	done := make(chan struct{})
	g.done = append(g.done, done)
	go func() {
		defer close(done)
		if err := part(g.ctx); err != nil {
			g.cancel(fmt.Errorf("%s: %w", name, err))
		}
	}()
}

// stop ends all parts and waits for them.
func (g *group) stop() {
	g.cancel(nil)
	for _, d := range g.done {
		<-d
	}
}
