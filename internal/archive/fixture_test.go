package archive_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/google/uuid"

	"github.com/sealstream/sealstream/internal/archive"
	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/sealer"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

const leaves = 256 // of a segment

// fixture is a log with its key, and how many entries are sealed in it.
type fixture struct {
	*testing.T
	log    *store.Log
	signer *proof.Signer
	key    string
	former []string // keys that the signer no longer has
	events int
	size   uint64
}

func newFixture(t *testing.T, log *store.Log) *fixture {
	t.Helper()
	l := logtest.New(t, log, func(c *sealer.Config) { c.MaxEntries, c.KeepEvents = 50, false })
	return &fixture{T: t, log: log, signer: l.Config.Signer, key: l.Key}
}

func (f *fixture) sealerConfig(log *store.Log) sealer.Config {
	return sealer.Config{Log: log, Signer: f.signer, Keys: f.former, Secret: logtest.Secret, MaxEntries: 50}
}

// memory is a fixture of a log in memory; onNATS of one on JetStream.
func memory(t *testing.T) *fixture { return newFixture(t, store.NewMemory("default")) }

func onNATS(t *testing.T) *fixture { return newFixture(t, logtest.OnNATS(t)) }

// seal publishes n events, most of them with data, and seals them through the given log.
func (f *fixture) seal(log *store.Log, n int) {
	f.Helper()
	var events []json.RawMessage
	for range n {
		e := fmt.Sprintf(`{"specversion":"1.0","id":"e%d","source":"did:web:agent-%d.example",`+
			`"type":"tool_invocation","subject":"/r/%d","action":"allow"`, f.events, f.events%7, f.events%13)
		if f.events%5 != 0 {
			e += fmt.Sprintf(`,"datacontenttype":"application/json","data":{"n":%d,"text":"some data of an event"}`,
				f.events)
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
	if _, err := f.log.Events.Append(f.Context(), entry.Message{Subject: "audit.default." + subject, Data: body},
		nil); err != nil {
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
	stop := logtest.Run(f, "sealer", s.Run)
	logtest.Until(f, "all is sealed", func() bool {
		m, err := f.log.Sealed.Last(f.Context(), "audit.default.sealed")
		b, bad := sealedlog.ParseBatch(m)
		f.size = b.Size
		return err == nil && bad == nil && b.Input.Seq == info.Last && b.Input.Place == sealedlog.PlaceEnd
	})
	stop()
}

// erase seals an erasure of indexes.
func (f *fixture) erase(log *store.Log, indexes ...uint64) {
	f.Helper()
	d := entry.Erasure{Indexes: indexes, Reason: "asked for", Authority: "the person concerned"}
	body := inbox.FormatControl(uuid.NewString(), f.signer.Origin(), entry.TypeErasure, d.AppendJSON(nil))
	if _, err := f.log.Events.Append(f.Context(), entry.Message{Subject: "audit.default.control", Data: body},
		nil); err != nil {
		f.Fatal(err)
	}
	f.run(log)
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
	x.Hurry()
	stop := logtest.Run(f, "archiver", x.Run)
	defer stop()
	logtest.Until(f, fmt.Sprintf("%d segments", f.size/leaves), func() bool {
		return x.Status().Segments >= f.size/leaves || x.Status().Err != nil
	})
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
	return archive.Verify(f.Context(), f.log, audit.Config{Keys: []string{f.key}})
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
	for m, err := range store.Ahead(f.Context(), log.Sealed, 1, info.Last, func(m entry.Message) entry.Message {
		return m
	}) {
		if err != nil {
			f.Fatal(err)
		}
		list = append(list, m)
	}
	return list
}
