package node

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/datadir"
)

// TestFlippedSettings: one flipped bit in a stream's settings changes nothing of the log: it
// verifies as it is, starts, and goes on.
func TestFlippedSettings(t *testing.T) {
	for _, stream := range []string{
		"EVENTS_default", "SEALED_default", "PAYLOADS_default", "ALERTS_default", "KV_HEAD", "OBJ_ARCHIVE",
	} {
		for _, file := range []string{"meta.inf", "meta.sum"} {
			t.Run(stream+" "+file, func(t *testing.T) {
				t.Parallel()
				dir := filepath.Join(t.TempDir(), "d")
				n, err := upOn(t.Context(), dir)
				if err != nil {
					t.Fatal(err)
				}
				last, _, err := sealOne(n, "before")
				if err != nil {
					t.Fatal(err)
				}
				if err := n.Close(); err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(dir, datadir.DirNATS, "jetstream", "LOG", "streams", stream, file)
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				b[len(b)/2] ^= 4
				if err := os.WriteFile(path, b, 0o600); err != nil {
					t.Fatal(err)
				}
				if r, _, err := datadir.AuditDir(t.Context(), dir, audit.Config{}); err != nil || r.Size != last+1 {
					t.Errorf("verify of the directory: size %d, %v", r.Size, err)
				}
				for _, id := range []string{"after", "later"} {
					if n, err = upOn(t.Context(), dir); err != nil {
						t.Fatal(err)
					}
					index, _, err := sealOne(n, id)
					if err != nil || index != last+1 {
						t.Errorf("sealed at %d after %d, %v", index, last, err)
					}
					last = index
					if err := n.Close(); err != nil {
						t.Fatal(err)
					}
				}
				if r, _, err := datadir.AuditDir(t.Context(), dir, audit.Config{}); err != nil || r.Size != last+1 {
					t.Errorf("verify at the end: size %d, %v", r.Size, err)
				}
			})
		}
	}
}
