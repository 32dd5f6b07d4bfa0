package node

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/settings"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// TestAccessOpenLog: with rules of access, a log that takes events of any source does not start until
// it is closed, and a new log is closed from the start.
func TestAccessOpenLog(t *testing.T) {
	g := &guarded{t: t, file: filepath.Join(t.TempDir(), "access.yaml"), tokens: map[string]string{}}
	g.write(map[string]string{"ci": "publish: [did:web:a]"})
	cfg := UpConfig{Plugins: withPlugins, Data: filepath.Join(t.TempDir(), "d"), HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0"}
	guardedCfg := cfg
	guardedCfg.Access = g.file
	open := func(n *Node) bool {
		t.Helper()
		var c *entry.Config
		logtest.Until(t, "JetStream answers", func() (answers bool) { // not while it reads its users again
			newest, _, err := store.NewestConfig(t.Context(), n.pipeline.log)
			c = newest
			return err == nil
		})
		return c.EventsOpen
	}
	start := func(cfg UpConfig) *Node {
		t.Helper()
		n, err := Up(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	n := start(cfg)
	if !open(n) {
		t.Error("without rules of access, a new log is closed")
	}
	n.Close()
	_, err := Up(t.Context(), guardedCfg)
	if !errors.Is(err, settings.ErrInvalid) || !strings.Contains(err.Error(), "--close-events-open") {
		t.Fatalf("an open log: %v", err)
	}
	closing := guardedCfg
	closing.Close = true
	n = start(closing)
	logtest.Until(t, "the log is closed", func() bool { return !open(n) })
	n.Close()
	start(guardedCfg).Close()

	other := guardedCfg
	other.Data = filepath.Join(t.TempDir(), "d")
	if n = start(other); open(n) {
		t.Error("with rules of access, a new log is open")
	}
	n.Close()
}

// TestAccessOpenFlag: the settings themselves do not open a log that has rules of access.
func TestAccessOpenFlag(t *testing.T) {
	dir := t.TempDir()
	if _, err := datadir.GenerateKeys(dir, "test.example", "default"); err != nil {
		t.Fatal(err)
	}
	c := ServiceConfig{Plugins: withPlugins, Log: "default", Access: "access.yaml"}
	for _, s := range []Service{
		&SealerService{ServiceConfig: c, Keys: dir, EventsOpen: true},
		&IngestService{ServiceConfig: c, HTTP: "127.0.0.1:0", Key: filepath.Join(dir, "log.pub"), EventsOpen: true},
	} {
		err := s.Serve(t.Context())
		if !errors.Is(err, settings.ErrInvalid) || !strings.Contains(err.Error(), "--events-open") {
			t.Errorf("%T: %v", s, err)
		}
	}
}
