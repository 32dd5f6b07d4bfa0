package node

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/ingest"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams/subject"
)

// maxRequests is how many NATS requests one ingest has under way at once; their bytes are bounded
// by ingest itself.
const maxRequests = 8192

// requests answers events that come as NATS requests. Several ingests share them.
type requests struct {
	sub   *nats.Subscription
	group sync.WaitGroup // those under way
	work  context.Context
	cut   context.CancelFunc
}

// listenRequests begins to answer: when it returns, the server sends requests here.
func listenRequests(ctx context.Context, nc *nats.Conn, log string, in *ingest.Ingest) (*requests, error) {
	r := &requests{}
	r.work, r.cut = context.WithCancel(context.WithoutCancel(ctx))
	slots := make(chan struct{}, maxRequests)
	var err error
	r.sub, err = nc.QueueSubscribe(subject.Submit(log, "*"), "ingest", func(m *nats.Msg) {
		if m.Reply == "" {
			return // nobody would learn of it: events without an answer are published to EVENTS
		}
		select {
		case slots <- struct{}{}:
			r.group.Go(func() {
				defer func() { <-slots }()
				respond(m)(in.Request(r.work, entry.Message{Subject: m.Subject, Header: entry.Header(m.Header), Data: m.Data}))
			})
		default:
			respond(m)(ingest.RequestBusy())
		}
	})
	if err != nil {
		r.cut()
		return nil, fmt.Errorf("requests of agents: %w", err)
	}
	nc.Flush() // a server that is away learns of the subscription when it is back
	return r, nil
}

// run goes on until ctx is done; then it answers those that have come, and after stopGrace tells
// the rest how far they are. It must end before the ingest does, else what came last is refused.
func (r *requests) run(ctx context.Context) error {
	defer r.cut()
	<-ctx.Done()
	defer time.AfterFunc(stopGrace, r.cut).Stop()
	drained := make(chan struct{})
	r.sub.SetClosedHandler(func(string) { close(drained) })
	if r.sub.Drain() == nil {
		select {
		case <-drained: // or the end of the connection
		case <-r.work.Done(): // the server does not answer
			r.sub.Unsubscribe()
			<-drained
		}
	}
	r.group.Wait()
	return nil
}

// respond sends an answer. One that cannot be sent is as good as lost: who asked asks again, and
// the log knows the repeat.
func respond(m *nats.Msg) func(entry.Header, []byte) {
	return func(h entry.Header, body []byte) {
		m.RespondMsg(&nats.Msg{Header: nats.Header(h), Data: body})
	}
}
