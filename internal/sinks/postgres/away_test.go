package pgsink_test

import (
	"context"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/sinks/postgres"
	"github.com/sealstream/sealstream/internal/sinks/postgres/pgtest"
	"github.com/sealstream/sealstream/internal/sinks/run"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/sink"
)

// away is how long Postgres is away: a moment, or as SEALSTREAM_AWAY says.
func away() time.Duration {
	d, _ := time.ParseDuration(os.Getenv("SEALSTREAM_AWAY"))
	return d
}

// TestAway: Postgres crashes and stays away while the log goes on. The sink says so, tries again by
// itself, and catches up; later it has its rows forget what was erased from the log.
func TestAway(t *testing.T) {
	c, owner := pgtest.Database(t)
	url := c.Writer(t, owner)
	s := logtest.Memory(t)
	cfg := sinkrun.Config{Log: s.Store, Keys: []string{s.Key},
		Sink: sink.Spec{Name: "pg", Open: func(ctx context.Context) (sink.Sink, error) {
			return pgsink.Open(ctx, pgsink.Config{URL: url, Owner: owner})
		}}}
	if away() == 0 {
		cfg.Pause = 200 * time.Millisecond
	}
	r, err := sinkrun.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	size := s.Grow(300)
	stop := logtest.Run(t, "sink", r.Run)
	logtest.Until(t, "the first entries", func() bool { return r.Status().Next == size })

	c.Stop(syscall.SIGQUIT)
	gone := time.Now()
	size = s.Grow(1500)
	logtest.Until(t, "failures", func() bool { return r.Status().Failures >= 4 && time.Since(gone) >= away() })
	if st := r.Status(); st.Err == "" || st.Next == size {
		t.Errorf("while Postgres is away: %+v", st)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	back := time.Now()
	logtest.Until(t, "the sink to catch up", func() bool { st := r.Status(); return st.Next == size && st.Err == "" })
	t.Logf("away for %v with %d failures; %d entries caught up %v after it was back",
		back.Sub(gone).Round(time.Millisecond), r.Status().Failures, size-301, time.Since(back).Round(time.Millisecond))

	d := &entry.Erasure{Indexes: []uint64{7, 1000}, Reason: "asked for", Authority: "dpo"}
	s.Control("erase", entry.TypeErasure, d.AppendJSON(nil))
	size = s.Grow(10)
	logtest.Until(t, "the end", func() bool { return r.Status().Next == size })
	stop()
	compare(s, open(t, pgsink.Config{URL: url}), size)
	if n := pgtest.Count(t, url,
		"SELECT count(*) FROM sealstream.entries WHERE data_raw IS NULL AND data IS NULL AND salt IS NULL AND "+
			"index IN (7, 1000)"); n != 2 {
		t.Errorf("%d of 2 rows were erased", n)
	}
	if n := pgtest.Count(t, url,
		"SELECT count(*) FROM sealstream.entries WHERE data ->> 'secret' LIKE 's-%'"); n != int64(s.Events)-2 {
		t.Errorf("%d rows have their data, want %d", n, s.Events-2)
	}
}

// compare holds the rows against the log's own entries.
func compare(s *logtest.Fixture, rows *pgsink.Sink, size uint64) {
	s.Helper()
	var list []sink.Record
	for e, err := range store.Follow(s.Context(), s.Store, 0, s.Key) {
		if err != nil {
			s.Fatal(err)
		}
		if list = append(list, sink.Record{Entry: e}); uint64(len(list)) == size {
			break
		}
	}
	holdsAll(s, rows, list)
}
