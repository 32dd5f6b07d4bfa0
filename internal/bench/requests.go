package bench

import (
	"context"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams/subject"
)

// requests answers NATS requests by ingest, as a node does, and connects agents over TCP.
func (r *rig) requests(agents int) (list []*nats.Conn, stop func(), err error) {
	leave := func() {
		for _, nc := range list {
			nc.Close()
		}
	}
	answer := func(m *nats.Msg) {
		h, body := r.ingest.Request(context.Background(),
			entry.Message{Subject: m.Subject, Header: entry.Header(m.Header), Data: m.Data})
		m.RespondMsg(&nats.Msg{Header: nats.Header(h), Data: body}) // an agent without an answer fails
	}
	sub, err := r.nc.Subscribe(subject.Submit("bench", "*"), func(m *nats.Msg) { go answer(m) })
	if err != nil {
		return nil, leave, err
	}
	for range agents {
		nc, err := nats.Connect(r.server.ClientURL(), nats.Name("agent"))
		if err != nil {
			leave()
			return nil, leave, err
		}
		list = append(list, nc)
	}
	return list, func() { sub.Unsubscribe(); leave() }, nil
}

// requestOn sends one event by a NATS request and waits until it is stored.
func requestOn(agents []*nats.Conn) func(ctx context.Context, client, n int) error {
	return func(ctx context.Context, client, n int) error {
		m, err := agents[client].RequestWithContext(ctx, subject.Submit("bench", "open"), event(client, n))
		if err != nil {
			return err
		}
		if m.Header.Get("Nats-Service-Error-Code") != "" || !strings.Contains(string(m.Data), `"stored"`) {
			return fmt.Errorf("%w: %v %.300s", errAnswer, m.Header, m.Data)
		}
		return nil
	}
}
