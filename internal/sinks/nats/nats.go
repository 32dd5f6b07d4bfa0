// Package natssink publishes the entries of a log on a NATS subject, as CloudEvents.
package natssink

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/pkg/sink"
	"github.com/sealstream/sealstream/streams/subject"
)

// Dial reads from the parameters of a sink's URL how to connect to a server, and returns what
// connects. server is the URL of the server alone.
type Dial func(server string, p *sink.Params) (connect func() (*nats.Conn, error))

// Scheme is the scheme of `nats://HOST:PORT/SUBJECT` and `tls://` URLs: each entry is published as
// a CloudEvent of a replay (SPEC 11), with its entry_hash as Nats-Msg-Id, so that the stream there
// drops repeats. The parameter
//
//	ack=stream|none     wait until a stream has stored it, or only until the server has it
//
// is its own; all others are dial's.
func Scheme(dial Dial) sink.Scheme {
	return func(u *url.URL, p *sink.Params) (sink.Open, error) {
		subject, ack := strings.TrimPrefix(u.Path, "/"), p.OneOf("ack", "stream", "none")
		connect := dial((&url.URL{Scheme: u.Scheme, User: u.User, Host: u.Host}).String(), p)
		if u.Host == "" {
			return nil, errors.New("it names no server")
		}
		if err := checkSubject(subject); err != nil {
			return nil, err
		}
		ahead := maxAhead // outlives the sink, which is opened anew after each error
		return func(context.Context) (sink.Sink, error) {
			nc, err := connect()
			if err != nil {
				return nil, err
			}
			js, err := jetstream.New(nc)
			if err != nil {
				nc.Close()
				return nil, err
			}
			out := outlet{nc, js, subject, ack == "stream", &ahead}
			return sink.NewOutlet(out.write, func() error { nc.Close(); return nil }), nil
		}, nil
	}
}

// reserved is what the subjects of all logs begin with.
const reserved = subject.Prefix

// checkSubject reports why entries cannot be published on a subject.
func checkSubject(subject string) error {
	switch {
	case subject == "" || strings.ContainsAny(subject, "*> \t\r\n") || strings.HasPrefix(subject, ".") ||
		strings.HasSuffix(subject, ".") || strings.Contains(subject, ".."):
		return fmt.Errorf("%.80q is no subject to publish on", subject)
	case strings.HasPrefix(subject, reserved):
		// each copy would be an event there, and be sealed, and come back as another
		return errors.New("logs take their events on audit.>; entries are not for there")
	}
	return nil
}

type outlet struct {
	nc      *nats.Conn
	js      jetstream.JetStream
	subject string
	stored  bool
	ahead   *int // messages that may wait now: 1 after an error, and more again with each success
}

// maxAhead is the largest number of messages that wait for their acknowledgements.
const maxAhead = 256

// ackTimeout is the longest wait for an acknowledgement. When one comes later, the stream knows the
// repeat by its Nats-Msg-Id.
const ackTimeout = 10 * time.Second

func (o outlet) write(ctx context.Context, records []sink.Record) (err error) {
	defer func() {
		if err != nil { // a message that is refused must not have those behind it stored again and again
			*o.ahead = 1
		}
	}()
	if !o.nc.IsConnected() { // the client would keep messages back until it is
		return nats.ErrDisconnected
	}
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
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
			return sink.Part(i-len(waiting), fmt.Errorf("index %d: %w", records[i].Entry.Index, err))
		}
		if waiting = append(waiting, f); len(waiting) >= *o.ahead {
			if n, err := awaitAcks(ctx, waiting); err != nil {
				return refusedBy(records, i+1-len(waiting)+n, err)
			}
			waiting, *o.ahead = waiting[:0], min(2**o.ahead, maxAhead)
		}
	}
	if !o.stored {
		return o.nc.FlushWithContext(ctx)
	}
	n, err := awaitAcks(ctx, waiting)
	return refusedBy(records, len(records)-len(waiting)+n, err)
}

// refusedBy is an error that came of the record behind those that were taken.
func refusedBy(records []sink.Record, taken int, err error) error {
	if err == nil {
		return nil
	}
	return sink.Part(taken, fmt.Errorf("index %d: %w", records[taken].Entry.Index, err))
}

func (o outlet) message(r *sink.Record) (*nats.Msg, error) {
	body, err := r.Entry.Replay(r.Payload, sink.ReplayName)
	if err != nil {
		return nil, fmt.Errorf("index %d: %w", r.Entry.Index, err)
	}
	return &nats.Msg{Subject: o.subject, Data: body, Header: nats.Header{
		"Content-Type": {structuredType}, jetstream.MsgIDHeader: {r.Entry.EntryHash.String()},
	}}, nil
}

// structuredType is the content type of an event in structured mode. A receiver takes a message
// without it for an event in binary mode (CloudEvents NATS binding, section 3).
const structuredType = "application/cloudevents+json; charset=UTF-8"

// EventConn publishes events in structured mode.
type EventConn struct{ *nats.Conn }

// Publish publishes one event in the JSON format.
func (c EventConn) Publish(subject string, event []byte) error {
	return c.PublishMsg(&nats.Msg{Subject: subject, Data: event, Header: nats.Header{"Content-Type": {structuredType}}})
}

// awaitAcks waits for acknowledgements, and returns how many came before the first that did not.
func awaitAcks(ctx context.Context, list []jetstream.PubAckFuture) (n int, err error) {
	for n, f := range list {
		select {
		case <-f.Ok():
		case err := <-f.Err():
			return n, fmt.Errorf("publish on %s: %w", f.Msg().Subject, err)
		case <-ctx.Done():
			return n, ctx.Err()
		}
	}
	return len(list), nil
}
