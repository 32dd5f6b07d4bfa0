package sealer_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/logtest/keytest"
	"github.com/sealstream/sealstream/internal/natsd"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/sealer"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/streams"
	"github.com/sealstream/sealstream/streams/subject"
)

// The same races as in the simulation, on a real JetStream.

const logName = "race"

// broker is an embedded server with a log that was created.
type broker struct {
	t      *testing.T
	server *natsd.Server
	nc     *nats.Conn
	log    *store.Log
	cfg    sealer.Config
}

func newBroker(t *testing.T) *broker {
	t.Helper()
	server := logtest.Server(t, natsd.Config{Log: logName, Relaxed: true})
	b := &broker{t: t, server: server}
	b.nc, b.log = b.connect()
	signer := keytest.Signer(t, "test.example", logName)
	b.cfg = sealer.Config{Log: b.log, Signer: signer, Secret: []byte(strings.Repeat("s", 32)), KeepEvents: true}
	if err := sealer.Create(t.Context(), b.cfg, true); err != nil {
		t.Fatal(err)
	}
	return b
}

// connect opens the log on a connection of its own, as another process does.
func (b *broker) connect() (*nats.Conn, *store.Log) {
	b.t.Helper()
	return logtest.Open(b.t, b.server, streams.Config{
		Log: logName, EventsMaxBytes: 256 << 20, SealedMaxBytes: 512 << 20, PayloadsMaxBytes: 512 << 20,
	})
}

// publish publishes as any NATS client does, and wants JetStream's acknowledgement.
func (b *broker) publish(nc *nats.Conn, subject, body string, header ...string) uint64 {
	b.t.Helper()
	m := &nats.Msg{Subject: "audit." + logName + "." + subject, Data: []byte(body), Header: nats.Header{}}
	for i := 0; i < len(header); i += 2 {
		m.Header[header[i]] = []string{header[i+1]}
	}
	js, err := jetstream.New(nc)
	if err != nil {
		b.t.Fatal(err)
	}
	ack, err := js.PublishMsg(b.t.Context(), m)
	if err != nil {
		b.t.Fatalf("publish on %s: %v", subject, err)
	}
	return ack.Sequence
}

// newest is the newest message on SEALED, and what it holds; nothing if there is none.
func (b *broker) newest(ctx context.Context) (entry.Message, sealedlog.Batch) {
	b.t.Helper()
	m, err := b.log.Sealed.Last(ctx, subject.Sealed(logName))
	if errors.Is(err, store.ErrNotFound) {
		return m, sealedlog.Batch{}
	} else if err != nil {
		b.t.Fatal(err)
	}
	batch, err := sealedlog.ParseBatch(m)
	if err != nil {
		b.t.Fatal(err)
	}
	return m, batch
}

// drained waits until all of EVENTS is sealed.
func (b *broker) drained(ctx context.Context) {
	b.t.Helper()
	for ctx.Err() == nil {
		end, _, err := store.End(ctx, b.log.Events)
		if err != nil {
			b.t.Fatal(err)
		}
		if _, batch := b.newest(ctx); batch.Input.Seq == end && batch.Input.Place == sealedlog.PlaceEnd {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	b.t.Fatal("EVENTS is not sealed to its end in time")
}

func (b *broker) audit(known ...proof.Checkpoint) (audit.Report, []entry.Entry) {
	b.t.Helper()
	r, err := store.Audit(b.t.Context(), b.log, audit.Config{Keys: []string{b.cfg.Signer.VerifierKey()}, Known: known})
	if err != nil {
		b.t.Fatalf("audit: %v", err)
	}
	var list []entry.Entry
	for s, err := range (store.Follower{Log: b.log, Stop: true}).Batches(b.t.Context()) {
		if err != nil {
			b.t.Fatal(err)
		}
		list = append(list, s.Entries...)
	}
	return r, list
}

func ev(source, id, data string) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":%q,"type":"ai.agentmesh.tool.invoked","data":%s}`, id,
		source, data)
}

// racer runs sealers of one host one after the other, each killed after a while.
func (b *broker) racer(ctx context.Context, n, entries int, lives, conflicts *atomic.Uint64) error {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	_, log := b.connect()
	cfg := b.cfg
	cfg.Log, cfg.MaxEntries, cfg.Mark = log, entries, filepath.Join(b.t.TempDir(), "mark")
	for ctx.Err() == nil {
		s, err := sealer.New(cfg)
		if err != nil {
			return err
		}
		life, kill := context.WithCancel(ctx)
		go func() { // a while after it has got to commit
			for most := 1 + r.Uint64N(200); life.Err() == nil && s.Status().Batches < most; {
				time.Sleep(time.Millisecond)
			}
			kill()
		}()
		err = s.Run(life)
		kill()
		if err != nil {
			return err
		}
		lives.Add(1)
		conflicts.Add(s.Status().Recovered)
	}
	return nil
}

// TestSealersRace: two sealers with different batches, which heed no lease, seal one log against
// each other, and are killed again and again. There is one log in the end: every event once, every
// payload opens, every checkpoint ever seen is of it (case 41 of conformance/cases_test.go).
func TestSealersRace(t *testing.T) {
	batches := uint64(2000)
	if testing.Short() {
		batches = 300
	}
	b := newBroker(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	racing, stop := context.WithCancel(ctx)
	var group sync.WaitGroup
	var lives, conflicts atomic.Uint64
	for n, entries := range []int{3, 7} {
		group.Go(func() {
			if err := b.racer(racing, n, entries, &lives, &conflicts); err != nil {
				t.Errorf("sealer %d: %v", n, err)
				cancel()
			}
		})
	}
	defer group.Wait()
	defer stop()
	var known []proof.Checkpoint
	published := 0
	for last := uint64(0); last < batches && ctx.Err() == nil; {
		body := "["
		for k := range 20 {
			body += `{"event":` + ev(fmt.Sprint("did:", k%5), fmt.Sprint(published), fmt.Sprint(published)) + `},`
			published++
		}
		if _, err := b.log.Events.Append(ctx,
			entry.Message{Subject: "audit." + logName + ".batch.i", Data: []byte(body[:len(body)-1] + "]")},
			nil); err != nil {
			t.Fatal(err)
		}
		if value, _, err := b.log.Head.Get(ctx, logName); err == nil {
			c, err := proof.OpenCheckpoint(value, b.cfg.Signer.VerifierKey())
			if err != nil {
				t.Fatal(err)
			}
			known = append(known, c)
		} else if !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
		for ctx.Err() == nil { // not too far ahead of them
			m, batch := b.newest(ctx)
			if last = m.Seq; uint64(published) <= batch.Size+300 {
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
	b.drained(ctx)
	stop()
	group.Wait()
	r, list := b.audit(known...)
	if len(r.Void) > 0 || r.Batches < batches || lives.Load() < 4 || conflicts.Load() < 10 || len(known) < 10 {
		t.Errorf("%d void, %d batches, %d lives, %d conflicts, %d checkpoints seen", len(r.Void), r.Batches,
			lives.Load(), conflicts.Load(), len(known))
	}
	seen := map[string]bool{}
	for _, e := range list[1:] {
		if !e.IsEvent() || seen[e.EntryID] {
			t.Fatalf("index %d: %s of id %s, seen %v", e.Index, e.EventType, e.EntryID, seen[e.EntryID])
		}
		seen[e.EntryID] = true
	}
	if len(seen) != published {
		t.Errorf("%d events sealed, %d published", len(seen), published)
	}
	if r.Payloads != uint64(published) || r.Erased > 0 { // the log's own config has none
		t.Errorf("%d of %d payloads open, %d are erased", r.Payloads, published, r.Erased)
	}
	t.Logf("%d batches of %d entries by %d sealers, %d payloads open, %d times the other was first; %d "+
		"checkpoints seen", r.Batches, r.Size, lives.Load(), r.Payloads, conflicts.Load(), len(known))
}

// TestHostilePublishers: what stops other readers of a stream, or swallows other people's messages,
// does neither here: everything is sealed, the victim's events as events, and the rest as rejected
// entries.
func TestHostilePublishers(t *testing.T) {
	b := newBroker(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, err := sealer.New(b.cfg)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	nc, err := nats.Connect(b.server.ClientURL()) // anonymous, as agents are
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	victim, mallory := "events."+subject.AgentToken("did:victim"), "events."+subject.AgentToken("did:mallory")
	var want []string
	say := func(kind, subject, body string, header ...string) {
		t.Helper()
		seq := b.publish(nc, subject, body, header...)
		want = append(want, fmt.Sprintf("%s %d", kind, seq))
	}
	for i, status := range []string{"100", "400", "404", "408", "409", "409", "423", "503"} {
		h := []string{"Status", status}
		if i == 5 {
			h = append(h, "Description", "Consumer Deleted")
		}
		say("rejected", mallory, "", h...)
		say("tool_invocation", victim, ev("did:victim", fmt.Sprint("a", i), "1"))
		say("rejected", mallory, "x", h...)
	}
	// Its id, stolen and used first.
	say("rejected", mallory, ev("did:victim", "stolen", "1"), "Nats-Msg-Id", "stolen")
	say("tool_invocation", victim, ev("did:victim", "stolen", "1"))
	say("rejected", mallory,
		`{"specversion":"1.0","id":"r","source":"did:mallory","type":"sealstream.config","data":{}}`)
	say("rejected", mallory, ev("did:mallory", "m", "1")[:30])
	say("rejected", "events.open",
		`{"specversion":"1.0","id":"r","source":"did:mallory","type":"ai.agentmesh.sealstream.gap"}`)
	say("tool_invocation", victim, ev("did:victim", "spoof", "1"), "Nats-Subject", "audit.race.control",
		"Nats-Sequence", "1", "Nats-Time-Stamp", "2001-01-01T00:00:00Z")
	say("tool_invocation", victim, ev("did:victim", "last", "1"))
	m := &nats.Msg{Subject: "audit." + logName + ".control", Data: []byte(ev("did:mallory", "c", "1"))}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	short, done := context.WithTimeout(ctx, 300*time.Millisecond)
	defer done()
	if ack, err := js.PublishMsg(short, m); err == nil {
		t.Errorf("an anonymous client may publish on control: %+v", ack)
	}
	wait, doneWaiting := context.WithTimeout(ctx, time.Minute)
	defer doneWaiting()
	b.drained(wait)
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	_, list := b.audit()
	var got []string
	for _, e := range list[1:] {
		got = append(got, fmt.Sprintf("%s %d", strings.TrimPrefix(e.EventType, ruleset.OwnPrefix), e.InputSeq))
		if e.IsEvent() && e.AgentDID != "did:victim" {
			t.Errorf("index %d: an event of %s", e.Index, e.AgentDID)
		}
		if e.ReceivedAt < "2020" {
			t.Errorf("index %d: received at %s", e.Index, e.ReceivedAt)
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
