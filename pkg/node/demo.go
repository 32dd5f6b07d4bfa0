package node

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams"
)

// demoEvents is the real input that the README and the tests play in; its source and licence stand beside it.
//
//go:embed demo/tau-airline.jsonl
var demoEvents []byte

// DemoEvents is how many events Demo plays.
const DemoEvents = 713

// demoPace is the time between two events of one agent: slow enough to be watched, fast enough to wait for.
const demoPace = 4 * time.Millisecond

// Demo plays the recorded events in as the agents that they are of would have sent them: each agent on its own, in its own order, half
// of them over NATS and half over HTTP. It returns how many were played: none, if they are in the log already.
func (n *Node) Demo(ctx context.Context, progress func(int)) (int, error) {
	agents, err := demoAgents()
	if err != nil {
		return 0, err
	}
	if done, err := n.played(ctx); err != nil || done {
		return 0, err
	}
	nc, err := nats.Connect(n.NATSURL(), nats.Name("sealstream demo"))
	if err != nil {
		return 0, fmt.Errorf("demo: %w", err)
	}
	defer nc.Close()
	var count atomic.Int64
	var group sync.WaitGroup
	errs := make(chan error, len(agents))
	for i, events := range agents {
		send := n.postEvent
		if i%2 == 1 {
			send = func(ctx context.Context, ev entry.Event, raw []byte) error {
				return publishEvent(ctx, nc, n.cfg.Log, ev, raw)
			}
		}
		group.Go(func() {
			for _, raw := range events {
				ev, err := entry.ParseEvent(raw)
				if err == nil {
					err = send(ctx, ev, raw)
				}
				if err != nil {
					errs <- fmt.Errorf("demo: %w", err)
					return
				}
				progress(int(count.Add(1)))
				time.Sleep(demoPace)
			}
		})
	}
	group.Wait()
	select {
	case err := <-errs:
		return int(count.Load()), err
	default:
	}
	n.pipeline.drain(ctx)
	return int(count.Load()), nil
}

// demoAgents splits the events by agent, each agent's in their order.
func demoAgents() ([][][]byte, error) {
	var order []string
	by := map[string][][]byte{}
	for line := range bytes.Lines(demoEvents) {
		ev, err := entry.ParseEvent(bytes.TrimSpace(line))
		if err != nil {
			return nil, fmt.Errorf("demo: %w", err)
		}
		if by[ev.Source] == nil {
			order = append(order, ev.Source)
		}
		by[ev.Source] = append(by[ev.Source], bytes.TrimSpace(line))
	}
	agents := make([][][]byte, len(order))
	for i, source := range order {
		agents[i] = by[source]
	}
	return agents, nil
}

// played says whether the log holds the last of the events.
func (n *Node) played(ctx context.Context) (bool, error) {
	lines := bytes.Split(bytes.TrimSpace(demoEvents), []byte("\n"))
	ev, err := entry.ParseEvent(lines[len(lines)-1])
	if err != nil {
		return false, fmt.Errorf("demo: %w", err)
	}
	if err := n.pipeline.query.CaughtUp(ctx); err != nil {
		return false, fmt.Errorf("demo: %w", err)
	}
	resp, err := n.request(ctx, http.MethodGet, "/v1/entries/id/"+ev.ID, "", nil)
	if err != nil {
		return false, err
	}
	return resp == http.StatusOK || resp == http.StatusConflict, nil
}

func (n *Node) postEvent(ctx context.Context, _ entry.Event, raw []byte) error {
	status, err := n.request(ctx, http.MethodPost, "/v1/events", "application/cloudevents+json", raw)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("POST /v1/events: status %d", status)
	}
	return err
}

func (n *Node) request(ctx context.Context, method, path, contentType string, body []byte) (int, error) {
	req, err := http.NewRequestWithContext(ctx, method, n.URL()+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// publishEvent is what an agent does that knows nothing but NATS: publish, and take JetStream's acknowledgement.
func publishEvent(ctx context.Context, nc *nats.Conn, log string, ev entry.Event, raw []byte) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	ack, err := nc.RequestWithContext(ctx, streams.EventsSubject(log, entry.AgentToken(ev.Source)), raw)
	if err == nil && !bytes.Contains(ack.Data, []byte(`"seq"`)) {
		err = fmt.Errorf("NATS did not store the event: %s", ack.Data)
	}
	return err
}
