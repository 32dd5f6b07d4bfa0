package ingest_test

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/ingest"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
)

// cutter dials connections and cuts them.
type cutter struct {
	mu    sync.Mutex
	conns []net.Conn
}

func (c *cutter) Dial(network, address string) (net.Conn, error) {
	conn, err := net.Dial(network, address)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.conns = append(c.conns, conn)
	}
	return conn, err
}

func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		conn.Close()
	}
	c.conns = nil
}

// TestCutConnection cuts ingest's connection to JetStream again and again while events come in. Who
// sends again what has no receipt has each event in the log once, in his order.
func TestCutConnection(t *testing.T) {
	s := server(t)
	w := startSealer(t, open(t, s))
	c := &cutter{}
	w.run(t, ingest.Config{
		Log: open(t, s, nats.SetCustomDialer(c), nats.ReconnectWait(5*time.Millisecond),
			nats.MaxReconnects(-1)),
		StoreTimeout: 900 * time.Millisecond,
	})
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for range 6 {
			select {
			case <-stop:
				return
			case <-time.After(40 * time.Millisecond):
				c.cut()
			}
		}
	}()
	const producers, each = 16, 60
	parallel(producers, func(p int) {
		for n := range each {
			raw := []ingest.Raw{{Event: []byte(event(fmt.Sprintf("%d-%d", p, n)))}}
			for {
				got, err := w.ingest.Submit(t.Context(), raw, ingest.WaitStored)
				if errors.Is(err, ingest.ErrUnknown) || errors.Is(err, ingest.ErrUnavailable) {
					time.Sleep(time.Millisecond)
					continue
				}
				if err != nil || got[0].Status != api.Stored {
					t.Errorf("%+v %v", got, err)
					return
				}
				break
			}
			time.Sleep(time.Millisecond)
		}
	})
	close(stop)
	<-done
	next := [producers]int{}
	for _, e := range w.entries(t)[1:] {
		if e.EventType == entry.TypeDuplicate {
			continue // the repeats
		}
		var p, n int
		if _, err := fmt.Sscanf(e.EntryID, "%d-%d", &p, &n); err != nil || next[p] != n {
			t.Fatalf("%s after %d others", e.Leaf, next[p])
		}
		next[p]++
	}
	for p, n := range next {
		if n != each {
			t.Errorf("producer %d has %d events in the log", p, n)
		}
	}
}
