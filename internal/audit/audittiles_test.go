package audit_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// tileFiles is the files of a tiles directory.
type tileFiles map[string][]byte

func (f tileFiles) Read(path string) ([]byte, error) {
	raw, ok := f[path]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return raw, nil
}

func (f tileFiles) Widths(path string) ([]int, error) {
	var list []int
	for w := 1; w < merkle.TileWidth; w++ {
		if _, ok := f[fmt.Sprintf("%s.p/%d", path, w)]; ok {
			list = append(list, w)
		}
	}
	return list, nil
}

// tilesOf writes the tiles of entries, for the last size and for those given before it.
func tilesOf(t testing.TB, entries []entry.Entry, s *proof.Signer, sizes ...int) tileFiles {
	t.Helper()
	f := tileFiles{}
	for _, size := range append(sizes, len(entries)) {
		row := make([]entry.Hash, size)
		for i := range row {
			row[i] = entry.LeafHash(entries[i].Leaf)
		}
		for first := 0; first < size; first += merkle.TileWidth {
			var bundle []byte
			end := min(size, first+merkle.TileWidth)
			for _, e := range entries[first:end] {
				bundle = merkle.AppendBundle(bundle, e.Leaf)
			}
			f[merkle.BundlePath(uint64(first/merkle.TileWidth), end-first)] = bundle
		}
		for level := 0; len(row) > 0; level++ {
			var above []entry.Hash
			for first := 0; first < len(row); first += merkle.TileWidth {
				part := row[first:min(len(row), first+merkle.TileWidth)]
				var tile []byte
				for _, h := range part {
					tile = append(tile, h[:]...)
				}
				f[merkle.TilePath(level, uint64(first/merkle.TileWidth), len(part))] = tile
				if len(part) == merkle.TileWidth {
					above = append(above, merkle.PerfectRoot(part))
				}
			}
			row = above
		}
		var tree merkle.Frontier
		for _, e := range entries[:size] {
			tree.Append(entry.LeafHash(e.Leaf))
		}
		note, err := s.Sign(uint64(size), tree.Root())
		if err != nil {
			t.Fatal(err)
		}
		f["checkpoint"] = note
	}
	return f
}

// manyEntries makes a log of plain events.
func manyEntries(t testing.TB, n int) *writer {
	w := newWriter(t)
	for i := 1; len(w.entries) < n; i++ {
		w.plain(uint64(i+1), 0)
	}
	return w
}

// TestAuditTiles: directories of every shape are audited as what they are, whichever smaller tiles stand beside.
func TestAuditTiles(t *testing.T) {
	w := manyEntries(t, 1300)
	for _, size := range []int{1, 2, 255, 256, 257, 512, 1300} {
		f := tilesOf(t, w.entries[:size], w.signer, min(size, 100), min(size, 300))
		for _, keys := range [][]string{{w.signer.VerifierKey()}, nil} {
			r, err := audit.Tiles(audit.Config{Keys: keys}, f)
			if err != nil || r.Size != uint64(size) || r.Events+r.Own != r.Size || r.Key != w.signer.VerifierKey() ||
				r.DataChecked || !bytes.Equal(r.Checkpoint, f["checkpoint"]) {
				t.Fatalf("size %d: %+v %v", size, r, err)
			}
		}
	}
	f := tilesOf(t, w.entries, w.signer)
	_, err := audit.Tiles(audit.Config{Keys: []string{signer(2).VerifierKey()}}, f)
	if index, what := first(t, err); index != 0 || what != "signature" {
		t.Error(err)
	}
	known := func(size int) error {
		cp, err := proof.OpenCheckpoint(tilesOf(t, w.entries[:size], w.signer)["checkpoint"], w.signer.VerifierKey())
		if err != nil {
			t.Fatal(err)
		}
		_, err = audit.Tiles(audit.Config{Known: []proof.Checkpoint{cp}}, tilesOf(t, w.entries[:700], w.signer))
		return err
	}
	if err := known(300); err != nil {
		t.Error(err)
	}
	if _, what := first(t, known(900)); what != "cut" {
		t.Error("a directory that was cut")
	}
	if _, err := audit.Tiles(audit.Config{}, tileFiles{}); !errors.Is(err, audit.ErrTiles) {
		t.Error(err)
	}
}

// TestAuditTilesGrown: a server whose log has grown since the checkpoint was read serves wider tiles.
func TestAuditTilesGrown(t *testing.T) {
	w := manyEntries(t, 600)
	f := tilesOf(t, w.entries, w.signer)
	f["checkpoint"] = tilesOf(t, w.entries[:400], w.signer)["checkpoint"]
	if r, err := audit.Tiles(audit.Config{}, f); err != nil || r.Size != 400 {
		t.Errorf("%+v %v", r, err)
	}
}

// TestAuditTilesChanges: whatever is changed of a directory is found, and where it was.
func TestAuditTilesChanges(t *testing.T) {
	w := manyEntries(t, 700)
	good := tilesOf(t, w.entries, w.signer, 90, 600)
	keys := []string{w.signer.VerifierKey()}
	bad := func(name string, index int, change func(f tileFiles)) {
		t.Helper()
		f := maps.Clone(good)
		change(f)
		_, err := audit.Tiles(audit.Config{Keys: keys}, f)
		at, what := first(t, err)
		if index >= 0 && at != uint64(index) {
			t.Errorf("%s: %v (%s), want index %d", name, err, what, index)
		}
	}
	for path := range good {
		bad(path+" emptied", -1, func(f tileFiles) { f[path] = nil })
		bad(path+" cut", -1, func(f tileFiles) { f[path] = f[path][:len(f[path])-1] })
		bad(path+" made longer", -1, func(f tileFiles) { f[path] = append(bytes.Clone(f[path]), 0) })
		// of an earlier size
		if path != "checkpoint" && !strings.Contains(path, "/0/000.p/") && !strings.Contains(path, "entries/000.p/") &&
			!strings.Contains(path, "p/88") {
			bad(path+" removed", -1, func(f tileFiles) { delete(f, path) })
		}
	}
	replace := func(path, old, new string) func(f tileFiles) {
		return func(f tileFiles) {
			if !bytes.Contains(f[path], []byte(old)) {
				t.Fatalf("%s does not hold %s", path, old)
			}
			f[path] = bytes.Replace(f[path], []byte(old), []byte(new), 1)
		}
	}
	bad("an entry", 300, replace(merkle.BundlePath(1, 0), `"entry_id":"301-0"`, `"entry_id":"999-0"`))
	bad("the last entry", 699, replace(merkle.BundlePath(2, 188), `"entry_id":"700-0"`, `"entry_id":"999-0"`))
	bad("entries in another order", 2, func(f tileFiles) {
		list := slices.Clone(w.entries)
		list[2], list[3] = list[3], list[2]
		f[merkle.BundlePath(0, 0)] = tilesOf(t, list, w.signer)[merkle.BundlePath(0, 0)]
	})
	bad("an inner node", 256, func(f tileFiles) {
		tile := bytes.Clone(f[merkle.TilePath(1, 0, 2)])
		tile[40]++
		f[merkle.TilePath(1, 0, 2)] = tile
	})
	bad("all of it made anew but the checkpoint", 699, func(f tileFiles) {
		other := newWriter(t)
		for i := 1; len(other.entries) < 700; i++ {
			other.event(uint64(i+1), 0, entry.Event{
				ID: fmt.Sprint(i), Source: "did:mesh:bob", Type: "x.y", EventType: "x.y",
			})
		}
		note := f["checkpoint"]
		clear(f)
		maps.Copy(f, tilesOf(t, other.entries, w.signer))
		f["checkpoint"] = note
	})
}

// TestTileFlips flips bits of all files of a directory: of one of two levels a sample, and of a
// small one, with SEALSTREAM_EXHAUSTIVE set, every one.
func TestTileFlips(t *testing.T) {
	for _, size := range []int{12, 270} {
		step := 997
		if os.Getenv("SEALSTREAM_EXHAUSTIVE") != "" && size == 12 {
			step = 1
		}
		w := manyEntries(t, size)
		good := tilesOf(t, w.entries, w.signer, 9)
		keys := []string{w.signer.VerifierKey()}
		flips, random := 0, rand.New(rand.NewPCG(1, 2))
		for _, path := range slices.Sorted(maps.Keys(good)) {
			for bit := random.IntN(min(step, 8*len(good[path]))); bit < 8*len(good[path]); bit += step {
				f := maps.Clone(good)
				f[path] = bytes.Clone(good[path])
				f[path][bit/8] ^= 1 << (bit % 8)
				flips++
				if _, err := audit.Tiles(audit.Config{Keys: keys}, f); err == nil {
					t.Errorf("bit %d of %s: not detected", bit, path)
				}
			}
		}
		t.Logf("%d entries: %d flips of %d files, all detected", size, flips, len(good))
	}
}
