package interop

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fsck runs tessera's checker. Its exit status is 0 whatever it finds, so that its words decide;
// and with one worker it hangs at the first entry that is bad.
func fsck(t *testing.T, url string) (ok bool, out string) {
	t.Helper()
	key := filepath.Join(t.TempDir(), "log.pub")
	if err := os.WriteFile(key, []byte(the.vkey), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := tool(t, time.Minute, "fsck", "--storage_url="+url, "--public_key="+key, "--ui=false", "-N", "4")
	return err == nil && strings.Contains(out, "Successfully fsck'd") && !strings.Contains(out, "fsck failed"), out
}

// TestFsck checks the running log and its static copy.
func TestFsck(t *testing.T) {
	for _, url := range []string{
		the.url + "/", the.url + "/logs/default/", serve(t, the.static) + "/", "file://" + the.static + "/",
	} {
		if ok, out := fsck(t, url); !ok {
			t.Fatalf("%s:\n%s", url, out)
		}
	}
}

// TestFsckFlipped: one bit, and fsck says that the log is bad.
func TestFsckFlipped(t *testing.T) {
	flipped(t, every, func(t *testing.T, path string) {
		if ok, out := fsck(t, "file://"+the.static+"/"); ok {
			t.Fatalf("%s was altered, and fsck says\n%s", path, out)
		}
	})
	if ok, out := fsck(t, "file://"+the.static+"/"); !ok {
		t.Fatalf("with all bits as they were:\n%s", out)
	}
}

// hammer runs the read side of tessera's load generator for a while. That its time is over is its
// failure by design; what it found is in its words. It checks checkpoints, and that bundles are
// what they must be in form; it does not hash their entries.
func hammer(t *testing.T, url string) (ok bool, out string) {
	t.Helper()
	out, err := tool(t, time.Minute, "hammer", "--log_public_key="+the.vkey, "--log_url="+url, "--show_ui=false",
		"--max_runtime=4s",
		"--num_readers_full=4", "--num_readers_random=4", "--max_read_ops=2000", "--v=2")
	_ = err // always one
	// behind that come the requests that its own end has cancelled
	looked, _, done := strings.Cut(out, "Max runtime reached")
	ok = done && strings.Count(looked, "LeafReader getting") > 1000
	for line := range strings.Lines(looked) {
		if strings.HasPrefix(line, "E") || strings.HasPrefix(line, "W") || strings.HasPrefix(line, "F") ||
			strings.Contains(line, "ailed to") {
			ok = false
		}
	}
	return ok, out
}

// TestHammer reads the running log and its static copy from many sides at once.
func TestHammer(t *testing.T) {
	for _, url := range []string{the.url + "/", serve(t, the.static) + "/"} {
		if ok, out := hammer(t, url); !ok {
			t.Fatalf("%s:\n%s", url, tail(out))
		}
	}
}

// TestHammerFlipped: of what is altered it finds what it looks at. Its read side hashes no entries.
func TestHammerFlipped(t *testing.T) {
	url := serve(t, the.static) + "/"
	looksAt := func(name, path string) bool { return path == "checkpoint" || name == "length in a bundle" }
	flipped(t, looksAt, func(t *testing.T, path string) {
		if ok, out := hammer(t, url); ok {
			t.Fatalf("%s was altered, and hammer says\n%s", path, tail(out))
		}
	})
}

func tail(out string) string { return out[max(0, len(out)-4000):] }
