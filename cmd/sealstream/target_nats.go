package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/node"
)

// natsFlags say how NATS is reached; they are those of the services.
type natsFlags struct {
	NATS     string `help:"NATS server; none: that of the context." env:"NATS_URL" placeholder:"URL"`
	Context  string `help:"Nats context, a name or a .json file; of \"up\": replay.json in its data directory." env:"NATS_CONTEXT" placeholder:"NAME"`
	Creds    string `help:"NATS credentials file." env:"NATS_CREDS" placeholder:"FILE"`
	NKey     string `help:"NATS nkey seed file." name:"nkey" env:"NATS_NKEY" placeholder:"FILE"`
	User     string `help:"NATS user." env:"NATS_USER"`
	Password string `help:"NATS password." env:"NATS_PASSWORD"`
	Token    string `help:"NATS token." env:"NATS_TOKEN"`
	TLSCert  string `help:"Client certificate." name:"tlscert" env:"NATS_CERT" placeholder:"FILE"`
	TLSKey   string `help:"Its key." name:"tlskey" env:"NATS_KEY" placeholder:"FILE"`
	TLSCA    string `help:"Certificates to check the server's with." name:"tlsca" env:"NATS_CA" placeholder:"FILE"`
}

// natsTarget publishes on core NATS: whoever listens gets the replay, and nobody keeps it.
type natsTarget struct {
	nc      natsConn
	subject string
	c       *replayCmd
	heard   bool // the server has taken a message
}

// natsConn is what is needed of a connection.
type natsConn interface {
	Publish(subject string, data []byte) error
	FlushWithContext(ctx context.Context) error
	LastError() error
	Close()
}

func (c *replayCmd) natsTarget() (target, error) {
	n := c.natsFlags
	nc, err := node.NATSConfig{URL: n.NATS, Context: n.Context, Creds: n.Creds, NKey: n.NKey, User: n.User, Password: n.Password, Token: n.Token,
		Cert: n.TLSCert, Key: n.TLSKey, CA: n.TLSCA}.Connect("sealstream replay", slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	return &natsTarget{nc: nc, subject: c.Dest, c: c}, nil
}

// natsPatience is how long the server may take to have what was published.
const natsPatience = 10 * time.Second

// most is 1 at first: whoever may not publish learns it by one message.
func (t *natsTarget) most() int {
	if t.heard {
		return 256
	}
	return 1
}

func (t *natsTarget) close() { t.nc.Close() }

func (t *natsTarget) send(ctx context.Context, group []replayed) error {
	for _, e := range group {
		b, err := entry.Replay(e.entry, e.payload, t.c.Name)
		if err == nil {
			err = t.nc.Publish(t.subject, b)
		}
		if err != nil {
			return fmt.Errorf("publish entry %d: %w", e.entry.Index, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, natsPatience)
	defer cancel()
	err := t.nc.FlushWithContext(ctx)
	if err == nil {
		err = t.nc.LastError() // a refusal comes before the answer to the flush
	}
	if err != nil {
		return fmt.Errorf("publish on %s: %w", t.subject, err)
	}
	t.heard = true
	return nil
}
