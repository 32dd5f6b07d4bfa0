package pgsink_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/sealer"
	"github.com/sealstream/sealstream/pkg/sink"
	"github.com/sealstream/sealstream/pkg/sink/pgsink"
	"github.com/sealstream/sealstream/pkg/sink/pgsink/pgtest"
	"github.com/sealstream/sealstream/pkg/store"
)

// source is a log that goes on being sealed.
type source struct {
	testing.TB
	log *store.Log
	cfg sealer.Config
	key string
	n   int
}

func newSource(t testing.TB) *source {
	t.Helper()
	log := store.NewMemory("default")
	skey, _, err := proof.GenerateKey("sink.example.com", log.Name)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := proof.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	s := &source{TB: t, log: log, key: signer.VerifierKey()}
	s.cfg = sealer.Config{Log: log, Signer: signer, Secret: bytes.Repeat([]byte{7}, 32), KeepEvents: true}
	if err := sealer.Create(t.Context(), s.cfg, true); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *source) run(part func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := part(ctx); err != nil {
			s.Error(err)
		}
	}()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	s.Cleanup(stop)
	return stop
}

func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(90 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waiting for %s", what)
		}
	}
}

// seal publishes events and seals them; it returns the size of the log.
func (s *source) seal(n int) uint64 {
	s.Helper()
	for range n {
		m := entry.Message{Subject: "audit.default.events.open", Data: fmt.Appendf(nil,
			`{"specversion":"1.0","id":"e%d","source":"did:web:agent","type":"ai.agentmesh.tool.invoked","data":{"secret":"s-%d"}}`, s.n, s.n)}
		s.append(m)
		s.n++
	}
	one, err := sealer.New(s.cfg)
	if err != nil {
		s.Fatal(err)
	}
	stop := s.run(one.Run)
	until(s, "the sealer to come to the end", func() bool {
		info, err := s.log.Events.Info(s.Context())
		return err == nil && one.Status().InputSeq >= info.Last && one.Status().Size > 0
	})
	stop()
	return one.Status().Size
}

func (s *source) append(m entry.Message) {
	s.Helper()
	if _, err := s.log.Events.Append(s.Context(), m, nil); err != nil {
		s.Fatal(err)
	}
}

// away is how long Postgres is away: a moment, or as SEALSTREAM_AWAY says.
func away() time.Duration {
	d, _ := time.ParseDuration(os.Getenv("SEALSTREAM_AWAY"))
	return d
}

// TestAway: Postgres crashes and stays away while the log goes on. The sink says so, tries again by itself, and catches up; later it has its rows forget
// what was erased from the log.
func TestAway(t *testing.T) {
	c, owner := pgtest.Database(t)
	url := c.Writer(t, owner)
	s := newSource(t)
	cfg := sink.Config{Log: s.log, Keys: []string{s.key}, Sink: sink.Spec{Name: "pg", Open: func(ctx context.Context) (sink.Sink, error) {
		return pgsink.Open(ctx, pgsink.Config{URL: url, Owner: owner})
	}}}
	if away() == 0 {
		cfg.Pause = 200 * time.Millisecond
	}
	r, err := sink.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	size := s.seal(300)
	stop := s.run(r.Run)
	until(t, "the first entries", func() bool { return r.Status().Next == size })

	c.Stop(syscall.SIGQUIT)
	gone := time.Now()
	size = s.seal(1500)
	until(t, "failures", func() bool { return r.Status().Failures >= 4 && time.Since(gone) >= away() })
	if st := r.Status(); st.Err == "" || st.Next == size {
		t.Errorf("while Postgres is away: %+v", st)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	back := time.Now()
	until(t, "the sink to catch up", func() bool { st := r.Status(); return st.Next == size && st.Err == "" })
	t.Logf("away for %v with %d failures; %d entries caught up %v after it was back", back.Sub(gone).Round(time.Millisecond), r.Status().Failures, size-301, time.Since(back).Round(time.Millisecond))

	d := &entry.Erasure{Indexes: []uint64{7, 1000}, Reason: "asked for", Authority: "dpo"}
	s.append(entry.Message{Subject: "audit.default.control", Data: entry.FormatControl("urn:admin", "erase", entry.TypeErasure, d.AppendJSON(nil))})
	size = s.seal(10)
	until(t, "the end", func() bool { return r.Status().Next == size })
	stop()
	s.compare(open(t, pgsink.Config{URL: url}), size)
	if n := pgtest.Count(t, url, "SELECT count(*) FROM sealstream.entries WHERE data_raw IS NULL AND data IS NULL AND salt IS NULL AND index IN (7, 1000)"); n != 2 {
		t.Errorf("%d of 2 rows were erased", n)
	}
	if n := pgtest.Count(t, url, "SELECT count(*) FROM sealstream.entries WHERE data ->> 'secret' LIKE 's-%'"); n != int64(s.n)-2 {
		t.Errorf("%d rows have their data, want %d", n, s.n-2)
	}
}

// compare holds the rows against the log's own entries.
func (s *source) compare(rows *pgsink.Sink, size uint64) {
	s.Helper()
	var list []sink.Record
	for e, err := range store.Follow(s.Context(), s.log, 0, s.key) {
		if err != nil {
			s.Fatal(err)
		}
		if list = append(list, sink.Record{Entry: e}); uint64(len(list)) == size {
			break
		}
	}
	holdsAll(s, rows, list)
}
