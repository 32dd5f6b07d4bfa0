package node

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/internal/datadir"
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

// TestUpWithTiles: a log of an older release, which wrote tiles to a bucket, goes on. The bucket stays
// as it is and is not believed, doctor says that it may be deleted, and the log does without it.
func TestUpWithTiles(t *testing.T) {
	dir := t.TempDir()
	up := func() *Node {
		t.Helper()
		n, err := Up(t.Context(), UpConfig{Plugins: withPlugins, Data: dir, HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	tiles := func(n *Node) jetstream.KeyValue {
		t.Helper()
		js, err := jetstream.New(n.conn)
		if err != nil {
			t.Fatal(err)
		}
		kv, err := js.KeyValue(t.Context(), "TILES")
		if err != nil && !errors.Is(err, jetstream.ErrBucketNotFound) {
			t.Fatal(err)
		}
		return kv
	}
	unused := func() (folder string) {
		t.Helper()
		for _, f := range datadir.Diagnose(dir) {
			if f.What == "unused" {
				_, folder, _ = strings.Cut(f.Text, "stop the log and delete ")
			}
		}
		return folder
	}
	grow := func(n *Node, from, to int) (tile []byte) {
		t.Helper()
		record(t, n, from, to)
		await(t, n)
		_, tile = fetch(n.http.Addr().String(), "/tile/0/000", nil)
		return tile
	}

	n := up()
	if tiles(n) != nil || unused() != "" {
		t.Fatal("a new log has the bucket")
	}
	want := grow(n, 0, 300)
	js, err := jetstream.New(n.conn)
	if err != nil {
		t.Fatal(err)
	}
	kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{
		Bucket: "TILES", Description: "full tiles of each log's tree", History: 1,
		Storage: jetstream.FileStorage, Replicas: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Put(t.Context(), "default/tile/0/000", make([]byte, 8192)); err != nil { // another log's
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}

	n = up()
	if got := grow(n, 300, 310); len(want) != 8192 || !bytes.Equal(got, want) {
		t.Fatalf("another tile, of %d bytes", len(got))
	}
	keys, err := tiles(n).Keys(t.Context())
	if err != nil || len(keys) != 1 {
		t.Fatalf("the bucket has %q, %v", keys, err)
	}
	folder := unused()
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		t.Fatalf("doctor names %q: %v", folder, err)
	}
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}

	n = up()
	defer n.Close()
	if got := grow(n, 310, 320); !bytes.Equal(got, want) || tiles(n) != nil || unused() != "" {
		t.Fatalf("without the bucket: a tile of %d bytes, %q", len(got), unused())
	}
}
