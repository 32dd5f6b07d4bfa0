// Package demo plays the recorded events of a real agent into a log.
package demo

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/pkg/entry"
)

// recorded is the real input that the README and the tests play in. README.md has its source and
// licence.
//
//go:embed tau-airline.jsonl
var recorded []byte

// Count is the number of recorded events.
const Count = 713

// pace is the time between two events of one agent: slow enough to be watched, fast enough to wait
// for.
const pace = 4 * time.Millisecond

// Events returns the recorded events, as they are published.
func Events() [][]byte { return bytes.Split(bytes.TrimSpace(recorded), []byte("\n")) }

// Log is the running log that events are played into.
type Log struct {
	Name string
	HTTP *http.Client // asks the API, whatever the host of the URL is
	NATS string       // URL of the NATS server
}

// Play sends the recorded events as their agents would have sent them: each agent on its own, in
// its own order, half of them over NATS and half over HTTP. It returns how many were sent: none, if
// the log contains them already. progress is called with that number after each event.
func Play(ctx context.Context, l Log, progress func(int)) (int, error) {
	agents, err := byAgent()
	if err != nil {
		return 0, err
	}
	if done, err := l.played(ctx); err != nil || done {
		return 0, err
	}
	nc, err := nats.Connect(l.NATS, nats.Name("sealstream demo"))
	if err != nil {
		return 0, fmt.Errorf("demo: %w", err)
	}
	defer nc.Close()
	var count atomic.Int64
	var group sync.WaitGroup
	errs := make(chan error, len(agents))
	for i, events := range agents {
		send := l.post
		if i%2 == 1 {
			send = func(ctx context.Context, ev entry.Event, raw []byte) error {
				return Publish(ctx, nc, l.Name, ev, raw)
			}
		}
		group.Go(func() {
			if err := playAgent(ctx, events, send, func() { progress(int(count.Add(1))) }); err != nil {
				errs <- fmt.Errorf("demo: %w", err)
			}
		})
	}
	group.Wait()
	select {
	case err := <-errs:
		return int(count.Load()), err
	default:
		return int(count.Load()), nil
	}
}

// playAgent sends the events of one agent.
func playAgent(
	ctx context.Context,
	events [][]byte,
	send func(context.Context, entry.Event, []byte) error,
	sent func(),
) error {
	for _, raw := range events {
		ev, err := entry.ParseEvent(raw)
		if err != nil {
			return err
		}
		if err := send(ctx, ev, raw); err != nil {
			return err
		}
		sent()
		time.Sleep(pace)
	}
	return nil
}

// byAgent splits the events by agent, each agent's in their order.
func byAgent() ([][][]byte, error) {
	var order []string
	by := map[string][][]byte{}
	for _, raw := range Events() {
		ev, err := entry.ParseEvent(raw)
		if err != nil {
			return nil, fmt.Errorf("demo: %w", err)
		}
		if by[ev.Source] == nil {
			order = append(order, ev.Source)
		}
		by[ev.Source] = append(by[ev.Source], raw)
	}
	agents := make([][][]byte, len(order))
	for i, source := range order {
		agents[i] = by[source]
	}
	return agents, nil
}

// played reports whether the log contains the last of the events.
func (l Log) played(ctx context.Context) (bool, error) {
	events := Events()
	ev, err := entry.ParseEvent(events[len(events)-1])
	if err != nil {
		return false, fmt.Errorf("demo: %w", err)
	}
	status, err := l.request(ctx, http.MethodGet, "/v1/entries/id/"+ev.ID, "", nil)
	if err != nil {
		return false, err
	}
	return status == http.StatusOK || status == http.StatusConflict, nil
}
