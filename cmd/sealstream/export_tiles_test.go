package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/node"
	"github.com/sealstream/sealstream/pkg/proof"
)

// published is a log that is exported as tiles again and again while it grows.
type published struct {
	*testing.T
	node *node.Node
	dir  string
	n    int
}

// grow records events, and waits until the checkpoint that is served covers them.
func (p *published) grow(events int) {
	p.Helper()
	for events > 0 {
		var body bytes.Buffer
		for range min(events, 256) {
			fmt.Fprintf(&body, `,{"specversion":"1.0","id":"%d","source":"did:web:a","type":"t"}`, p.n)
			p.n++
			events--
		}
		body.Bytes()[0] = '['
		body.WriteByte(']')
		resp, err := http.Post(p.node.URL()+"/v1/events?wait=sealed", "application/cloudevents-batch+json", &body)
		if err != nil || resp.StatusCode != http.StatusOK {
			p.Fatal(err, resp)
		}
		resp.Body.Close()
	}
	for size := uint64(0); size < uint64(p.n)+1; time.Sleep(time.Millisecond) {
		resp, err := http.Get(p.node.URL() + "/checkpoint")
		if err != nil {
			p.Fatal(err)
		}
		note, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if cp, err := proof.OpenCheckpoint(note, p.node.Key()); err == nil {
			size = cp.Size
		}
	}
}

func (p *published) export() (status int, said string) {
	var out bytes.Buffer
	status = run(p.Context(),
		[]string{"export", "--server", p.node.URL(), "--key", p.node.Key(), "--format", "tiles", p.dir}, nil, &out,
		&out)
	return status, out.String()
}

// files are the directory's files with their content.
func (p *published) files() map[string]string {
	p.Helper()
	list := map[string]string{}
	err := filepath.WalkDir(p.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		rel, _ := filepath.Rel(p.dir, path)
		list[filepath.ToSlash(rel)] = string(b)
		return err
	})
	if err != nil {
		p.Fatal(err)
	}
	return list
}

// check holds the directory to its checkpoint: all tiles and bundles of its size are there, and of
// no other size but what was partial before.
func (p *published) check() {
	p.Helper()
	files := p.files()
	cp, err := proof.OpenCheckpoint([]byte(files["checkpoint"]), p.node.Key())
	if err != nil || cp.Size != uint64(p.n)+1 {
		p.Fatalf("size %d of %d: %v", cp.Size, p.n, err)
	}
	for level := merkle.BundleLevel; cp.Size>>(8*max(level, 0)) > 0; level++ {
		hashes := cp.Size >> (8 * max(level, 0))
		for n := uint64(0); n*merkle.TileWidth < hashes; n++ {
			t := merkle.Tile{Level: level, N: n, Width: int(min(merkle.TileWidth, hashes-n*merkle.TileWidth))}
			if _, there := files[t.Path()]; !there {
				p.Errorf("%s is not there", t.Path())
			}
		}
	}
	for path := range files {
		if path == "checkpoint" {
			continue
		}
		t, ok := merkle.ParseTilePath(path)
		full := merkle.Tile{Level: t.Level, N: t.N, Width: merkle.TileWidth}
		if _, both := files[full.Path()]; !ok || !t.In(cp.Size) || both && t != full {
			p.Errorf("%s is left over", path)
		}
	}
}

// TestExportTiles exports at sizes around those at which tiles are full, once as if the run before
// had crashed before its checkpoint.
func TestExportTiles(t *testing.T) {
	n, err := node.Up(t.Context(), node.UpConfig{
		Data: filepath.Join(t.TempDir(), "d"), HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	p := &published{T: t, node: n, dir: filepath.Join(t.TempDir(), "public")}
	times := map[string]os.FileInfo{}
	for i, more := range []int{0, 10, 244, 1, 1, 256, 300, 700} {
		p.grow(more)
		if i == 5 {
			if err := os.Remove(filepath.Join(p.dir, "checkpoint")); err != nil {
				t.Fatal(err)
			}
		}
		if status, said := p.export(); status != 0 {
			t.Fatalf("%d entries: %s", p.n, said)
		}
		p.check()
		for path := range p.files() {
			info, err := os.Stat(filepath.Join(p.dir, path))
			if err != nil {
				t.Fatal(err)
			}
			if old := times[path]; old != nil && path != "checkpoint" &&
				(!os.SameFile(old, info) || !old.ModTime().Equal(info.ModTime())) {
				t.Errorf("%s was written again", path)
			}
			times[path] = info
		}
	}
	p.flip()
}

// flip turns a bit of each file that a run looks at, and each time the run must refuse, and leave
// the checkpoint and the files alone.
func (p *published) flip() {
	p.grow(300)
	before := p.files()
	paths := []string{"checkpoint", "tile/0/000", "tile/0/001", "tile/0/003"}
	for _, path := range paths {
		for _, at := range []int{0, len(before[path]) / 2} {
			bad := []byte(before[path])
			if bad[at] ^= 1; path == "checkpoint" {
				at = strings.IndexByte(before[path], '\n') + 1
				bad = []byte(before[path][:at] + "9" + before[path][at:]) // a longer log
			}
			if err := os.WriteFile(filepath.Join(p.dir, path), bad, 0o644); err != nil {
				p.Fatal(err)
			}
			if status, said := p.export(); status != 1 {
				p.Errorf("%s was altered, status %d: %s", path, status, said)
			}
			if err := os.WriteFile(filepath.Join(p.dir, path), []byte(before[path]), 0o644); err != nil {
				p.Fatal(err)
			}
			after := p.files()
			for path, content := range before {
				if after[path] != content {
					p.Errorf("%s has changed", path)
				}
			}
			if len(after) != len(before) {
				p.Errorf("%d files, there were %d", len(after), len(before))
			}
		}
	}
	if status, said := p.export(); status != 0 {
		p.Fatal(said)
	}
	p.check()
}
