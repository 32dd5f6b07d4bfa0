package sealer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/sealer"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams"
)

// resize gives the streams limits, as an administrator does.
func (b *broker) resize(cfg streams.Config) {
	b.t.Helper()
	js, err := jetstream.New(b.nc)
	if err != nil {
		b.t.Fatal(err)
	}
	cfg.Log = logName
	if _, err := streams.Resize(b.t.Context(), js, cfg, false); err != nil {
		b.t.Fatal(err)
	}
}

// orphans are the messages on PAYLOADS that no batch names.
func (b *broker) orphans() (n int) {
	b.t.Helper()
	named := map[uint64]bool{}
	info, err := b.log.Sealed.Info(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	for _, m := range read(b.t, b.log.Sealed, info) {
		batch, err := sealedlog.ParseBatch(m)
		if err != nil {
			b.t.Fatal(err)
		}
		named[batch.Payloads] = true
	}
	if info, err = b.log.Payloads.Info(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	for _, m := range read(b.t, b.log.Payloads, info) {
		if !named[m.Seq] {
			n++
		}
	}
	return n
}

func read(t *testing.T, s store.Stream, info store.Info) (list []entry.Message) {
	t.Helper()
	for seq := info.First; seq <= info.Last; seq++ {
		m, err := s.Get(t.Context(), seq)
		if err == nil {
			list = append(list, m)
		} else if !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
	}
	return list
}

// TestFullStreams: a sealer for which SEALED or PAYLOADS has no room says so, leaves nothing on
// PAYLOADS that no batch names, loses nothing, and goes on by itself when the limit is raised.
func TestFullStreams(t *testing.T) {
	for _, c := range []struct {
		name  string
		small streams.Config
		data  int // bytes of each event's
	}{
		{"sealed", streams.Config{SealedMaxBytes: 64 << 10}, 100},
		{"sealed behind large payloads", streams.Config{SealedMaxBytes: 32 << 10}, 3000},
		{"payloads", streams.Config{PayloadsMaxBytes: 64 << 10}, 1000},
		{"payloads for a small batch behind a large one", streams.Config{PayloadsMaxBytes: 10 << 10}, 9000},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBroker(t)
			b.resize(c.small)
			for i := range 200 {
				data := c.data
				if i%7 == 6 {
					data = 10
				}
				b.publish(b.nc, "events.open",
					fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"did:a","type":"t","data":"%s"}`, i,
						strings.Repeat("x", data)), "content-type", "application/cloudevents+json")
			}
			s, stop := b.run(b.cfg)
			defer stop()
			for range 2 { // and again after it has looked for room
				logtest.Until(t, "the sealer is full", func() bool {
					return errors.Is(s.Status().Err, store.ErrFull) && !s.Status().Since.IsZero()
				})
				time.Sleep(1200 * time.Millisecond)
				if n := b.orphans(); n > 0 {
					t.Errorf("%d orphans on PAYLOADS", n)
				}
			}
			b.resize(streams.Config{SealedMaxBytes: 64 << 20, PayloadsMaxBytes: 64 << 20})
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			b.drained(ctx)
			logtest.Until(t, "the sealer is well", func() bool { return s.Status().Err == nil })
			if report, entries := b.audit(); report.Size != 201 || len(entries) != 201 {
				t.Errorf("%d entries", report.Size)
			}
		})
	}
}

// refusing is a stream that refuses as if its account were full.
type refusing struct {
	store.Stream
	full atomic.Bool
	said atomic.Int64
}

func (r *refusing) Append(ctx context.Context, m entry.Message, expectLast *uint64) (uint64, error) {
	if r.full.Load() {
		r.said.Add(1)
		return 0, fmt.Errorf("account: %w", store.ErrFull)
	}
	return r.Stream.Append(ctx, m, expectLast)
}

// TestRefusedWithoutReason: where a refusal has a reason that no stream's limit shows, what was sent is withdrawn.
func TestRefusedWithoutReason(t *testing.T) {
	b := newBroker(t)
	r := &refusing{Stream: b.log.Sealed}
	log := *b.log
	log.Sealed = r
	cfg := b.cfg
	cfg.Log, cfg.MaxEntries = &log, 10
	for i := range 100 {
		b.publish(b.nc, "events.open",
			fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"did:a","type":"t","data":"x"}`, i), "content-type",
			"application/cloudevents+json")
	}
	r.full.Store(true)
	s, stop := b.run(cfg)
	defer stop()
	logtest.Until(t, "the sealer is refused", func() bool { return errors.Is(s.Status().Err, store.ErrFull) })
	logtest.Until(t, "nothing is left behind", func() bool { return b.orphans() == 0 })
	if r.said.Load() != 1 {
		t.Errorf("it was refused %d times", r.said.Load())
	}
}

// run runs a sealer until stop.
func (b *broker) run(cfg sealer.Config) (s *sealer.Sealer, stop func()) {
	b.t.Helper()
	s, err := sealer.New(cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return s, func() {
		cancel()
		if err := <-done; err != nil {
			b.t.Error(err)
		}
	}
}

// TestTrimWhenTight: a small EVENTS does not fill up with what is sealed, and nobody is refused for long.
func TestTrimWhenTight(t *testing.T) {
	b := newBroker(t)
	b.resize(streams.Config{EventsMaxBytes: 64 << 10})
	cfg := b.cfg
	cfg.KeepEvents = false
	s, stop := b.run(cfg)
	defer stop()
	logtest.Until(t, "the log is open", func() bool { return s.Status().Size > 0 })
	for i := range 30 { // 4 KiB each: twice the limit
		start := time.Now()
		for {
			m := entry.Message{Subject: "audit." + logName + ".events.open", Header: entry.Header{
				"content-type": {"application/cloudevents+json"},
			},
				Data: fmt.Appendf(nil, `{"specversion":"1.0","id":"%d","source":"did:a","type":"t","data":"%s"}`, i,
					strings.Repeat("x", 4<<10))}
			if _, err := b.log.Events.Append(t.Context(), m, nil); err == nil {
				break
			} else if !errors.Is(err, store.ErrFull) || time.Since(start) > 4*time.Second {
				t.Fatalf("event %d: %v after %s", i, err, time.Since(start))
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}
