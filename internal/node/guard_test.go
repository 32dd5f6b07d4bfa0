package node

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/store/natsstore"
	"github.com/sealstream/sealstream/streams"
)

// TestSilentStore: a store that does not answer for long is started again, although nothing in its log says
// that it has to be. One that has answered lately is left alone.
func TestSilentStore(t *testing.T) {
	n, err := Up(t.Context(), UpConfig{
		Plugins: withPlugins, Data: filepath.Join(t.TempDir(), "d"), HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	failing := make(chan string, 10)
	n.board.OnChange(func(c health.Condition) {
		if c.Name == "store" && c.State == health.Failing {
			failing <- c.Text
		}
	})
	nc, err := n.nats.Connect()
	if err != nil {
		t.Fatal(err)
	}
	log, err := natsstore.Open(t.Context(), nc, streams.Config{Log: "default"})
	if err != nil {
		t.Fatal(err)
	}
	nc.Close() // nothing is answered there
	silent := &Node{nats: n.nats, pipeline: &pipeline{process: &process{sealer: n.pipeline.sealer, log: log}}}
	silent.owe(t.Context(), &debt{answered: time.Now()})
	if why := n.nats.Why(); why != "" {
		t.Fatalf("given up at once: %s", why)
	}
	silent.owe(t.Context(), &debt{answered: time.Now().Add(-2 * silentAtMost)})
	select {
	case text := <-failing:
		if !strings.Contains(text, "not answered") {
			t.Fatal(text)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nothing was done")
	}
	for deadline := time.Now().Add(10 * time.Second); n.board.State("store") !=
		health.OK; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the store was not started again")
		}
	}
}
