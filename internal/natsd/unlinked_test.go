//go:build linux

package natsd

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
)

// TestUnlinked: a file with messages that was taken away is listed. What the server itself takes away is
// not: the messages of a batch that was never committed, of which it leaves files open when the disk is full.
func TestUnlinked(t *testing.T) {
	s := start(t, Config{})
	_, js := connect(t, s)
	streams(t, js)
	stream := filepath.Join(s.cfg.StoreDir, server.JetStreamStoreDir, accountLog, "streams", "EVENTS_x")
	taken := filepath.Join(stream, "msgs", "9.blk")
	for _, path := range []string{taken, filepath.Join(stream, "batches", "b1", "msgs", "1.blk")} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if list := s.Unlinked(); list != nil {
			t.Fatalf("%q before anything was taken away", list)
		}
	}
	if err := os.RemoveAll(filepath.Join(stream, "batches")); err != nil {
		t.Fatal(err)
	}
	if list := s.Unlinked(); list != nil {
		t.Errorf("%q belong to a batch that was not committed", list)
	}
	if err := os.Remove(taken); err != nil {
		t.Fatal(err)
	}
	if list := s.Unlinked(); !slices.Equal(list, []string{taken}) {
		t.Errorf("%q, want %q", list, taken)
	}
}
