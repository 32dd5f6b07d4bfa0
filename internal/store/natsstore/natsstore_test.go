package natsstore_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/natsd"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/internal/store/storetest"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams"
)

func start(t testing.TB, dir, addr string) *natsd.Server {
	t.Helper()
	return logtest.Server(t, natsd.Config{StoreDir: dir, Addr: addr, Password: "secret"})
}

// quiet keeps what the library says about hostile messages out of the test's output.
var quiet = nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})

func open(t testing.TB, s *natsd.Server, cfg streams.Config) *store.Log {
	t.Helper()
	_, log := logtest.Open(t, s, cfg, nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond), quiet)
	return log
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) *store.Log {
		return open(t, start(t, t.TempDir(), "127.0.0.1:0"), streams.Config{Log: "default"})
	})
}

// TestServerRestart: a reader goes on over a restart of the server, with nothing lost or doubled,
// and without its caller's help; creation time and messages stay.
func TestServerRestart(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, "127.0.0.1:0")
	l := open(t, s, streams.Config{Log: "default"})
	before, err := l.Events.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan []entry.Message, 1)
	go func() {
		defer close(read)
		read <- storetest.Collect(t, l.Events, 1, 900)
	}()
	for round := range 3 {
		for i := range 300 {
			m := entry.Message{Subject: "audit.default.events.x", Data: fmt.Append(nil, round, i)}
			if _, err := l.Events.Append(t.Context(), m, nil); err != nil {
				t.Fatal(err)
			}
		}
		if round == 2 {
			break
		}
		addr := s.ClientURL()[len("nats://"):]
		s.Shutdown()
		s = start(t, dir, addr)
		waitFor(t, l)
	}
	for i, m := range <-read {
		if m.Seq != uint64(i+1) || string(m.Data) != fmt.Sprint(i/300, i%300) {
			t.Fatalf("message %d: sequence %d, %q", i, m.Seq, m.Data)
		}
	}
	after, err := l.Events.Info(t.Context())
	if err != nil || !after.Created.Equal(before.Created) || after.Last != 900 {
		t.Fatalf("after the restarts: %+v, %v; before: %+v", after, err, before)
	}
}

// waitFor waits until the log answers again.
func waitFor(t *testing.T, l *store.Log) {
	t.Helper()
	logtest.Until(t, "the log to answer", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
		defer cancel()
		_, err := l.Events.Info(ctx)
		return err == nil
	})
}

// TestConsumerDeleted: a reader whose consumer somebody deletes goes on with a new one.
func TestConsumerDeleted(t *testing.T) {
	s := start(t, t.TempDir(), "127.0.0.1:0")
	l := open(t, s, streams.Config{Log: "default"})
	_, js := logtest.Connect(t, s)
	r, err := l.Events.Read(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for i := range uint64(5) {
		if _, err := l.Events.Append(t.Context(), entry.Message{Subject: "audit.default.control", Data: []byte("x")},
			nil); err != nil {
			t.Fatal(err)
		}
		list, err := r.Next(t.Context(), 10)
		if err != nil || len(list) != 1 || list[0].Seq != i+1 {
			t.Fatalf("message %d: %+v, %v", i+1, list, err)
		}
		stream, err := js.Stream(t.Context(), streams.EventsName("default"))
		if err != nil {
			t.Fatal(err)
		}
		for name := range stream.ConsumerNames(t.Context()).Name() {
			if err := stream.DeleteConsumer(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestFull: a stream at its limit refuses, at once, and says so.
func TestFull(t *testing.T) {
	l := open(t, start(t, t.TempDir(), "127.0.0.1:0"), streams.Config{Log: "default", EventsMaxBytes: 1 << 20})
	m := entry.Message{Subject: "audit.default.events.x", Data: make([]byte, 300_000)}
	stored := uint64(0)
	for range 10 {
		_, err := l.Events.Append(t.Context(), m, nil)
		if errors.Is(err, store.ErrFull) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		stored++
	}
	info, err := l.Events.Info(t.Context())
	if err != nil || stored != 3 || info.Last != stored || info.First != 1 {
		t.Fatalf("%d acknowledged; %+v, %v", stored, info, err)
	}
}

// TestRepeatedMsgID: 40 messages of two agents, two by two under one Nats-Msg-Id and right behind
// each other, are all stored, and so are the same that one sends again.
func TestRepeatedMsgID(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, "127.0.0.1:0")
	l := open(t, s, streams.Config{Log: "default"})
	storesAll(t, s, l, 0)
	s.Shutdown()
	s = start(t, dir, "127.0.0.1:0")
	storesAll(t, s, open(t, s, streams.Config{Log: "default"}), 60)
}

// storesAll publishes 60 messages as agents do, and looks for each in EVENTS behind sequence after.
func storesAll(t *testing.T, s *natsd.Server, l *store.Log, after uint64) {
	t.Helper()
	nc, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for i := range 20 {
		for _, agent := range []string{"a", "b", "b"} {
			m := nats.NewMsg("audit.default.events." + agent)
			m.Header.Set(nats.MsgIdHdr, fmt.Sprint("id-", i))
			m.Data = fmt.Append(nil, agent, i)
			answer, err := nc.RequestMsg(m, 5*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			var ack struct {
				Seq       uint64
				Duplicate bool
			}
			after++
			if err := json.Unmarshal(answer.Data, &ack); err != nil || ack.Duplicate || ack.Seq != after {
				t.Fatalf("message %d of %s got %s, %v", i, agent, answer.Data, err)
			}
			if got, err := l.Events.Get(t.Context(), ack.Seq); err != nil || !bytes.Equal(got.Data, m.Data) {
				t.Fatalf("%+v, %v", got, err)
			}
		}
	}
}

// TestCloseWindow: the EVENTS of an older release is taken, and loses its window without losing a
// message or another setting.
func TestCloseWindow(t *testing.T) {
	s := start(t, t.TempDir(), "127.0.0.1:0")
	l := open(t, s, streams.Config{Log: "default"})
	_, js := logtest.Connect(t, s)
	want := streamConfig(t, js, "EVENTS_default")
	old := want
	old.Sources, old.Duplicates, old.MaxBytes = nil, 100*time.Millisecond, 1<<30
	if _, err := js.UpdateStream(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Events.Append(t.Context(), entry.Message{Subject: "audit.default.events.x", Data: []byte("kept")},
		nil); err != nil {
		t.Fatal(err)
	}
	cfg := streams.Config{Log: "default"}
	if err := streams.Check(t.Context(), js, cfg); err != nil {
		t.Errorf("the EVENTS of an older release has drifted: %v", err)
	}
	for _, had := range []bool{true, false} {
		if closed, err := streams.CloseWindow(t.Context(), js, cfg); err != nil || closed != had {
			t.Errorf("%v, %v, want %v", closed, err, had)
		}
	}
	want.MaxBytes = 1 << 30
	if got := streamConfig(t, js, "EVENTS_default"); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant\n%+v", got, want)
	}
	storesAll(t, s, l, 1)
	if _, err := js.UpdateStream(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	lines, err := streams.Apply(t.Context(), js, cfg, false)
	if err != nil || len(lines) != 2 || streams.Check(t.Context(), js, cfg) != nil {
		t.Errorf("apply changed %q, %v", lines, err)
	}
	storesAll(t, s, l, 61)
}

// TestForeignMsgID: an agent that uses up a message id cannot swallow what we publish, nor what a
// client publishes that sends none.
func TestForeignMsgID(t *testing.T) {
	s := start(t, t.TempDir(), "127.0.0.1:0")
	l := open(t, s, streams.Config{Log: "default"})
	nc, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	hostile := nats.NewMsg("audit.default.events.attacker")
	hostile.Header.Set(nats.MsgIdHdr, "victim-1")
	for range 2 {
		if _, err := nc.RequestMsg(hostile, 5*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	seq, err := l.Events.Append(t.Context(),
		entry.Message{Subject: "audit.default.events.victim", Data: []byte("mine")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := nc.Request("audit.default.events.victim", []byte("too"), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	var ack struct {
		Seq       uint64
		Duplicate bool
	}
	if err := json.Unmarshal(answer.Data, &ack); err != nil || ack.Duplicate || ack.Seq != seq+1 {
		t.Fatalf("the victim's message got %s, %v", answer.Data, err)
	}
	if m, err := l.Events.Get(t.Context(), seq); err != nil || string(m.Data) != "mine" {
		t.Fatalf("%+v, %v", m, err)
	}
}

func TestHeaderThatWouldNotArrive(t *testing.T) {
	l := open(t, start(t, t.TempDir(), "127.0.0.1:0"), streams.Config{Log: "default"})
	for _, h := range []entry.Header{
		{"A": {"x\r\nB: y"}}, {"A\r\nB": {"x"}}, {"A:": {"x"}}, {"": {"x"}}, {"A": {" x"}},
	} {
		if _, err := l.Events.Append(t.Context(), entry.Message{Subject: "audit.default.control", Header: h},
			nil); err == nil {
			t.Errorf("%q was sent", h)
		}
	}
	if info, err := l.Events.Info(t.Context()); err != nil || info.Last != 0 {
		t.Fatalf("%+v, %v", info, err)
	}
}
