package natsstore_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/natsd"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams"
)

// The tests of package streams that need a server: only packages below pkg may start one.

var update = flag.Bool("update", false, "write the golden files of streams/testdata")

const goldenDir = "../../../streams/testdata"

var resources = []string{
	"EVENTS_default", "SEALED_default", "PAYLOADS_default", "ALERTS_default", "KV_HEAD", "KV_CURSORS", "OBJ_ARCHIVE",
}

func connect(t *testing.T) jetstream.JetStream {
	t.Helper()
	s := logtest.Server(t, natsd.Config{InProcess: true, Relaxed: true})
	_, js := logtest.Connect(t, s)
	return js
}

func streamConfig(t *testing.T, js jetstream.JetStream, name string) jetstream.StreamConfig {
	t.Helper()
	s, err := js.Stream(t.Context(), name)
	if err != nil {
		t.Fatalf("stream %s: %v", name, err)
	}
	c := s.CachedInfo().Config
	c.Metadata = nil // the server's version
	return c
}

// TestGolden: what Ensure makes is, on a server, what the golden files say, and nothing more.
func TestGolden(t *testing.T) {
	js := connect(t)
	cfg := streams.Config{Log: "default"}
	if err := streams.Ensure(t.Context(), js, cfg); err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range js.StreamNames(t.Context()).Name() {
		names = append(names, name)
	}
	if len(names) != len(resources) {
		t.Errorf("streams %v, want %v", names, resources)
	}
	for _, name := range resources {
		got, err := json.MarshalIndent(streamConfig(t, js, name), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, '\n')
		path := filepath.Join(goldenDir, name+".json")
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is\n%s\nwant\n%s", name, got, want)
		}
	}
	if err := streams.Check(t.Context(), js, cfg); err != nil {
		t.Errorf("what Ensure made has drifted: %v", err)
	}
}

// TestEnsureTogether: services of one log start side by side.
func TestEnsureTogether(t *testing.T) {
	js := connect(t)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if err := streams.Ensure(t.Context(), js, streams.Config{Log: "default"}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if err := streams.Check(t.Context(), js, streams.Config{Log: "default"}); err != nil {
		t.Error(err)
	}
}

// TestEnsureChangesNothing: what exists stays as it is, and Check names it.
func TestEnsureChangesNothing(t *testing.T) {
	js := connect(t)
	other := jetstream.StreamConfig{
		Name: "EVENTS_default", Subjects: []string{"audit.default.events.*"}, MaxAge: time.Hour,
		Retention: jetstream.WorkQueuePolicy, AllowDirect: true,
	}
	if _, err := js.CreateStream(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{
		Bucket: "HEAD", History: 5, TTL: time.Hour,
	}); err != nil {
		t.Fatal(err)
	}
	before := []jetstream.StreamConfig{streamConfig(t, js, "EVENTS_default"), streamConfig(t, js, "KV_HEAD")}
	cfg := streams.Config{Log: "default"}
	for range 2 {
		if err := streams.Ensure(t.Context(), js, cfg); err != nil {
			t.Fatal(err)
		}
	}
	for i, name := range []string{"EVENTS_default", "KV_HEAD"} {
		was, _ := json.Marshal(before[i])
		is, _ := json.Marshal(streamConfig(t, js, name))
		if !bytes.Equal(was, is) {
			t.Errorf("%s was\n%s\nis\n%s", name, was, is)
		}
	}
	wantDrift(t, js, cfg, "Subjects of EVENTS_default", "Retention of EVENTS_default", "Discard of EVENTS_default",
		"MaxAge of EVENTS_default", "MaxMsgSize of EVENTS_default",
		"Duplicates of EVENTS_default", "Sources of EVENTS_default", "AllowDirect of EVENTS_default",
		"MaxAge of KV_HEAD", "MaxMsgsPerSubject of KV_HEAD")
}

// TestRetiredBucket: the bucket of earlier releases stays as it is, whatever it is like, and is not
// asked for.
func TestRetiredBucket(t *testing.T) {
	js := connect(t)
	cfg := streams.Config{Log: "default", Replicas: 1}
	if err := streams.Ensure(t.Context(), js, cfg); err != nil {
		t.Fatal(err)
	}
	if list, err := streams.Unused(t.Context(), js); err != nil || list != nil {
		t.Fatalf("a new log: %q, %v", list, err)
	}
	kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "TILES", History: 5, TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Put(t.Context(), "default/tile/0/000", []byte("hashes")); err != nil {
		t.Fatal(err)
	}
	was := streamConfig(t, js, "KV_TILES")
	if err := streams.Ensure(t.Context(), js, cfg); err != nil {
		t.Fatal(err)
	}
	if err := streams.Check(t.Context(), js, cfg); err != nil {
		t.Errorf("it has drifted: %v", err)
	}
	if lines, err := streams.Apply(t.Context(), js, cfg, false); err != nil || lines != nil {
		t.Errorf("applied %q, %v", lines, err)
	}
	if list, err := streams.Unused(t.Context(), js); err != nil || len(list) != 1 || list[0] != "KV_TILES" {
		t.Errorf("unused: %q, %v", list, err)
	}
	if is := streamConfig(t, js, "KV_TILES"); !reflect.DeepEqual(is, was) {
		t.Errorf("it was\n%+v\nis\n%+v", was, is)
	}
	if e, err := kv.Get(t.Context(), "default/tile/0/000"); err != nil || string(e.Value()) != "hashes" {
		t.Errorf("its content: %v, %v", e, err)
	}
}

func wantDrift(t *testing.T, js jetstream.JetStream, cfg streams.Config, fields ...string) {
	t.Helper()
	drift, ok := errors.AsType[*streams.DriftError](streams.Check(t.Context(), js, cfg))
	if !ok {
		t.Errorf("no drift was seen, want %q", fields)
		return
	}
	for i, got := range drift.Fields {
		if i >= len(fields) || !strings.HasPrefix(got, fields[i]+" is ") {
			t.Errorf("drift %q, want of %q", drift.Fields, fields)
			return
		}
	}
	if len(drift.Fields) != len(fields) {
		t.Errorf("drift %q, want of %q", drift.Fields, fields)
	}
}

// TestDrift makes each change that a server lets an administrator make, and each that needs another
// stream of the same name.
func TestDrift(t *testing.T) {
	age := &jetstream.StreamSource{Name: "OTHER"}
	changes := []struct {
		stream string
		change func(*jetstream.StreamConfig)
		anew   bool // an update would be refused
		fields []string
	}{
		{"EVENTS_default", func(c *jetstream.StreamConfig) { c.Subjects = append(c.Subjects, "audit.default.other") }, false, []string{"Subjects"}},
		{"EVENTS_default", func(c *jetstream.StreamConfig) { c.Subjects = c.Subjects[:1] }, false, []string{"Subjects"}},
		{"EVENTS_default", func(c *jetstream.StreamConfig) { c.Retention = jetstream.InterestPolicy }, false, []string{"Retention"}},
		{"EVENTS_default", func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld }, false, []string{"Discard"}},
		{"EVENTS_default", func(c *jetstream.StreamConfig) { c.MaxMsgs = 7 }, false, []string{"MaxMsgs"}},
		{"EVENTS_default", func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }, false, []string{"MaxAge"}},
		{"EVENTS_default", func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 1 }, false, []string{"MaxMsgsPerSubject"}},
		{"EVENTS_default", func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject, c.DiscardNewPerSubject = 1, true }, false, []string{"DiscardNewPerSubject", "MaxMsgsPerSubject"}},
		{"EVENTS_default", func(c *jetstream.StreamConfig) { c.MaxMsgSize = 2 << 20 }, false, []string{"MaxMsgSize"}},
		{"EVENTS_default", func(c *jetstream.StreamConfig) { c.MaxConsumers = 1 }, false, []string{"MaxConsumers"}},
		{"EVENTS_default", func(c *jetstream.StreamConfig) { c.Storage, c.MaxBytes = jetstream.MemoryStorage, 1<<20 }, true, []string{"Storage"}},
		{"EVENTS_default", func(c *jetstream.StreamConfig) { c.NoAck = true }, false, []string{"NoAck"}},
		{"EVENTS_default", func(c *jetstream.StreamConfig) { c.Duplicates = 2 * time.Minute }, false, []string{"Duplicates"}},
		{"EVENTS_default", func(c *jetstream.StreamConfig) { c.Duplicates = 100 * time.Millisecond }, false, []string{"Duplicates"}},
		{"EVENTS_default", func(c *jetstream.StreamConfig) { c.Sources = []*jetstream.StreamSource{age} }, false, []string{"Sources"}},
		{"EVENTS_default", func(c *jetstream.StreamConfig) { c.Sources, c.Duplicates = nil, time.Second }, false, []string{"Duplicates", "Sources"}},
		{"EVENTS_default", func(c *jetstream.StreamConfig) { c.Sources[0].FilterSubject = "audit.default.alerts.>" }, false, []string{"Sources"}},
		{"EVENTS_default", func(c *jetstream.StreamConfig) { c.Mirror, c.Subjects, c.Sources = age, nil, nil }, true, []string{"Subjects", "Mirror", "Sources"}},
		{"EVENTS_default", func(c *jetstream.StreamConfig) { c.Compression = jetstream.S2Compression }, false, []string{"Compression"}},
		{"EVENTS_default", func(c *jetstream.StreamConfig) {
			c.SubjectTransform = &jetstream.SubjectTransformConfig{
				Source: "audit.default.control", Destination: "audit.default.batch.i",
			}
		}, false, []string{"SubjectTransform"}},
		{"EVENTS_default", func(c *jetstream.StreamConfig) {
			c.RePublish = &jetstream.RePublish{Source: "audit.default.control", Destination: "elsewhere"}
		}, false, []string{"RePublish"}},
		{"EVENTS_default", func(c *jetstream.StreamConfig) { c.AllowDirect = true }, false, []string{"AllowDirect"}},
		{"EVENTS_default", func(c *jetstream.StreamConfig) { c.AllowRollup = true }, false, []string{"AllowRollup"}},
		{"EVENTS_default", func(c *jetstream.StreamConfig) { c.AllowMsgTTL = true }, false, []string{"AllowMsgTTL"}},
		{"EVENTS_default", func(c *jetstream.StreamConfig) {
			c.AllowMsgTTL, c.SubjectDeleteMarkerTTL, c.AllowRollup = true, time.Minute, true
		}, false,
			[]string{"AllowRollup", "AllowMsgTTL", "SubjectDeleteMarkerTTL"}},
		{"EVENTS_default", func(c *jetstream.StreamConfig) { c.AllowMsgCounter = true; c.Discard = jetstream.DiscardOld }, true, []string{"Discard", "AllowMsgCounter"}},
		{"EVENTS_default", func(c *jetstream.StreamConfig) { c.AllowAtomicPublish = true }, false, []string{"AllowAtomicPublish"}},
		{"EVENTS_default", func(c *jetstream.StreamConfig) {
			c.AllowMsgSchedules, c.Discard, c.Sources, c.Duplicates = true, jetstream.DiscardOld, nil,
				100*time.Millisecond
		}, false, []string{"Discard", "AllowRollup", "AllowMsgSchedules"}},
		{"EVENTS_default", func(c *jetstream.StreamConfig) { c.PersistMode = jetstream.AsyncPersistMode }, true, []string{"PersistMode"}},
		{"EVENTS_default", func(c *jetstream.StreamConfig) { c.AllowBatchPublish = true }, false, []string{"AllowBatchPublish"}},
		{"EVENTS_default", func(c *jetstream.StreamConfig) { c.DenyPurge = true }, false, []string{"DenyPurge"}},
		{"SEALED_default", func(c *jetstream.StreamConfig) { c.DenyDelete = false }, true, []string{"DenyDelete"}},
		{"SEALED_default", func(c *jetstream.StreamConfig) { c.Sealed, c.DenyPurge = true, true }, false, []string{"Sealed", "DenyPurge"}},
		{"PAYLOADS_default", func(c *jetstream.StreamConfig) { c.DenyDelete = true }, false, []string{"DenyDelete"}},
		{"ALERTS_default", func(c *jetstream.StreamConfig) { c.MaxMsgs = 1 }, false, []string{"MaxMsgs"}},
		{"KV_HEAD", func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld }, false, []string{"Discard"}},
		{"KV_CURSORS", func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }, false, []string{"MaxAge"}},
		{"KV_CURSORS", func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 9 }, false, []string{"MaxMsgsPerSubject"}},
	}
	js := connect(t)
	cfg := streams.Config{Log: "default"}
	if err := streams.Ensure(t.Context(), js, cfg); err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		was := streamConfig(t, js, c.stream)
		is := was
		is.Subjects = append([]string(nil), was.Subjects...)
		for i, source := range was.Sources {
			if i == 0 {
				is.Sources = nil
			}
			copied := *source
			is.Sources = append(is.Sources, &copied)
		}
		c.change(&is)
		var err error
		if c.anew {
			if _, err = js.UpdateStream(t.Context(), is); err == nil {
				t.Errorf("%s %v: an update was accepted", c.stream, c.fields)
			}
			if err = js.DeleteStream(t.Context(), c.stream); err == nil {
				_, err = js.CreateStream(t.Context(), is)
			}
		} else {
			_, err = js.UpdateStream(t.Context(), is)
		}
		if err != nil {
			t.Errorf("%s %v: %v", c.stream, c.fields, err)
		} else {
			var want []string
			for _, f := range c.fields {
				want = append(want, f+" of "+c.stream)
			}
			wantDrift(t, js, cfg, want...)
		}
		if err := js.DeleteStream(t.Context(), c.stream); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			t.Fatal(err)
		}
		if _, err := js.CreateStream(t.Context(), was); err != nil {
			t.Fatal(err)
		}
		if err := streams.Check(t.Context(), js, cfg); err != nil {
			t.Fatalf("%s %v: put back, but %v", c.stream, c.fields, err)
		}
	}
	if err := js.DeleteStream(t.Context(), "PAYLOADS_default"); err != nil {
		t.Fatal(err)
	}
	if err := streams.Check(t.Context(), js, cfg); !errors.Is(err, jetstream.ErrStreamNotFound) ||
		!strings.Contains(err.Error(), "PAYLOADS_default") {
		t.Errorf("a stream is missing: %v", err)
	}
}

// TestReplicasDrift: one copy where three were asked for is drift; where nothing was asked for, it is not.
func TestReplicasDrift(t *testing.T) {
	js := connect(t)
	if err := streams.Ensure(t.Context(), js, streams.Config{Log: "default"}); err != nil {
		t.Fatal(err)
	}
	if err := streams.Check(t.Context(), js, streams.Config{Log: "default", Replicas: 1}); err != nil {
		t.Error(err)
	}
	var want []string
	for _, name := range resources {
		want = append(want, "Replicas of "+name)
	}
	wantDrift(t, js, streams.Config{Log: "default", Replicas: 3}, want...)
}

// TestEventSizes: the largest message that a log takes, with headers, goes into EVENTS, and nothing
// that the server would not pass on.
func TestEventSizes(t *testing.T) {
	l := open(t, start(t, t.TempDir(), "127.0.0.1:0"), streams.Config{Log: "default"})
	for size, fits := range map[int]bool{900 << 10: true, 1 << 20: false} {
		m := entry.Message{
			Subject: "audit.default.batch.i", Header: entry.Header{"ce-id": {strings.Repeat("i", 4096)}},
			Data: make([]byte, size),
		}
		if _, err := l.Events.Append(t.Context(), m, nil); (err == nil) != fits {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// TestResize: limits that are stated are applied, whether they rise or fall; one below what a
// stream holds is refused, and nothing is changed.
func TestResize(t *testing.T) {
	js := connect(t)
	limits := func() (all [4]int64) {
		for i, name := range resources[:4] {
			all[i] = streamConfig(t, js, name).MaxBytes
		}
		return all
	}
	if err := streams.Ensure(t.Context(), js, streams.Config{Log: "default", SealedMaxBytes: 256 << 10}); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if _, err := js.Publish(t.Context(), "audit.default.sealed", make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		cfg     streams.Config
		changes int
		want    [4]int64
		err     error
	}{
		{streams.Config{}, 0, [4]int64{2 << 30, 256 << 10, 32 << 30, 1 << 30}, nil},
		{streams.Config{SealedMaxBytes: 256 << 10}, 0, [4]int64{2 << 30, 256 << 10, 32 << 30, 1 << 30}, nil},
		{streams.Config{SealedMaxBytes: 8 << 20, AlertsMaxBytes: 1 << 20}, 2, [4]int64{2 << 30, 8 << 20, 32 << 30, 1 << 20}, nil},
		{streams.Config{SealedMaxBytes: 128 << 10}, 1, [4]int64{2 << 30, 128 << 10, 32 << 30, 1 << 20}, nil},
		{streams.Config{EventsMaxBytes: 3 << 30, SealedMaxBytes: 64 << 10}, 0, [4]int64{2 << 30, 128 << 10, 32 << 30, 1 << 20}, streams.ErrBelow},
	} {
		c.cfg.Log = "default"
		for _, dry := range []bool{true, false} {
			was := limits()
			changes, err := streams.Resize(t.Context(), js, c.cfg, dry)
			if len(changes) != c.changes || !errors.Is(err, c.err) {
				t.Errorf("%+v: %q, %v", c.cfg, changes, err)
			}
			if is := limits(); dry && is != was || !dry && is != c.want {
				t.Errorf("%+v, dry %v: limits are %v, want %v", c.cfg, dry, is, c.want)
			}
		}
	}
	if s, err := js.Stream(t.Context(), "SEALED_default"); err != nil || s.CachedInfo().State.Msgs != 100 {
		t.Errorf("messages were dropped: %v", err)
	}
	// Apply keeps a limit that is not stated.
	if changes, err := streams.Apply(t.Context(), js, streams.Config{Log: "default"}, false); err != nil ||
		len(changes) != 0 {
		t.Errorf("apply: %q, %v", changes, err)
	}
}
