package node

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/streams"
)

// TestUpClosesWindow: a log of an older release, whose EVENTS has a window of repeated message ids,
// is opened and has none then.
func TestUpClosesWindow(t *testing.T) {
	cfg := UpConfig{Plugins: withPlugins, Data: t.TempDir(), HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0"}
	for _, window := range []time.Duration{100 * time.Millisecond, 0} {
		n, err := Up(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		js, err := jetstream.New(n.conn)
		if err != nil {
			t.Fatal(err)
		}
		s, err := js.Stream(t.Context(), streams.EventsName("default"))
		if err != nil {
			t.Fatal(err)
		}
		old := s.CachedInfo().Config
		if old.Duplicates != 0 {
			t.Fatalf("EVENTS has a window of %v", old.Duplicates)
		}
		if window > 0 {
			old.Duplicates, old.Sources = window, nil
			if _, err := js.UpdateStream(t.Context(), old); err != nil {
				t.Fatal(err)
			}
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
