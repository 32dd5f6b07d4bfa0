package client_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/natsd"
	"github.com/sealstream/sealstream/pkg/client"
	"github.com/sealstream/sealstream/streams"
)

// onNATS runs a whole log on an embedded server, and returns a connection without credentials, as
// an agent has it.
func onNATS(t *testing.T) (*world, *nats.Conn) {
	t.Helper()
	s := logtest.Server(t, natsd.Config{})
	_, log := logtest.Open(t, s, streams.Config{Log: logtest.Name})
	w := start(t, log, logtest.Signer(t, logtest.Name))
	agent, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(agent.Close)
	return w, agent
}

// TestNATS publishes straight to EVENTS, with nothing but an agent's rights, and takes proofs over
// HTTP.
func TestNATS(t *testing.T) {
	w, nc := onNATS(t)
	c := w.client(func(cfg *client.Config) { cfg.NATS = nc })
	r, err := c.Log(bounded(t), client.Event{Type: "tool_invocation", Data: map[string]int{"n": 1}})
	if err != nil || r.Status != client.Stored || r.InputSeq == 0 {
		t.Fatalf("%+v %v", r, err)
	}
	for i, e := range []client.Event{
		{ID: "1", Type: "x", Data: 1}, {ID: "1", Type: "x", Data: 1}, {ID: "1", Type: "x", Data: 2}, {Type: "x"},
	} {
		r, err := c.Log(bounded(t), e, client.WaitSealed)
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		w.proven(r, w.entries())
		if (r.Status == client.Duplicate) != (i == 1) || (r.EquivocationOf != 0) != (i == 2) {
			t.Errorf("%d: %+v", i, r)
		}
	}
	var batch []client.Event
	for i := range 300 {
		batch = append(batch, client.Event{
			Agent: fmt.Sprint("urn:agent:", i/50%2), Type: "x", Resource: fmt.Sprint(i), Data: i,
		})
	}
	receipts, err := c.LogBatch(bounded(t), batch, client.WaitSealed)
	if err != nil {
		t.Fatal(err)
	}
	list := w.entries()
	for i, r := range receipts {
		if w.proven(r, list); list[r.Index].Resource != fmt.Sprint(i) || r.Status != client.Sealed {
			t.Errorf("%d: %+v", i, r)
		}
	}
	if w.posts.Load() != 0 {
		t.Error("something was posted")
	}
	parallel(100, func(i int) {
		if r, err := c.Log(bounded(t), client.Event{Type: "y", Resource: fmt.Sprint("p", i)},
			client.WaitSealed); err != nil || r.Status != client.Sealed {
			t.Errorf("%+v %v", r, err)
		}
	})
	if n := len(w.entries()); n != len(list)+100 {
		t.Errorf("%d entries after %d and 100 more", n, len(list))
	}
}

// TestNATSAway: the server is away for a while, and what is logged meanwhile is stored once it is
// back (case 42 of conformance/cases_test.go).
func TestNATSAway(t *testing.T) {
	cfg := natsd.Config{StoreDir: t.TempDir(), Addr: "127.0.0.1:0", Log: "default"}
	s, err := natsd.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	nc, err := s.Connect()
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err == nil {
		err = streams.Ensure(t.Context(), js, streams.Config{Log: "default"})
	}
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	agent, err := nats.Connect(s.ClientURL(), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(agent.Close)
	cfg.Addr = agent.ConnectedAddr()
	c, err := client.New(client.Config{NATS: agent, Agent: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := c.Log(bounded(t), client.Event{Type: "x"}); err != nil || r.InputSeq != 1 {
		t.Fatalf("%+v %v", r, err)
	}
	s.Shutdown()
	logged := make(chan error, 1)
	go func() {
		r, err := c.Log(bounded(t), client.Event{Type: "x"})
		if err == nil && r.InputSeq < 2 {
			err = fmt.Errorf("%+v", r)
		}
		logged <- err
	}()
	if s, err = natsd.Start(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	if err := <-logged; err != nil {
		t.Error(err)
	}
}
