package natsstore_test

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/pkg/internal/natsd"
	"github.com/sealstream/sealstream/streams"
)

var update = flag.Bool("update", false, "write testdata anew")

// golden is where the topology stands as the server has it. The test stands here because only packages below pkg may start a server.
const golden = "../../../streams/testdata"

func connect(t *testing.T) jetstream.JetStream {
	t.Helper()
	s, err := natsd.Start(t.Context(), natsd.Config{StoreDir: t.TempDir(), InProcess: true, Log: "default"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	nc, err := s.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// TestGolden: what the server has after Ensure is what stands in streams/testdata, so that a change of topology shows in a review.
func TestGolden(t *testing.T) {
	js := connect(t)
	cfg := streams.Config{Log: "default"}
	for range 2 { // the second time finds everything there
		if err := streams.Ensure(t.Context(), js, cfg); err != nil {
			t.Fatal(err)
		}
	}
	if err := streams.Check(t.Context(), js, cfg); err != nil {
		t.Fatal(err)
	}
	names := 0
	for info := range js.ListStreams(t.Context()).Info() {
		names++
		c := info.Config
		c.Metadata = nil // the server's own version
		have, err := json.MarshalIndent(c, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(golden, c.Name+".json")
		if *update {
			if err := os.WriteFile(file, append(have, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(have)+"\n" != string(want) {
			t.Errorf("%s is not as in %s:\n%s", c.Name, file, have)
		}
	}
	if names != 7 {
		t.Fatalf("%d streams, want 7", names)
	}
}

// TestDrift changes a stream in each way that would lose or rewrite messages, and wants Check to name it; Ensure must leave it alone.
func TestDrift(t *testing.T) {
	for _, c := range []struct {
		stream, field string
		change        func(*jetstream.StreamConfig)
	}{
		{"EVENTS_default", "MaxMsgs", func(c *jetstream.StreamConfig) { c.MaxMsgs = 2 }},
		{"EVENTS_default", "MaxAge", func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }},
		{"EVENTS_default", "Discard", func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld }},
		{"EVENTS_default", "AllowDirect", func(c *jetstream.StreamConfig) { c.AllowDirect = true }},
		{"EVENTS_default", "Subjects", func(c *jetstream.StreamConfig) { c.Subjects = append(c.Subjects, "audit.default.more") }},
		{"SEALED_default", "MaxMsgs", func(c *jetstream.StreamConfig) { c.MaxMsgs = 1 }},
		{"SEALED_default", "MaxMsgSize", func(c *jetstream.StreamConfig) { c.MaxMsgSize = 1000 }},
		{"SEALED_default", "AllowRollup", func(c *jetstream.StreamConfig) { c.AllowRollup = true }},
		{"PAYLOADS_default", "MaxMsgsPerSubject", func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 1 }},
		{"PAYLOADS_default", "RePublish", func(c *jetstream.StreamConfig) {
			c.RePublish = &jetstream.RePublish{Source: ">", Destination: "leak.>"}
		}},
		{"KV_TILES", "TILES", func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }},
	} {
		t.Run(c.stream+" "+c.field, func(t *testing.T) {
			js := connect(t)
			cfg := streams.Config{Log: "default"}
			if err := streams.Ensure(t.Context(), js, cfg); err != nil {
				t.Fatal(err)
			}
			s, err := js.Stream(t.Context(), c.stream)
			if err != nil {
				t.Fatal(err)
			}
			changed := s.CachedInfo().Config
			c.change(&changed)
			if _, err := js.UpdateStream(t.Context(), changed); err != nil {
				t.Fatal(err)
			}
			if err := streams.Ensure(t.Context(), js, cfg); err != nil {
				t.Fatal(err)
			}
			err = streams.Check(t.Context(), js, cfg)
			drift, ok := errors.AsType[*streams.DriftError](err)
			if !ok || len(drift.Fields) != 1 || !strings.Contains(drift.Fields[0], c.field) {
				t.Fatalf("Check: %v; want %s", err, c.field)
			}
		})
	}
}
