package node

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/datadir"
)

// TestHeadFlipped: HEAD is a cache. A flipped byte in it is told and fails nothing, and the log goes on.
func TestHeadFlipped(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "d")
	n, err := upOn(t.Context(), whole)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b", "c"} {
		if _, _, err := sealOne(n, id); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if r, _, err := datadir.AuditDir(t.Context(), whole, audit.Config{}); err != nil || len(r.Notes) > 0 {
		t.Fatalf("an undamaged log: %q, %v", r.Notes, err)
	}
	const block = "nats/jetstream/LOG/streams/KV_HEAD/msgs/1.blk"
	b, err := os.ReadFile(filepath.Join(whole, block))
	if err != nil {
		t.Fatal(err)
	}
	newest := bytes.LastIndex(b, []byte("sealstream.local/"))
	for name, at := range map[string]int{
		"first record": 30, "the middle": len(b) / 2, "the newest checkpoint": newest, "its signature": newest + 60,
		"the end": len(b) - 1,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "d")
			if err := copyKept(whole, dir); err != nil {
				t.Fatal(err)
			}
			bad := bytes.Clone(b)
			bad[at] ^= 0x10
			if err := os.WriteFile(filepath.Join(dir, block), bad, 0o600); err != nil {
				t.Fatal(err)
			}
			r, _, err := datadir.AuditDir(t.Context(), dir, audit.Config{})
			if err != nil || r.Size != 4 || !strings.Contains(strings.Join(r.Notes, "\n"), "HEAD") {
				t.Errorf("size %d, %q, %v", r.Size, r.Notes, err)
			}
			n, err := upOn(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			if index, _, err := sealOne(n, "d"); err != nil || index != 4 {
				t.Errorf("index %d, %v", index, err)
			}
			if err := n.Close(); err != nil {
				t.Fatal(err)
			}
			if r, _, err := datadir.AuditDir(t.Context(), dir, audit.Config{}); err != nil || r.Size != 5 {
				t.Errorf("after another start: size %d, %v", r.Size, err)
			}
		})
	}
}

// TestHeadNewer: what HEAD holds under the log's signature is evidence: a log that ends before it was cut.
func TestHeadNewer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	older := dir + ".older"
	for i, id := range []string{"a", "b"} {
		n, err := upOn(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := sealOne(n, id); err != nil {
			t.Fatal(err)
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if err := copyKept(dir, older); err != nil {
				t.Fatal(err)
			}
		}
	}
	const head = "nats/jetstream/LOG/streams/KV_HEAD"
	if err := errors.Join(os.RemoveAll(filepath.Join(older, head)),
		copyKept(filepath.Join(dir, head), filepath.Join(older, head))); err != nil {
		t.Fatal(err)
	}
	_, _, err := datadir.AuditDir(t.Context(), older, audit.Config{})
	if m, ok := errors.AsType[*audit.MismatchError](err); !ok || m.What != "cut" {
		t.Errorf("a log that was cut: %v", err)
	}
}
