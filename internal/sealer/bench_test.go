package sealer

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// benchEvents are n events of about 1 KiB, each in a message of its own, or grouped as ingest groups them.
func benchEvents(n, group int) []entry.Message {
	data := fmt.Sprintf(`{"tool":"search","query":%q,"nanos":1732400000123456789}`,
		strings.Repeat("flights to Zurich ", 40))
	var list []entry.Message
	for i := 0; i < n; i += group {
		m := entry.Message{
			Subject: "audit." + testLog + "." + tokenSubject("did:a"), Data: []byte(event(fmt.Sprint(i), data)),
		}
		if group > 1 {
			m.Subject, m.Data = "audit."+testLog+".batch.i", []byte("[")
			for k := range group {
				m.Data = append(m.Data, `{"event":`+event(fmt.Sprint(i+k), data)+`,"publisher":"a"},`...)
			}
			m.Data[len(m.Data)-1] = ']'
		}
		m.Seq, m.Time = uint64(len(list)+2), time.Unix(1732400000, int64(i)).UTC()
		list = append(list, m)
	}
	return list
}

func perSecond(b *testing.B, events int) {
	b.ReportMetric(float64(events)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkPrepare is the part that workers do side by side: for one event, for a message of ingest,
// and for one that ingest has handed over. The last one includes what ingest does for that, without
// parsing and redaction.
func BenchmarkPrepare(b *testing.B) {
	id := identity{
		logName: testLog, origin: testSigner.Origin(), secret: testSecret, redact: defaultSet, rules: ruleset.Newest,
	}
	const n = 64
	m := benchEvents(n, n)[0]
	list, err := inbox.ParseRecords(m.Data)
	if err != nil {
		b.Fatal(err)
	}
	parsed := make([]*inbox.Parsed, n)
	for i := range list {
		parsed[i] = parsedBy(list[i].Record.Event, ruleset.Newest, defaultSet, true)
	}
	h := &inbox.Handover{}
	handed := id
	handed.handed = (&Sealer{cfg: Config{Handover: h}}).handed
	for _, c := range []struct {
		name   string
		m      entry.Message
		events int
		do     func(entry.Message)
	}{
		{"one event", benchEvents(1, 1)[0], 1, func(m entry.Message) { id.prepare(m, 1) }},
		{"64 events", m, n, func(m entry.Message) { id.prepare(m, 1) }},
		{"64 events handed over", m, n, func(m entry.Message) {
			g := h.NewGroup(n)
			records := make([]inbox.Record, n)
			for i := range list {
				records[i] = list[i].Record
			}
			body := appendRecords(records, func(start, end int, _ []byte, i int) { g.Add(start, end, records[i], parsed[i]) })
			h.Offer(g, m.Subject, body)
			handed.prepare(m, 1)
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.m.Data)))
			for b.Loop() {
				c.do(c.m)
			}
			perSecond(b, c.events)
		})
	}
	if h.Taken() == 0 {
		b.Error("nothing was handed over")
	}
}

// BenchmarkSequence is the part that is done in order: window, chain, tree, batches, payload records.
func BenchmarkSequence(b *testing.B) {
	id := identity{logName: testLog, origin: testSigner.Origin(), secret: testSecret}
	const n = 4096
	messages := benchEvents(n, 1)
	list := make([]prepared, n)
	for i := range list {
		list[i] = id.prepare(messages[i], 1)
	}
	for b.Loop() {
		st := &state{
			identity: id, keys: []string{testSigner.VerifierKey()}, size: 1, epoch: 1,
			config: &entry.Config{Keys: []string{testSigner.VerifierKey()}},
			window: newWindow(ruleset.WindowSize, windowSlack, 0),
		}
		q := &sequencer{
			state: st, limits: batchLimits{256, 512 << 10, 768 << 10}, signer: testSigner,
			emit: func(*batch) error { return nil },
		}
		for i := range list {
			if err := q.message(list[i]); err != nil {
				b.Fatal(err)
			}
		}
	}
	perSecond(b, n)
}

// BenchmarkPipeline is all of it, over a log in memory.
func BenchmarkPipeline(b *testing.B) {
	for _, group := range []int{1, 64} {
		b.Run(fmt.Sprintf("%d in a message", group), func(b *testing.B) {
			const n = 1 << 14
			messages := benchEvents(n, group)
			for b.Loop() {
				b.StopTimer()
				log := store.NewMemory(testLog)
				cfg := Config{Log: log, Signer: testSigner, Secret: testSecret, KeepEvents: true}
				if err := Create(b.Context(), cfg, true); err != nil {
					b.Fatal(err)
				}
				for _, m := range messages {
					if _, err := log.Events.Append(b.Context(), m, nil); err != nil {
						b.Fatal(err)
					}
				}
				s, err := New(cfg)
				if err != nil {
					b.Fatal(err)
				}
				ctx, cancel := context.WithCancel(b.Context())
				ended := make(chan error, 1)
				b.StartTimer()
				go func() { ended <- s.Run(ctx) }()
				for s.Status().Size < n+1 {
					time.Sleep(100 * time.Microsecond)
				}
				b.StopTimer()
				cancel()
				if err := <-ended; err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
			perSecond(b, n)
		})
	}
}

// BenchmarkStart is the time until a sealer goes on with a log of a little more than a window: from
// a snapshot, as it is after kill -9 at full load, and from the log alone.
func BenchmarkStart(b *testing.B) {
	const entries, behind = ruleset.WindowSize + 100_000, 60_000
	dir := b.TempDir()
	log := store.NewMemory(testLog)
	cfg := Config{
		Log: log, Signer: testSigner, Secret: testSecret, Mark: filepath.Join(dir, "checkpoint"),
		Snapshot: filepath.Join(dir, "snapshot"),
	}
	grow := func(to uint64) {
		s, err := New(cfg)
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(b.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		for s.Status().Size < to {
			if info, err := log.Events.Info(ctx); err != nil || info.Last > s.Status().InputSeq+100 {
				time.Sleep(time.Millisecond)
				continue
			}
			if _, err := log.Events.Append(ctx, smallGroup(), nil); err != nil {
				b.Fatal(err)
			}
		}
		cancel()
		if err := <-ended; err != nil {
			b.Fatal(err)
		}
	}
	if err := Create(b.Context(), cfg, true); err != nil {
		b.Fatal(err)
	}
	grow(entries - behind)
	snapshot := cfg.Snapshot
	cfg.Snapshot = "" // the newest one stays behind
	grow(entries)
	for _, cfg.Snapshot = range []string{snapshot, ""} {
		name := "snapshot"
		if cfg.Snapshot == "" {
			name = "log alone"
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s, err := New(cfg)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := s.open(b.Context()); err != nil {
					b.Fatal(err)
				}
				if used := s.tail.restore != nil; used != (name == "snapshot") {
					b.Fatalf("a snapshot was used: %v", used)
				}
			}
		})
	}
}

var groups atomic.Uint64

// smallGroup is a message of 256 small events that nobody published before.
func smallGroup() entry.Message {
	n := groups.Add(1)
	data := []byte("[")
	for k := range 256 {
		data = append(data, `{"event":`+event(fmt.Sprint(n, "-", k), "1")+`},`...)
	}
	data[len(data)-1] = ']'
	return entry.Message{Subject: "audit." + testLog + ".batch.i", Data: data}
}
