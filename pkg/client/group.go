package client

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/api"
)

// maxGroupBytes leaves room for ingest's framing in one EVENTS message of 921,600 bytes.
const maxGroupBytes = 880 << 10

// lane makes groups of what concurrent callers log: while a group is under way, the next one
// collects. Nothing lingers: an idle lane sends at once, and a busy one fills up by itself. Nothing
// runs while nothing is logged.
type lane struct {
	client *Client
	wait   Wait
	limit  int // groups under way

	mu     sync.Mutex
	queue  []*waiting
	flying int
}

// waiting is one caller and its event.
type waiting struct {
	out    outgoing
	flight *flight // the group that has taken it
	gone   bool    // the caller has left before that
	answer answer
	err    error
	done   chan struct{}
}

// flight ends its request when the last of its callers has left.
type flight struct {
	callers atomic.Int64
	cancel  context.CancelFunc
}

func (l *lane) do(ctx context.Context, out outgoing) (answer, error) {
	w := &waiting{out: out, done: make(chan struct{})}
	l.mu.Lock()
	l.queue = append(l.queue, w)
	if l.flying < l.limit {
		l.flying++
		go l.run()
	}
	l.mu.Unlock()
	select {
	case <-w.done:
		return w.answer, w.err
	case <-ctx.Done():
		l.leave(w)
		r := Receipt{Receipt: api.Receipt{EntryID: out.event.ID, AgentDID: out.event.Source}}
		return answer{Receipt: r}, l.client.api.cause(context.Cause(ctx))
	}
}

func (l *lane) leave(w *waiting) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.flight == nil {
		w.gone = true
	} else if w.flight.callers.Add(-1) == 0 {
		w.flight.cancel()
	}
}

// run sends one group after the other until none is waiting.
func (l *lane) run() {
	for {
		ctx, cancel := context.WithCancel(l.client.ctx)
		group := l.take(&flight{cancel: cancel})
		if len(group) == 0 {
			cancel()
			return
		}
		events := make([]outgoing, len(group))
		for i, w := range group {
			events[i] = w.out
		}
		answers, err := l.client.send(ctx, events, l.wait)
		if l.client.ctx.Err() != nil {
			err = ErrClosed
		}
		for i, w := range group {
			if w.err = err; err == nil {
				w.answer = answers[i]
			}
			close(w.done)
		}
		cancel()
	}
}

// take makes the next group, or says that there is none and that this run ends.
func (l *lane) take(f *flight) []*waiting {
	l.mu.Lock()
	defer l.mu.Unlock()
	var group []*waiting
	size := 0
	for len(l.queue) > 0 && len(group) < ruleset.MaxMessageEvents {
		w := l.queue[0]
		if len(group) > 0 && size+len(w.out.raw) > maxGroupBytes {
			break
		}
		l.queue = l.queue[1:]
		if w.gone {
			continue
		}
		w.flight = f
		f.callers.Add(1)
		size += len(w.out.raw) + 1
		group = append(group, w)
	}
	if len(group) == 0 {
		l.queue = nil
		l.flying--
	}
	return group
}
