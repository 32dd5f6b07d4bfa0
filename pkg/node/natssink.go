package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/sink"
)

// natsScheme is that of `nats://HOST:PORT/SUBJECT` (and tls://): each entry is published as a CloudEvent of a replay (SPEC 11), with its entry_hash as Nats-Msg-Id,
// so that the stream there drops repeats. It lies here, and not in package sink, because only this layer speaks NATS. Parameters:
//
//	ack=stream|none     wait until a stream has stored it, or only until the server has it
//	creds=F, nkey=F, ca=F, cert=F, key=F    as everywhere with NATS
func natsScheme(log *slog.Logger) sink.Scheme {
	return func(u *url.URL, p *sink.Params) (sink.Open, error) {
		subject, ack := strings.TrimPrefix(u.Path, "/"), p.OneOf("ack", "stream", "none")
		cfg := NATSConfig{Creds: p.Text("creds", ""), NKey: p.Text("nkey", ""), CA: p.Text("ca", ""), Cert: p.Text("cert", ""), Key: p.Text("key", "")}
		cfg.URL = (&url.URL{Scheme: u.Scheme, User: u.User, Host: u.Host}).String()
		switch {
		case u.Host == "":
			return nil, errors.New("it names no server")
		case subject == "" || strings.ContainsAny(subject, "*> \t\r\n") || strings.HasPrefix(subject, ".") || strings.HasSuffix(subject, ".") || strings.Contains(subject, ".."):
			return nil, fmt.Errorf("%.80q is no subject to publish on", subject)
		case strings.HasPrefix(subject, "audit."): // each copy would be an event there, and be sealed, and come back as another
			return nil, errors.New("logs take their events on audit.>; entries are not for there")
		}
		return func(ctx context.Context) (sink.Sink, error) {
			nc, err := cfg.Connect("sealstream sink", log)
			if err != nil {
				return nil, err
			}
			js, err := jetstream.New(nc)
			if err != nil {
				nc.Close()
				return nil, err
			}
			out := natsOutlet{nc, js, subject, ack == "stream"}
			return sink.NewOutlet(out.write, func() error { nc.Close(); return nil }), nil
		}, nil
	}
}

type natsOutlet struct {
	nc      *nats.Conn
	js      jetstream.JetStream
	subject string
	stored  bool
}

// natsAhead is how many messages may wait for their acknowledgements.
const natsAhead = 256

// natsPatience is how long an acknowledgement may take. One that comes later is told apart by its Nats-Msg-Id.
const natsPatience = 10 * time.Second

func (o natsOutlet) write(ctx context.Context, records []sink.Record) error {
	if !o.nc.IsConnected() { // the client would keep messages back until it is
		return nats.ErrDisconnected
	}
	ctx, cancel := context.WithTimeout(ctx, natsPatience)
	defer cancel()
	var waiting []jetstream.PubAckFuture
	for i := range records {
		m, err := o.message(&records[i])
		if err != nil {
			return err
		}
		if !o.stored {
			if err := o.nc.PublishMsg(m); err != nil {
				return err
			}
			continue
		}
		f, err := o.js.PublishMsgAsync(m)
		if err != nil {
			return sink.Part(i-len(waiting), err)
		}
		if waiting = append(waiting, f); len(waiting) == natsAhead {
			if err := awaitAcks(ctx, waiting); err != nil {
				return sink.Part(i+1-len(waiting), err)
			}
			waiting = waiting[:0]
		}
	}
	if !o.stored {
		return o.nc.FlushWithContext(ctx)
	}
	return sink.Part(len(records)-len(waiting), awaitAcks(ctx, waiting))
}

func (o natsOutlet) message(r *sink.Record) (*nats.Msg, error) {
	body, err := entry.Replay(r.Entry, r.Payload, sink.ReplayName)
	if err != nil {
		return nil, fmt.Errorf("index %d: %w", r.Entry.Index, err)
	}
	return &nats.Msg{Subject: o.subject, Data: body, Header: nats.Header{
		"Content-Type": {"application/cloudevents+json; charset=UTF-8"}, jetstream.MsgIDHeader: {r.Entry.EntryHash},
	}}, nil
}

func awaitAcks(ctx context.Context, list []jetstream.PubAckFuture) error {
	for _, f := range list {
		select {
		case <-f.Ok():
		case err := <-f.Err():
			return fmt.Errorf("publish on %s: %w", f.Msg().Subject, err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
