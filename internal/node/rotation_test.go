package node

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/flock"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/settings"
)

// TestKillRotation changes a log's key twice, and kills the process with -9 at random moments all
// the time: also right after its start, while the hand-over is being announced. Each key can audit
// the log in the end, and no size had two roots.
func TestKillRotation(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	cfg := UpConfig{Plugins: withPlugins, Data: dir, HTTP: logtest.FreeAddr(t), NATS: logtest.FreeAddr(t)}
	shown := newRoots(t, dir)
	n := 0
	// life is one start, some events, and a kill.
	life := func(events int) {
		t.Helper()
		up := startProcess(t, cfg)
		for range events {
			n++
			ev := fmt.Appendf(nil, `{"specversion":"1.0","id":"e-%d","source":"did:web:a","type":"t"}`, n)
			if list, err := receipts(cfg.HTTP, "sealed", ev); err != nil || list[0]["status"] != "sealed" {
				t.Fatalf("event %d: %v %v\n%s", n, list, err, up.stderr)
			}
			if _, note := fetch(cfg.HTTP, "/checkpoint", nil); len(note) > 0 {
				shown.saw("served", note)
			}
		}
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
		up.kill()
		shown.kept()
	}
	life(2)
	for range 2 {
		if _, err := datadir.RotateKey(dir); err != nil {
			t.Fatal(err)
		}
		for _, events := range []int{0, 0, 2} {
			life(events)
		}
		if _, err := datadir.RetireKey(dir); err != nil {
			t.Fatal(err)
		}
		for _, events := range []int{0, 2, 0, 1} {
			life(events)
		}
	}
	keys, err := datadir.PublicKeys(dir)
	if err != nil || len(keys) != 3 {
		t.Fatalf("%v %v", keys, err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, datadir.FileKey)); err != nil ||
		strings.Count(string(text), "PRIVATE") != 1 {
		t.Fatalf("log.key still has retired keys: %v", err)
	}
	up := startProcess(t, cfg)
	entries, _ := exported(t, cfg.HTTP, keys[0])
	up.stop(t)
	shown.check(entries)
	for _, key := range keys {
		if r, _, err := datadir.AuditDir(t.Context(), dir, audit.Config{Keys: []string{key}}); err != nil ||
			r.Events != uint64(n) || r.Key != keys[0] {
			t.Fatalf("audit with %s: %v, %d events of %d", key, err, r.Events, n)
		}
	}
}

// TestRotationRefused: what cannot be is refused, and leaves the keys as they were.
func TestRotationRefused(t *testing.T) {
	dir := t.TempDir()
	if _, err := datadir.RotateKey(dir); !errors.Is(err, datadir.ErrKeys) {
		t.Fatalf("a folder without keys: %v", err)
	}
	if _, err := datadir.GenerateKeys(dir, "h.example.com", "default"); err != nil {
		t.Fatal(err)
	}
	if _, err := datadir.RetireKey(dir); !errors.Is(err, settings.ErrInvalid) {
		t.Fatalf("the only key: %v", err)
	}
	lock, err := flock.Open(dir, flock.Exclusive)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := datadir.RotateKey(dir); !errors.Is(err, datadir.ErrLocked) {
		t.Fatalf("a log that runs: %v", err)
	}
	lock.Close()
	before, err := datadir.PublicKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	vkey, err := datadir.RotateKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	if after, err := datadir.PublicKeys(dir); err != nil || !slices.Equal(after, append([]string{vkey}, before...)) {
		t.Fatalf("%v: %v", after, err)
	}
	k, err := datadir.LoadKeys(filepath.Join(dir, datadir.FileKey), filepath.Join(dir, datadir.FileSecret))
	if err != nil || !slices.Equal(k.Active, k.All()) || len(k.Active) != 2 {
		t.Fatalf("%+v: %v", k, err)
	}
	if _, err := datadir.RetireKey(dir); err != nil {
		t.Fatal(err)
	}
	if k, err = datadir.LoadKeys(filepath.Join(dir, datadir.FileKey),
		filepath.Join(dir, datadir.FileSecret)); err != nil || !slices.Equal(k.Active, []string{vkey}) ||
		len(k.All()) != 2 {
		t.Fatalf("%+v: %v", k, err)
	}
}
