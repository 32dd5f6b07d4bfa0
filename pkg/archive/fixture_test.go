package archive_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sealstream/sealstream/pkg/archive"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/internal/natsd"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/sealer"
	"github.com/sealstream/sealstream/pkg/store"
	"github.com/sealstream/sealstream/pkg/store/natsstore"
	"github.com/sealstream/sealstream/streams"
)

const (
	bound  = 60 * time.Second // no test waits longer
	leaves = 256              // of a segment
)

// fixture is a log with its key, and how many entries are sealed in it.
type fixture struct {
	*testing.T
	log    *store.Log
	signer *proof.Signer
	key    string
	events int
	size   uint64
}

func newFixture(t *testing.T, log *store.Log) *fixture {
	t.Helper()
	skey, vkey, err := proof.GenerateKey("archive.example.com", log.Name)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := proof.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{T: t, log: log, signer: signer, key: vkey}
	if err := sealer.Create(t.Context(), f.sealerConfig(log), true); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) sealerConfig(log *store.Log) sealer.Config {
	return sealer.Config{Log: log, Signer: f.signer, Secret: bytes.Repeat([]byte{7}, 32), MaxEntries: 50}
}

// memory is a fixture of a log in memory; onNATS of one on JetStream.
func memory(t *testing.T) *fixture { return newFixture(t, store.NewMemory("default")) }

func onNATS(t *testing.T) *fixture { return newFixture(t, openNATS(t)) }

func openNATS(t *testing.T) *store.Log {
	t.Helper()
	s, err := natsd.Start(t.Context(), natsd.Config{StoreDir: t.TempDir(), InProcess: true, Relaxed: true, Log: "default"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	nc, err := s.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js := jetStream(t, nc)
	if err := streams.Ensure(t.Context(), js, streams.Config{Log: "default"}); err != nil {
		t.Fatal(err)
	}
	log, err := natsstore.Open(t.Context(), nc, streams.Config{Log: "default"})
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// seal publishes n events, most of them with data, and seals them through the given log.
func (f *fixture) seal(log *store.Log, n int) {
	f.Helper()
	var events []json.RawMessage
	for range n {
		e := fmt.Sprintf(`{"specversion":"1.0","id":"e%d","source":"did:web:agent-%d.example","type":"tool_invocation","subject":"/r/%d","action":"allow"`, f.events, f.events%7, f.events%13)
		if f.events%5 != 0 {
			e += fmt.Sprintf(`,"datacontenttype":"application/json","data":{"n":%d,"text":"some data of an event"}`, f.events)
		}
		events = append(events, json.RawMessage(e+"}"))
		f.events++
		if len(events) == 100 {
			f.publish("events.open", events)
			events = nil
		}
	}
	if len(events) > 0 {
		f.publish("events.open", events)
	}
	f.run(log)
}

func (f *fixture) publish(subject string, events any) {
	f.Helper()
	body, err := json.Marshal(events)
	if err != nil {
		f.Fatal(err)
	}
	if _, err := f.log.Events.Append(f.Context(), entry.Message{Subject: "audit.default." + subject, Data: body}, nil); err != nil {
		f.Fatal(err)
	}
}

// run seals what is published.
func (f *fixture) run(log *store.Log) {
	f.Helper()
	s, err := sealer.New(f.sealerConfig(log))
	if err != nil {
		f.Fatal(err)
	}
	info, err := f.log.Events.Info(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	stop := f.start("sealer", s.Run)
	f.until("all is sealed", func() bool {
		m, err := f.log.Sealed.Last(f.Context(), "audit.default.sealed")
		b, bad := proof.ParseBatch(m)
		f.size = b.Size
		return err == nil && bad == nil && b.Input.Seq == info.Last && b.Input.Place == proof.PlaceEnd
	})
	stop()
}

// erase seals an erasure of indexes.
func (f *fixture) erase(log *store.Log, indexes ...uint64) {
	f.Helper()
	d := entry.Erasure{Indexes: indexes, Reason: "asked for", Authority: "the person concerned"}
	body := entry.FormatControl(uuid.NewString(), f.signer.Origin(), entry.TypeErasure, d.AppendJSON(nil))
	if _, err := f.log.Events.Append(f.Context(), entry.Message{Subject: "audit.default.control", Data: body}, nil); err != nil {
		f.Fatal(err)
	}
	f.run(log)
}

// start runs a part until it is stopped or the test ends.
func (f *fixture) start(name string, part func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := part(ctx); err != nil {
			f.Errorf("%s: %v", name, err)
		}
	}()
	stop = func() { cancel(); <-done }
	f.Cleanup(stop)
	return stop
}

func (f *fixture) until(what string, holds func() bool) {
	f.Helper()
	for end := time.Now().Add(bound); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			f.Fatalf("not within %s: %s", bound, what)
		}
	}
}

func (f *fixture) config(trim uint64) archive.Config {
	return archive.Config{Archive: archive.New(f.log), Keys: []string{f.key}, SegmentLeaves: leaves, TrimSealed: trim}
}

// archive runs an archiver until all full segments are written, and gives its status.
func (f *fixture) archive(trim uint64) archive.Status {
	f.Helper()
	return f.archiveWith(f.config(trim))
}

func (f *fixture) archiveWith(cfg archive.Config) archive.Status {
	f.Helper()
	x, err := archive.NewArchiver(cfg)
	if err != nil {
		f.Fatal(err)
	}
	stop := f.start("archiver", x.Run)
	defer stop()
	f.until(fmt.Sprintf("%d segments", f.size/leaves), func() bool { return x.Status().Segments >= f.size/leaves || x.Status().Err != nil })
	return x.Status()
}

// well fails the test where the archiver has trouble.
func (f *fixture) well(s archive.Status) {
	f.Helper()
	if s.Err != nil {
		f.Fatal(s.Err)
	}
}

func (f *fixture) verify() (archive.Report, error) {
	return archive.Verify(f.Context(), f.log, proof.AuditConfig{Keys: []string{f.key}})
}

// object reads an object of the archive; put writes it.
func (f *fixture) object(name string) []byte {
	f.Helper()
	r, err := f.log.Archive.Open(f.Context(), name)
	if err != nil {
		f.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		f.Fatal(err)
	}
	return b
}

func (f *fixture) put(name string, b []byte) {
	f.Helper()
	if err := f.log.Archive.Put(f.Context(), name, bytes.NewReader(b)); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) has(name string) bool {
	_, err := f.log.Archive.Open(f.Context(), name)
	return !errors.Is(err, store.ErrNotFound)
}

// messages reads all messages of a SEALED up to its present end.
func (f *fixture) messages(log *store.Log) []entry.Message {
	f.Helper()
	info, err := log.Sealed.Info(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	var list []entry.Message
	for m, err := range store.Ahead(f.Context(), log.Sealed, 1, info.Last, func(m entry.Message) entry.Message { return m }) {
		if err != nil {
			f.Fatal(err)
		}
		list = append(list, m)
	}
	return list
}
