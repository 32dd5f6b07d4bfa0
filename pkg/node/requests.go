package node

import (
	"context"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/ingest"
	"github.com/sealstream/sealstream/streams"
)

// maxRequests is how many NATS requests one ingest has under way at once; their bytes are bounded by ingest itself.
const maxRequests = 8192

// requests answers events that come as NATS requests, until ctx is done; then it answers those under way. Several ingests share them.
func requests(ctx context.Context, nc *nats.Conn, log string, in *ingest.Ingest) error {
	var group sync.WaitGroup
	work := context.WithoutCancel(ctx)
	slots := make(chan struct{}, maxRequests)
	sub, err := nc.QueueSubscribe(streams.SubmitSubject(log, "*"), "ingest", func(m *nats.Msg) {
		if m.Reply == "" {
			return // nobody would learn of it: events without an answer are published to EVENTS
		}
		select {
		case slots <- struct{}{}:
			group.Go(func() {
				defer func() { <-slots }()
				respond(m)(in.Request(work, entry.Message{Subject: m.Subject, Header: entry.Header(m.Header), Data: m.Data}))
			})
		default:
			respond(m)(ingest.RequestBusy())
		}
	})
	if err != nil {
		return fmt.Errorf("requests of agents: %w", err)
	}
	<-ctx.Done()
	drained := make(chan struct{})
	sub.SetClosedHandler(func(string) { close(drained) })
	if sub.Drain() == nil {
		<-drained // or the end of the connection
	}
	group.Wait()
	return nil
}

// respond sends an answer. One that cannot be sent is as good as lost: who asked asks again, and the log knows the repeat.
func respond(m *nats.Msg) func(entry.Header, []byte) {
	return func(h entry.Header, body []byte) {
		m.RespondMsg(&nats.Msg{Header: nats.Header(h), Data: body})
	}
}
