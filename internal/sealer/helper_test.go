package sealer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/logtest/keytest"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/streams/subject"
)

const testLog = "test"

var (
	testSigner = signerOf(1)
	testSecret = []byte(strings.Repeat("s", 32))
)

// signerOf makes a signer whose key follows from a number, so that simulated logs are the same at every run.
func signerOf(n byte) *proof.Signer { return keytest.Fixed("test.example", testLog, n) }

// fixture is a log in memory, in a bubble of fake time.
type fixture struct {
	t   *testing.T
	log *store.Log
	cfg Config
}

// inBubble runs a test on an empty log, or on a created one.
func inBubble(t *testing.T, test func(t *testing.T, f *fixture)) {
	synctest.Test(t, func(t *testing.T) {
		log := store.NewMemory(testLog)
		test(t, &fixture{t: t, log: log, cfg: Config{
			Log: log, Signer: testSigner, Secret: testSecret, KeepEvents: true,
		}})
	})
}

func onLog(t *testing.T, test func(t *testing.T, f *fixture)) {
	inBubble(t, func(t *testing.T, f *fixture) {
		if err := Create(t.Context(), f.cfg, true); err != nil {
			t.Fatal(err)
		}
		test(t, f)
	})
}

// publish appends a message to EVENTS on a subject of the log.
func (f *fixture) publish(subject, body string, header ...string) uint64 {
	f.t.Helper()
	m := entry.Message{Subject: "audit." + testLog + "." + subject, Data: []byte(body)}
	for i := 0; i < len(header); i += 2 {
		if m.Header == nil {
			m.Header = entry.Header{}
		}
		m.Header[header[i]] = append(m.Header[header[i]], header[i+1])
	}
	seq, err := f.log.Events.Append(f.t.Context(), m, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	return seq
}

func (f *fixture) control(eventType string, detail interface{ AppendJSON([]byte) []byte }) uint64 {
	return f.publish("control",
		string(inbox.FormatControl("c", testSigner.Origin(), eventType, detail.AppendJSON(nil))))
}

// event is a structured event of agent `did:a`.
func event(id, data string) string { return eventOf("did:a", id, data) }

func eventOf(source, id, data string) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":%q,"type":"ai.agentmesh.tool.invoked","data":%s}`, id,
		source, data)
}

func tokenSubject(source string) string { return "events." + subject.AgentToken(source) }

// seal runs a sealer until nothing more is to be done, and returns why it stopped if it did so by itself.
func (f *fixture) seal(change ...func(*Config)) error {
	cfg := f.cfg
	for _, c := range change {
		c(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(f.t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	time.Sleep(30 * time.Second) // of the bubble: all is done that can be done
	select {
	case err := <-ended:
		if err == nil {
			f.t.Fatal("Run ended without an error")
		}
		return err
	default:
		cancel()
		return <-ended
	}
}

func (f *fixture) mustSeal(change ...func(*Config)) {
	f.t.Helper()
	if err := f.seal(change...); err != nil {
		f.t.Fatalf("seal: %v", err)
	}
}

func entriesOf(n int) func(*Config) { return func(c *Config) { c.MaxEntries = n } }

// audit checks the whole log with the oracle.
func (f *fixture) audit(known ...proof.Checkpoint) audit.Report {
	f.t.Helper()
	r, err := store.Audit(f.t.Context(), f.log, audit.Config{Keys: []string{testSigner.VerifierKey()}, Known: known})
	if err != nil {
		f.t.Fatalf("audit: %v", err)
	}
	if !r.DataChecked {
		f.t.Fatal("audit did not look at the data")
	}
	return r
}

// entries are all entries of the log.
func (f *fixture) entries() []entry.Entry {
	f.t.Helper()
	list, err := entriesIn(f.log)
	if err != nil {
		f.t.Fatal(err)
	}
	return list
}

func entriesIn(log *store.Log) ([]entry.Entry, error) {
	var list []entry.Entry
	for s, err := range (store.Follower{Log: log, Stop: true}).Batches(context.Background()) {
		if err != nil {
			return nil, err
		}
		list = append(list, s.Entries...)
	}
	return list, nil
}

// line tells an entry in short: what it is, and from where.
func line(e entry.Entry) string {
	at := fmt.Sprintf("%s %d/%d", strings.TrimPrefix(e.EventType, ruleset.OwnPrefix), e.InputSeq, e.Position)
	switch d := e.Detail.(type) {
	case *entry.Rejected:
		return fmt.Sprintf("%s [%s] %s", at, d.Field, d.Reason)
	case *entry.Duplicate:
		for _, o := range d.Originals {
			at += fmt.Sprintf(" %d=#%d", o.Position, o.Index)
		}
		return at
	case *entry.Equivocation:
		return fmt.Sprintf("%s %s of #%d", at, d.EntryID, d.Original)
	case *entry.Gap:
		return fmt.Sprintf("%s %d-%d", at, d.From, d.To)
	case *entry.Epoch:
		return fmt.Sprintf("%s epoch %d", at, d.Epoch)
	case nil:
		return at + " " + e.EntryID
	}
	return at
}

// expect compares the log, line by line.
func (f *fixture) expect(want ...string) []entry.Entry {
	f.t.Helper()
	list := f.entries()
	got := make([]string, len(list))
	for i, e := range list {
		got[i] = line(e)
	}
	if !slices.Equal(got, want) {
		f.t.Fatalf("log is\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	return list
}

// stored are the messages of a stream.
func stored(t testing.TB, s store.Stream) []entry.Message {
	t.Helper()
	info, err := s.Info(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var list []entry.Message
	for seq := info.First; seq <= info.Last; seq++ {
		if m, err := s.Get(context.Background(), seq); err == nil {
			list = append(list, m)
		}
	}
	return list
}

// again seals a copy of what EVENTS is, with other limits, in an empty log: the leaves must be the same.
func (f *fixture) again(entries int) {
	f.t.Helper()
	root := f.audit().Root
	info, err := f.log.Events.Info(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	copied := &fixture{t: f.t, log: store.NewMemory(testLog), cfg: f.cfg}
	copied.log.Events = store.NewMemoryStreamOf(info.Created, stored(f.t, f.log.Events))
	copied.cfg.Log, copied.cfg.Mark, copied.cfg.Snapshot = copied.log, "", ""
	copied.mustSeal(entriesOf(entries))
	if r := copied.audit(); r.Root != root {
		f.t.Fatalf("sealed again with %d entries a batch: another root of %d entries", entries, r.Size)
	}
}
