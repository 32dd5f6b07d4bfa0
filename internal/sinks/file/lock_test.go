package filesink_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/sealstream/sealstream/internal/sinks/file"
	"github.com/sealstream/sealstream/pkg/sink/sinktest"
)

// TestLockDeleted: when somebody deletes the lock file and a second writer opens the sink, the
// first one writes nothing more.
func TestLockDeleted(t *testing.T) {
	cfg := filesink.Config{Path: filepath.Join(t.TempDir(), "audit.jsonl"), Keys: ring}
	list := sinktest.Records(30, 1)
	first := open(t, cfg)
	write(t, first, list[:10])
	if err := os.Remove(filepath.Join(filepath.Dir(cfg.Path), "audit.lock")); err != nil {
		t.Fatal(err)
	}
	second := open(t, cfg)
	write(t, second, list[10:20])
	if err := first.Write(t.Context(), list[10:20]); err == nil {
		t.Error("two writers have written one file")
	}
	closeSink(t, first)
	write(t, second, list[20:])
	if err := second.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	closeSink(t, second)
}
