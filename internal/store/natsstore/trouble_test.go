package natsstore_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/natsd"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/internal/store/natsstore"
	"github.com/sealstream/sealstream/internal/store/storetest"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams"
)

// wired opens a log over a wire, and once more directly.
func wired(t *testing.T) (over, direct *store.Log, w *wire, nc *nats.Conn) {
	t.Helper()
	s := start(t, t.TempDir(), "127.0.0.1:0")
	direct = open(t, s, streams.Config{Log: "default"})
	w = newWire(t, strings.TrimPrefix(s.ClientURL(), "nats://"))
	nc, err := nats.Connect("nats://"+w.listener.Addr().String(), nats.UserInfo("sealstream", "secret"),
		nats.CustomInboxPrefix(natsd.InboxPrefix),
		nats.MaxReconnects(-1), nats.ReconnectWait(5*time.Millisecond), nats.ReconnectJitter(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if over, err = natsstore.Open(t.Context(), nc, streams.Config{Log: "default"}); err != nil {
		t.Fatal(err)
	}
	return over, direct, w, nc
}

func lastSeq(t *testing.T, s store.Stream) uint64 {
	t.Helper()
	info, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return info.Last
}

var event = entry.Message{Subject: "audit.default.events.x", Data: []byte("e")}

// TestAppendWithoutAnswer: a message whose answer does not come may be written; at a disconnect
// that is known at once; and what is sent while there is no connection is not written, then or
// later.
func TestAppendWithoutAnswer(t *testing.T) {
	over, direct, w, nc := wired(t)
	w.hold(true)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := over.Events.Append(ctx, event, nil); !errors.Is(err, store.ErrAmbiguous) ||
		!errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("no answer in time: %v, want ErrAmbiguous", err)
	}
	logtest.Until(t, "the message", func() bool { return lastSeq(t, direct.Events) == 1 })

	var waits []store.Pending
	for range 3 {
		p, err := over.Events.AppendAsync(t.Context(), event, nil)
		if err != nil {
			t.Fatal(err)
		}
		waits = append(waits, p)
	}
	logtest.Until(t, "the messages", func() bool { return lastSeq(t, direct.Events) == 4 })
	w.cut(true)
	for _, p := range waits {
		if _, err := p(t.Context()); !errors.Is(err, store.ErrAmbiguous) || errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("disconnected: %v, want ErrAmbiguous, and not by a time-out", err)
		}
	}
	logtest.Until(t, "the disconnect", func() bool { return !nc.IsConnected() })
	if _, err := over.Events.Append(t.Context(), event, nil); err == nil || errors.Is(err, store.ErrAmbiguous) {
		t.Fatalf("no connection: %v, want the certainty that nothing was written", err)
	}
	w.hold(false)
	w.cut(false)
	logtest.Until(t, "the connection", nc.IsConnected)
	if seq, err := over.Events.Append(t.Context(), event, nil); err != nil || seq != 5 {
		t.Fatalf("connected again: sequence %d, %v; want 5", seq, err)
	}
}

// TestReaderOverCuts: a reader whose connection is cut again and again, sometimes in the middle of
// a message, gives each message once.
func TestReaderOverCuts(t *testing.T) {
	over, direct, w, _ := wired(t)
	const n = 2000
	r, err := over.Events.Read(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	written := make(chan error, 1)
	go func() {
		for i := range n {
			m := entry.Message{
				Subject: "audit.default.events.x", Data: fmt.Appendf(nil, "%d %s", i+1, strings.Repeat("d", 10*i)),
			}
			if _, err := direct.Events.AppendAsync(t.Context(), m, nil); err != nil {
				written <- err
				return
			}
		}
		written <- nil
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for next, cuts := uint64(1), 0; next <= n; {
		list, err := r.Next(ctx, 50)
		if err != nil {
			t.Fatalf("at %d, after %d cuts: %v", next, cuts, err)
		}
		for _, m := range list {
			if m.Seq != next || !strings.HasPrefix(string(m.Data), fmt.Sprint(next, " ")) {
				t.Fatalf("sequence %d came as %.10q, want %d", m.Seq, m.Data, next)
			}
			next++
		}
		if int(next)/200 > cuts {
			cuts++
			w.cut(false)
		}
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	if again := r.(store.Reopener).Reopened(); again < 1 {
		t.Errorf("the reader says that it began again %d times", again)
	}
}

// TestStreamGoneBack: a server that comes back with an older copy of its store has lost what was
// read; the reader says so.
func TestStreamGoneBack(t *testing.T) {
	dir, old := t.TempDir(), t.TempDir()+"/old"
	s := start(t, dir, "127.0.0.1:0")
	l := open(t, s, streams.Config{Log: "default"})
	r, err := l.Events.Read(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	addr := strings.TrimPrefix(s.ClientURL(), "nats://")
	for seq := uint64(1); seq <= 10; seq++ {
		if _, err := l.Events.Append(t.Context(), event, nil); err != nil {
			t.Fatal(err)
		}
		if list, err := r.Next(t.Context(), 10); err != nil || len(list) != 1 || list[0].Seq != seq {
			t.Fatalf("sequence %d: %+v, %v", seq, list, err)
		}
		if seq == 5 {
			s.Shutdown()
			if err := os.CopyFS(old, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			s = start(t, dir, addr)
			waitFor(t, l)
		}
	}
	s.Shutdown()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, os.DirFS(old)); err != nil {
		t.Fatal(err)
	}
	start(t, dir, addr)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if list, err := r.Next(ctx, 10); err == nil || ctx.Err() != nil ||
		!strings.Contains(err.Error(), "ends at 5, after 10") {
		t.Fatalf("%+v, %v; want to be told that the stream has gone back", list, err)
	}
}

// TestStreamDeleted: a reader of a stream that somebody deletes fails; it does not wait for ever.
func TestStreamDeleted(t *testing.T) {
	s := start(t, t.TempDir(), "127.0.0.1:0")
	l := open(t, s, streams.Config{Log: "default"})
	r, err := l.Events.Read(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	_, js := logtest.Connect(t, s)
	failed := make(chan error, 1)
	go func() { _, err := r.Next(t.Context(), 1); failed <- err }()
	if err := js.DeleteStream(t.Context(), streams.EventsName("default")); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-failed:
		if err == nil || !strings.Contains(err.Error(), "stream not found") {
			t.Fatalf("Next: %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("Next goes on waiting")
	}
	if _, err := l.Events.Append(t.Context(), event, nil); !errors.Is(err, nats.ErrNoResponders) ||
		errors.Is(err, store.ErrAmbiguous) {
		t.Errorf("Append: %v, want the certainty that nobody took it", err)
	}
	if _, err := l.Events.Get(t.Context(), 1); err == nil || errors.Is(err, store.ErrNotFound) {
		t.Errorf("Get: %v; a stream that is gone is not a message that is", err)
	}
}

// TestRefusals: what is refused for other reasons is neither absent nor full.
func TestRefusals(t *testing.T) {
	l := open(t, start(t, t.TempDir(), "127.0.0.1:0"), streams.Config{Log: "default"})
	if _, err := l.Sealed.Append(t.Context(), entry.Message{Subject: "audit.default.sealed"}, nil); err != nil {
		t.Fatal(err)
	}
	if err := l.Sealed.(store.Purger).SecureDelete(t.Context(), 1); err == nil || errors.Is(err, store.ErrNotFound) {
		t.Errorf("SEALED denies deletes, but SecureDelete says %v", err)
	}
	if err := l.Payloads.(store.Purger).SecureDelete(t.Context(), 0); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("SecureDelete of 0: %v", err)
	}
	for name, m := range map[string]entry.Message{
		"too large":         {Subject: event.Subject, Data: make([]byte, 1<<20+1)},
		"no such subject":   {Subject: "audit.default.nothing"},
		"an empty subject":  {},
		"space in subject":  {Subject: "audit.default.events.a b"},
		"repeated id":       {Subject: "audit.default.sealed", Header: entry.Header{"Nats-Msg-Id": {"1"}}},
		"other stream":      {Subject: event.Subject, Header: entry.Header{"Nats-Expected-Stream": {"OTHER"}}},
		"rollup":            {Subject: event.Subject, Header: entry.Header{"Nats-Rollup": {"all"}}},
		"message with life": {Subject: event.Subject, Header: entry.Header{"Nats-TTL": {"1s"}}},
	} {
		stream := l.Events
		if name == "repeated id" { // EVENTS has no window for these
			stream = l.Sealed
			if _, err := stream.Append(t.Context(), m, nil); err != nil {
				t.Fatal(err)
			}
		}
		before := lastSeq(t, stream)
		_, err := stream.Append(t.Context(), m, nil)
		for _, no := range []error{store.ErrAmbiguous, store.ErrConflict, store.ErrFull, store.ErrNotFound} {
			if err == nil || errors.Is(err, no) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if after := lastSeq(t, stream); after != before {
			t.Errorf("%s: %v, but it was written", name, err)
		}
	}
}

// publishRaw says something to the server as a client that nobody wrote with care, and waits until it has been taken.
func publishRaw(t *testing.T, s *natsd.Server, subject string, headers ...string) {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(s.ClientURL(), "nats://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true}\r\n")
	for _, h := range headers {
		fmt.Fprintf(c, "HPUB %s %d %d\r\n%s\r\n", subject, len(h), len(h), h)
	}
	fmt.Fprintf(c, "PING\r\n")
	for buf, said := make([]byte, 4096), ""; !strings.Contains(said, "PONG"); {
		n, err := c.Read(buf)
		if said += string(buf[:n]); err != nil {
			t.Fatalf("after %q: %v", said, err)
		}
	}
}

// TestRawHeaders: whatever bytes an agent sends as headers, a reader and Get give the same message,
// before and after a restart; so the digest that is sealed is the one that is found again.
func TestRawHeaders(t *testing.T) {
	headers := []string{
		"NATS/1.0\r\n\r\n", "NATS/1.0 408 Request Timeout\r\n\r\n", "NATS/1.0 409 Consumer Deleted\r\nStatus: 100\r\n\r\n", "NATS/1.0 100\r\nNats-Consumer-Stalled: $JS.API.STREAM.PURGE.X\r\n\r\n",
		"NATS/1.0\r\nA: 1\r\na: 2\r\nA:3\r\nA:\t 4 \r\n\r\n", "NATS/1.0\r\nno colon\r\n\r\n", "NATS/1.0\r\n A: folded\r\n\r\n", "NATS/1.0\r\nA: b\r\n c\r\n\r\n",
		"NATS/1.0\r\nA : b\r\n\r\n", "NATS/1.0\r\n: b\r\n\r\n", "NATS/1.0\r\nA: b\nC: d\r\n\r\n", "NATS/1.0\r\nA: \x00\xff\r\n\r\n", "NATS/1.0\r\nA: b", "NATS/9.9\r\nA: b\r\n\r\n",
		"garbage", "\r\n\r\n", "NATS/1.0\r\nNats-Sequence: 1\r\nNats-Subject: audit.default.control\r\nNats-Time-Stamp: 2001-01-01T00:00:00Z\r\nNats-Stream: X\r\n\r\n",
	}
	dir := t.TempDir()
	s := start(t, dir, "127.0.0.1:0")
	l := open(t, s, streams.Config{Log: "default"})
	publishRaw(t, s, event.Subject, headers...)
	if _, err := l.Events.Append(t.Context(), entry.Message{Subject: event.Subject, Data: []byte("the last")},
		nil); err != nil {
		t.Fatal(err)
	}
	n := int(lastSeq(t, l.Events))
	if n != len(headers)+1 {
		t.Logf("the server took %d of %d", n-1, len(headers))
	}
	first := storetest.Collect(t, l.Events, 1, n)
	if m := first[n-1]; string(m.Data) != "the last" {
		t.Fatalf("the last message came as %+v", m)
	}
	s.Shutdown()
	s = start(t, dir, "127.0.0.1:0")
	l = open(t, s, streams.Config{Log: "default"})
	for i, m := range storetest.Collect(t, l.Events, 1, n) {
		got, err := l.Events.Get(t.Context(), m.Seq)
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range []entry.Message{first[i], got} {
			if other.Seq != uint64(i+1) || other.Subject != event.Subject || other.Digest() != m.Digest() ||
				!other.Time.Equal(m.Time) || time.Since(m.Time) > time.Hour {
				t.Errorf("header %q: %+v and %+v", headers[min(i, len(headers)-1)], m, other)
			}
		}
	}
}

// TestCloseFrees: what a reader had on the server goes with it.
func TestCloseFrees(t *testing.T) {
	s := start(t, t.TempDir(), "127.0.0.1:0")
	l := open(t, s, streams.Config{Log: "default"})
	_, js := logtest.Connect(t, s)
	consumers := func() int {
		s, err := js.Stream(t.Context(), streams.EventsName("default"))
		if err != nil {
			t.Fatal(err)
		}
		return s.CachedInfo().State.Consumers
	}
	for range 20 {
		r, err := l.Events.Read(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if n := consumers(); n < 1 {
			t.Fatalf("%d consumers with a reader open", n)
		}
		r.Close()
	}
	logtest.Until(t, "no consumers", func() bool { return consumers() == 0 })
}
