package natsstore

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
)

// replies waits for the answers to published messages, with one subscription for all of them. The
// client library's own publisher would retry by itself, and fail on a full window.
type replies struct {
	prefix string

	mu      sync.Mutex
	waiting map[string]chan answer // by the reply subject's last token
	next    uint64
}

// answer is what came to a reply subject, or why nothing will.
type answer struct {
	msg *nats.Msg
	err error
}

// newReplies subscribes to answers until the connection is closed or stop is called.
func newReplies(nc *nats.Conn) (r *replies, stop func(), err error) {
	r = &replies{prefix: nc.NewInbox() + ".", waiting: map[string]chan answer{}}
	sub, err := nc.Subscribe(r.prefix+"*", r.answer)
	if err != nil {
		return nil, nil, fmt.Errorf("subscribe to answers: %w", err)
	}
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		return nil, nil, fmt.Errorf("subscribe to answers: %w", err)
	}
	status := nc.StatusChanged(nats.DISCONNECTED, nats.RECONNECTING, nats.CLOSED)
	go func() {
		for s := range status {
			r.failAll()
			if s == nats.CLOSED {
				return
			}
		}
	}()
	return r, func() { sub.Unsubscribe(); nc.RemoveStatusListener(status) }, nil
}

// expect returns a reply subject, and the channel on which its answer comes.
func (r *replies) expect() (subject string, c chan answer) {
	c = make(chan answer, 1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next++
	token := strconv.FormatUint(r.next, 36)
	r.waiting[token] = c
	return r.prefix + token, c
}

func (r *replies) answer(m *nats.Msg) {
	token := strings.TrimPrefix(m.Subject, r.prefix)
	r.mu.Lock()
	c := r.waiting[token]
	delete(r.waiting, token)
	r.mu.Unlock()
	if c != nil {
		c <- answer{msg: m}
	}
}

func (r *replies) forget(subject string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.waiting, strings.TrimPrefix(subject, r.prefix))
}

// failAll ends all waiting, so that callers learn now instead of after their timeout.
func (r *replies) failAll() {
	r.mu.Lock()
	list := r.waiting
	r.waiting = map[string]chan answer{}
	r.mu.Unlock()
	for _, c := range list {
		c <- answer{err: errDisconnected}
	}
}
