package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/sealstream/sealstream/internal/natsconn"
	natssink "github.com/sealstream/sealstream/internal/sinks/nats"
)

// natsFlags are the flags of the services that connect to NATS.
type natsFlags struct {
	NATS     string `help:"URL of the NATS server. Default: the server of the context." env:"NATS_URL" placeholder:"URL"`
	Context  string `help:"Nats context, a name or a .json file; of \"up\": replay.json in its data directory." env:"NATS_CONTEXT" placeholder:"NAME"`
	Creds    string `help:"NATS credentials file." env:"NATS_CREDS" placeholder:"FILE"`
	NKey     string `help:"NATS nkey seed file." name:"nkey" env:"NATS_NKEY" placeholder:"FILE"`
	User     string `help:"NATS user." env:"NATS_USER"`
	Password string `help:"NATS password." env:"NATS_PASSWORD"`
	Token    string `help:"NATS token." env:"NATS_TOKEN"`
	Plain    bool   `help:"Allow sending the password or token without TLS to another machine." name:"allow-plain"`
	TLSCert  string `help:"File of the client certificate." name:"tlscert" env:"NATS_CERT" placeholder:"FILE"`
	TLSKey   string `help:"File of its private key." name:"tlskey" env:"NATS_KEY" placeholder:"FILE"`
	TLSCA    string `help:"File of the CA certificates that verify the server." name:"tlsca" env:"NATS_CA" placeholder:"FILE"`
}

// natsTarget publishes on core NATS: subscribers receive the replay, and nothing stores it.
type natsTarget struct {
	nc       natsConn
	subject  string
	c        *replayCmd
	accepted bool // the server has accepted a message
}

// natsConn is the part of a connection that a replay needs.
type natsConn interface {
	Publish(subject string, data []byte) error
	FlushWithContext(ctx context.Context) error
	LastError() error
	Close()
}

func (c *replayCmd) natsTarget() (target, error) {
	n := c.natsFlags
	nc, err := natsconn.Config{
		URL:        n.NATS,
		Context:    n.Context,
		Creds:      n.Creds,
		NKey:       n.NKey,
		User:       n.User,
		Password:   n.Password,
		Token:      n.Token,
		Cert:       n.TLSCert,
		Key:        n.TLSKey,
		CA:         n.TLSCA,
		AllowPlain: n.Plain,
	}.Connect("sealstream replay", slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	return &natsTarget{nc: natssink.EventConn{Conn: nc}, subject: c.Dest, c: c}, nil
}

// flushTimeout is how long the server may take to confirm what was published.
const flushTimeout = 10 * time.Second

// maxBatch is 1 until the server has accepted a message, so that a missing permission fails early.
func (t *natsTarget) maxBatch() int {
	if t.accepted {
		return 256
	}
	return 1
}

func (t *natsTarget) close() { t.nc.Close() }

func (t *natsTarget) send(ctx context.Context, group []replayed) error {
	for _, e := range group {
		b, err := e.entry.Replay(e.payload, t.c.Name)
		if err == nil {
			err = t.nc.Publish(t.subject, b)
		}
		if err != nil {
			return fmt.Errorf("publish entry %d: %w", e.entry.Index, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	err := t.nc.FlushWithContext(ctx)
	if err == nil {
		err = t.nc.LastError() // the server sends a refusal before the answer to the flush
	}
	if err != nil {
		return fmt.Errorf("publish on %s: %w", t.subject, err)
	}
	t.accepted = true
	return nil
}
