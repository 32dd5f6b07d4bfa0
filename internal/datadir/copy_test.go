package datadir

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestSweepCopies: what a kill has left goes, what is in use or somebody else's stays.
func TestSweepCopies(t *testing.T) {
	tmp := t.TempDir()
	long := time.Now().Add(-time.Hour)
	for _, name := range []string{copyPrefix + "left", copyPrefix + "new", copyPrefix + "used", "other"} {
		path := filepath.Join(tmp, name)
		if err := errors.Join(os.Mkdir(path, 0o700), os.WriteFile(filepath.Join(path, "x"), nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		if name != copyPrefix+"new" {
			if err := os.Chtimes(path, long, long); err != nil {
				t.Fatal(err)
			}
		}
	}
	used, err := lockShared(filepath.Join(tmp, copyPrefix+"used"))
	if err != nil {
		t.Fatal(err)
	}
	defer used.Close()
	sweepCopies(tmp)
	for name, stays := range map[string]bool{"left": false, "new": true, "used": true} {
		if _, err := os.Stat(filepath.Join(tmp, copyPrefix+name)); (err == nil) != stays {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Stat(filepath.Join(tmp, "other")); err != nil {
		t.Error(err)
	}
}
