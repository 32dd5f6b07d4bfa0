package query_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/pkg/entry"
)

// tiled is a log of 521 entries in batches of several sizes, and its tree, made from the leaves past the index.
func tiled(t *testing.T) (*fixture, [][]byte, *merkle.Tree) {
	f := newFixture(t)
	for n := 0; n < 520; {
		var events [][]byte
		for range min(1+n%97, 520-n) {
			events = append(events,
				event(fmt.Sprintf("e-%d", n), map[string]any{"subject": strings.Repeat("r", n%50+1)}))
			n++
		}
		f.publish(events...)
	}
	f.await()
	var leaves [][]byte
	tree := new(merkle.Tree)
	for _, e := range f.scan() {
		leaves = append(leaves, e.Leaf)
		tree.Append(entry.LeafHash(e.Leaf))
	}
	return f, leaves, tree
}

// ok reads a path that must be there.
func (f *fixture) ok(path string, header ...string) answer {
	f.Helper()
	a := f.do("GET", path, header...)
	if a.StatusCode != 200 || a.err != nil {
		f.Fatalf("GET %s: %s %v\n%s", path, a.Status, a.err, a.body)
	}
	return a
}

func wantTile(t *testing.T, tile merkle.Tile, leaves [][]byte, tree *merkle.Tree) (b []byte) {
	t.Helper()
	if tile.Level == merkle.BundleLevel {
		for _, leaf := range leaves[tile.First() : tile.First()+uint64(tile.Width)] {
			b = merkle.AppendBundle(b, leaf)
		}
		return b
	}
	b, err := tlog.ReadTileData(tlog.Tile{H: 8, L: tile.Level, N: int64(tile.N), W: tile.Width}, tree)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestTiles compares every tile and bundle, of every width, with those made from the leaves.
func TestTiles(t *testing.T) {
	f, leaves, tree := tiled(t)
	served := 0
	for level := merkle.BundleLevel; level < 3; level++ {
		for n := range uint64(4) {
			for width := 1; width <= 256; width++ {
				tile := merkle.Tile{Level: level, N: n, Width: width}
				if !tile.In(f.size) {
					if width%50 == 1 || width == 256 {
						f.refused(404, "GET", "/"+tile.Path())
					}
					continue
				}
				served++
				a := f.ok("/" + tile.Path())
				if !bytes.Equal(a.body, wantTile(t, tile, leaves, tree)) {
					t.Fatalf("%s is another than the leaves make", tile.Path())
				}
				if a.Header.Get("Content-Type") != "application/octet-stream" ||
					a.Header.Get("Cache-Control") != "max-age=31536000, immutable" {
					t.Fatalf("%s: %v", tile.Path(), a.Header)
				}
			}
		}
	}
	if served != 2*521+2 {
		t.Fatalf("%d tiles and bundles", served)
	}
	for _, path := range strings.Fields(`/tile/0 /tile/0/ /tile/0/0 /tile/00/000 /tile/0/000.p/0 /tile/0/000.p/256 /tile/0/000.p/01 /tile/0/x000/000 /tile/0/%30%30%30
		/tile/entries /tile/entries/000.p/ /tile/entries/000.p/1/2 /tile/8/0/000 /tile/64/000 /tile/-1/000 /tile/entries/x000/000 /tile/entries/002 /tile/0/002
		/logs/other/checkpoint /logs/other/tile/0/000 /logs/default /logs/default/ /logs/default/tile/0/0 /logs/default/v1/entries /logs/default/checkpoint/ /tile/0/x001/000`) {
		f.refused(404, "GET", path)
	}
	f.refused(400, "GET", "/tile/0/000?x=1")
	f.refused(405, "POST", "/tile/0/000")
	for _, path := range []string{"/checkpoint", "/tile/0/000", "/tile/entries/001.p/7", "/tile/1/000.p/2"} {
		a, named := f.ok(path), f.ok("/logs/default"+path)
		if !bytes.Equal(a.body, named.body) || a.Header.Get("Content-Type") != named.Header.Get("Content-Type") {
			t.Fatalf("%s is another under the log's name", path)
		}
		if head := f.do("HEAD", path, "Accept-Encoding", "identity"); head.StatusCode != 200 || len(head.body) > 0 ||
			head.Header.Get("Content-Length") != fmt.Sprint(len(a.body)) {
			t.Fatalf("HEAD %s: %s %v", path, head.Status, head.Header)
		}
	}
	if a := f.ok("/checkpoint"); a.Header.Get("Content-Type") != "text/plain; charset=utf-8" ||
		a.Header.Get("Cache-Control") != "max-age=1" {
		t.Fatalf("checkpoint: %v", a.Header)
	}
}

// TestBundleGzip: bundles are compressed for those who say that they take it, and only bundles.
func TestBundleGzip(t *testing.T) {
	f, leaves, tree := tiled(t)
	want := wantTile(t, merkle.Tile{Level: merkle.BundleLevel, Width: 256}, leaves, tree)
	for accept, compressed := range map[string]bool{
		"gzip": true, "br, gzip;q=0.5": true, "GZIP": true, "*": true, "identity, *;q=0.1": true, "x-gzip": true, "gzip ; q=1": true,
		"": false, "identity": false, "br": false, "gzip;q=0": false, "gzip;q=0, *": false, "*;q=0": false, "gzip;q=x": false, "gzip;x": false, "gzipped": false,
	} {
		for range 2 { // the second from memory
			a := f.ok("/tile/entries/000", "Accept-Encoding", accept)
			body := a.body
			if compressed {
				r, err := gzip.NewReader(bytes.NewReader(body))
				if err != nil {
					t.Fatalf("%q: %v", accept, err)
				}
				if body, err = io.ReadAll(r); err != nil || len(a.body) > len(body)/2 {
					t.Fatalf("%q: %v, %d bytes for %d", accept, err, len(a.body), len(body))
				}
			}
			if !bytes.Equal(body, want) || (a.Header.Get("Content-Encoding") == "gzip") != compressed ||
				a.Header.Get("Vary") != "Accept-Encoding" {
				t.Fatalf("%q: %v", accept, a.Header)
			}
		}
		if a := f.ok("/tile/0/000", "Accept-Encoding", accept); a.Header.Get("Content-Encoding") != "" ||
			len(a.body) != 8192 {
			t.Fatalf("a tile of hashes under %q: %v", accept, a.Header)
		}
	}
}

// TestAlteredTiles: a leaf that was altered is not served, nor a tile or bundle over it.
func TestAlteredTiles(t *testing.T) {
	f, leaves, tree := tiled(t)
	m := f.find(42)
	isBad := func(path string) {
		t.Helper()
		if p := f.refused(500, "GET", path); p.Index == nil || *p.Index != 42 || !strings.Contains(p.Detail, "leaf") {
			t.Fatalf("%s: %+v", path, p)
		}
	}
	flip(t, m.Data, `"index":42`)
	isBad("/tile/entries/000")
	isBad("/tile/entries/000.p/43")
	isBad("/tile/0/000")
	if a := f.ok("/tile/entries/000.p/1"); !bytes.Equal(a.body,
		wantTile(t, merkle.Tile{Level: merkle.BundleLevel, Width: 1}, leaves, tree)) {
		t.Fatal("what was not altered")
	}
	f.ok("/tile/entries/001")
	f.ok("/tile/0/001")
	f.isBad(42, "leaf")
	flip(t, m.Data, `"index":42`)
	f.ok("/tile/entries/000")
	if !bytes.Equal(f.ok("/tile/0/000").body, wantTile(t, merkle.Tile{Width: 256}, leaves, tree)) {
		t.Fatal("another tile")
	}
}
