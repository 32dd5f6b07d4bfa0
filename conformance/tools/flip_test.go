package interop

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// flips are the ways in which one bit of the static log is turned: in which file, and of which of its bytes.
var flips = []struct {
	name, path string
	at         func(b []byte) int
}{
	{"first leaf tile", "tile/0/000", func(b []byte) int { return 0 }},
	{"leaf tile", "tile/0/137", func(b []byte) int { return len(b) / 3 }},
	{"partial leaf tile", "tile/0/273.p/113", func(b []byte) int { return len(b) - 1 }},
	{"upper tile", "tile/1/000", func(b []byte) int { return 77 * 32 }},
	{"partial upper tile", "tile/1/001.p/17", func(b []byte) int { return 16 * 32 }},
	{"top tile", "tile/2/000.p/1", func(b []byte) int { return 31 }},
	{"bundle", "tile/entries/200", func(b []byte) int { return len(b) / 2 }},
	{"last byte of a bundle", "tile/entries/255", func(b []byte) int { return len(b) - 1 }},
	{"partial bundle", "tile/entries/273.p/113", func(b []byte) int { return len(b) - 1 }},
	{"length in a bundle", "tile/entries/001", func(b []byte) int { return 1 }},
	{"origin", "checkpoint", func(b []byte) int { return 0 }},
	{"size", "checkpoint", func(b []byte) int { return bytes.IndexByte(b, '\n') + 1 }},
	{"root", "checkpoint", func(b []byte) int { return bytes.Index(b, []byte("\n\n")) - 40 }},
	{"signature", "checkpoint", func(b []byte) int { return len(b) - 40 }},
}

func every(name, path string) bool { return true }

// flipped runs a check for each of the flips that are wanted, on the static log with that one bit turned.
func flipped(t *testing.T, wanted func(name, path string) bool, check func(t *testing.T, path string)) {
	for _, f := range flips {
		if !wanted(f.name, f.path) {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			file := filepath.Join(the.static, f.path)
			whole, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := os.WriteFile(file, whole, 0o644); err != nil {
					t.Fatal(err)
				}
			}()
			bad := bytes.Clone(whole)
			bad[f.at(bad)] ^= 1
			if err := os.WriteFile(file, bad, 0o644); err != nil {
				t.Fatal(err)
			}
			check(t, f.path)
		})
	}
}
