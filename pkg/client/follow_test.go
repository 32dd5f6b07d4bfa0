package client_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/client"
)

// restarting is a query service of a world, on one address, that is ended and started again.
type restarting struct {
	*world
	address string
	stop    func()
	mu      sync.Mutex
	open    map[net.Conn]bool
}

func (r *restarting) start() {
	r.Helper()
	q, err := query.New(query.Config{Log: r.log, Keys: []string{r.key}})
	if err != nil {
		r.Fatal(err)
	}
	if r.address == "" {
		r.address = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", r.address)
	for end := time.Now().Add(10 * time.Second); err != nil; listener, err = net.Listen("tcp", r.address) {
		if time.Now().After(end) {
			r.Fatal(err)
		}
	}
	r.address = listener.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	s := &http.Server{Handler: q.Handler(), ConnState: func(c net.Conn, state http.ConnState) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.open[c] = true; state == http.StateClosed {
			delete(r.open, c)
		}
	}}
	parts.Go(func() { q.Run(ctx) })
	parts.Go(func() { s.Serve(listener) })
	r.stop = func() { s.Close(); cancel(); parts.Wait() }
}

// disconnect breaks all connections.
func (r *restarting) disconnect() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.open {
		c.Close()
	}
}

// TestFollowRestarts follows a log whose server is started again 50 times and breaks its
// connections 20 times while the log grows: each entry comes once and in order, with a filter and
// without.
func TestFollowRestarts(t *testing.T) {
	w := memory(t)
	r := &restarting{world: w, open: map[net.Conn]bool{}}
	r.start()
	defer func() { r.stop() }()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	const rounds, each = 70, 12
	const total = rounds*each + 1
	at := func(c *client.Config) { c.Server = "http://" + r.address }
	var group sync.WaitGroup
	progress := make(chan uint64, total)
	group.Go(func() {
		defer close(progress)
		next := uint64(0)
		for e, err := range w.client(at).Follow(ctx, client.Filter{}) {
			if err != nil || e.Index != next {
				t.Errorf("index %d, want %d: %v", e.Index, next, err)
				cancel()
				return
			}
			progress <- next
			if next++; next == total {
				return
			}
		}
	})
	odd := 0
	group.Go(func() {
		last := uint64(0)
		for e, err := range w.client(at).Follow(ctx, client.Filter{Filter: api.Filter{Type: []string{"odd"}}}) {
			if err != nil || e.Index <= last || e.EventType != "odd" {
				t.Errorf("index %d after %d: %v", e.Index, last, err)
				cancel()
				return
			}
			last = e.Index
			if odd++; odd == rounds*each/2 {
				return
			}
		}
	})
	writer := w.client()
	for round := range rounds {
		for i := range each {
			if _, err := writer.Log(ctx, client.Event{
				ID: fmt.Sprint(round, "-", i), Type: []string{"odd", "even"}[i%2],
			}); err != nil {
				t.Fatal(err)
			}
		}
		if round%7 == 1 || round%7 == 4 {
			r.disconnect()
		} else {
			r.stop()
			r.start()
		}
		for seen := range progress { // both have been served since
			if seen >= uint64(round*each) {
				break
			}
		}
	}
	group.Wait()
	if odd != rounds*each/2 {
		t.Errorf("%d entries by a filter", odd)
	}
}
