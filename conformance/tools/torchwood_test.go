package interop

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// policy takes what the log's key has signed under its own origin.
func policy(t *testing.T) torchwood.Policy {
	t.Helper()
	v, err := note.NewVerifier(the.vkey)
	if err != nil {
		t.Fatal(err)
	}
	return torchwood.ThresholdPolicy(2, torchwood.OriginPolicy(v.Name()), torchwood.SingleVerifierPolicy(v))
}

// readAll is a whole client: the checkpoint by its key, then all entries against it.
func readAll(t *testing.T, tiles torchwood.TileReader, each func(i int64, entry []byte)) (tlog.Tree, error) {
	t.Helper()
	signed, err := tiles.ReadEndpoint(t.Context(), "checkpoint")
	if err != nil {
		return tlog.Tree{}, err
	}
	cp, _, err := torchwood.VerifyCheckpoint(signed, policy(t))
	if err != nil {
		return tlog.Tree{}, err
	}
	client, err := torchwood.NewClient(tiles)
	if err != nil {
		return tlog.Tree{}, err
	}
	next := int64(0)
	for i, entry := range client.AllEntries(t.Context(), cp.Tree, 0) {
		if i != next {
			return cp.Tree, fmt.Errorf("entry %d after %d", i, next-1)
		}
		each(i, entry)
		next++
	}
	if err := client.Err(); err != nil {
		return cp.Tree, err
	}
	if next != cp.N {
		return cp.Tree, fmt.Errorf("%d entries of %d", next, cp.N)
	}
	return cp.Tree, nil
}

func fetcher(t *testing.T, base string) *torchwood.TileFetcher {
	t.Helper()
	f, err := torchwood.NewTileFetcher(base)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func isLeaf(t *testing.T, i int64, entry []byte) {
	t.Helper()
	var leaf struct {
		V     int
		Index *int64
	}
	if err := json.Unmarshal(entry, &leaf); err != nil || leaf.V != 1 || leaf.Index == nil || *leaf.Index != i {
		t.Fatalf("entry %d is no leaf of that index: %v %.200s", i, err, entry)
	}
}

// TestTorchwood reads all entries of the running log under both of its prefixes, of its static copy
// behind a file server, and of its files: all are the same log.
func TestTorchwood(t *testing.T) {
	files, err := torchwood.NewTileFS(os.DirFS(the.static))
	if err != nil {
		t.Fatal(err)
	}
	var trees []tlog.Tree
	for name, tiles := range map[string]torchwood.TileReader{
		"running": fetcher(t, the.url), "running, by name": fetcher(t, the.url+"/logs/default"), "static": fetcher(t, serve(t, the.static)), "files": files,
	} {
		tree, err := readAll(t, tiles, func(i int64, entry []byte) { isLeaf(t, i, entry) })
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		trees = append(trees, tree)
	}
	for _, tree := range trees {
		if tree != trees[0] || tree.N != logSize+1 {
			t.Fatalf("%v and %v", tree, trees[0])
		}
	}
}

// TestTorchwoodProofs makes inclusion and consistency proofs of the running log's tiles, and checks
// the log's own with torchwood.
func TestTorchwoodProofs(t *testing.T) {
	tiles := fetcher(t, the.url)
	signed, err := tiles.ReadEndpoint(t.Context(), "checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	cp, _, err := torchwood.VerifyCheckpoint(signed, policy(t))
	if err != nil {
		t.Fatal(err)
	}
	client, err := torchwood.NewClient(tiles)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int64{0, 1, 255, 256, 65_535, 65_536, 69_887, 69_888, cp.N - 1} {
		entry, proof, err := client.Entry(t.Context(), cp.Tree, i)
		if err != nil {
			t.Fatalf("entry %d: %v", i, err)
		}
		isLeaf(t, i, entry)
		if err := torchwood.VerifyProof(policy(t), tlog.RecordHash(entry),
			torchwood.FormatProof(i, proof, signed)); err != nil {
			t.Fatalf("own proof of entry %d: %v", i, err)
		}
		ours := accepted(t, fmt.Sprintf("/v1/entries/%d/proof", i), "text/plain")
		if err := torchwood.VerifyProof(policy(t), tlog.RecordHash(entry), ours); err != nil {
			t.Fatalf("the log's proof of entry %d: %v\n%s", i, err, ours)
		}
		if err := torchwood.VerifyProof(policy(t), tlog.RecordHash(append(entry, ' ')), ours); err == nil {
			t.Fatalf("the log's proof of entry %d proves another entry", i)
		}
	}
	if _, _, err := client.Entry(t.Context(), cp.Tree, cp.N); err == nil {
		t.Fatal("an entry beyond the end")
	}
	for _, from := range []int64{1, 2, 255, 256, 257, 65_535, 65_536, 69_999, cp.N} {
		consistent(t, tiles, cp.Tree, from)
	}
}

// consistent compares the log's consistency proof with the one made of its tiles, and checks it.
func consistent(t *testing.T, tiles torchwood.TileReader, tree tlog.Tree, from int64) {
	t.Helper()
	var c struct {
		Proof    []string
		FromRoot string `json:"from_root"`
		ToRoot   string `json:"to_root"`
	}
	if err := json.Unmarshal(accepted(t, fmt.Sprintf("/v1/consistency?from=%d&to=%d", from, tree.N),
		"application/json"), &c); err != nil {
		t.Fatal(err)
	}
	reader := torchwood.TileHashReaderWithContext(context.Background(), tree, tiles)
	old, err := tlog.TreeHash(from, reader)
	if err != nil {
		t.Fatal(err)
	}
	want, err := tlog.ProveTree(tree.N, from, reader)
	if err != nil {
		t.Fatal(err)
	}
	var got tlog.TreeProof
	for _, text := range c.Proof {
		h, err := hex.DecodeString(text)
		if err != nil || len(h) != 32 {
			t.Fatalf("%q: %v", text, err)
		}
		got = append(got, tlog.Hash(h))
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || c.FromRoot != hex.EncodeToString(old[:]) ||
		c.ToRoot != hex.EncodeToString(tree.Hash[:]) {
		t.Fatalf("consistency from %d: another proof than the tiles make", from)
	}
	if err := tlog.CheckTree(got, tree.N, tree.Hash, from, old); err != nil {
		t.Fatalf("consistency from %d: %v", from, err)
	}
}

// accepted asks the API for a content type.
func accepted(t *testing.T, path, accept string) []byte {
	t.Helper()
	b, err := fetchAs(the.url+path, accept)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestTorchwoodFlipped: one bit of a tile, a bundle or the checkpoint, and the client refuses.
func TestTorchwoodFlipped(t *testing.T) {
	flipped(t, every, func(t *testing.T, path string) {
		files, err := torchwood.NewTileFS(os.DirFS(the.static))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := readAll(t, files, func(int64, []byte) {}); err == nil {
			t.Fatalf("%s was altered, and all entries were read", path)
		}
	})
	if _, err := readAll(t, fetcher(t, serve(t, the.static)), func(int64, []byte) {}); err != nil {
		t.Fatalf("with all bits as they were: %v", err)
	}
}

// TestNoPayload: what leaves the house as tiles holds no payload.
func TestNoPayload(t *testing.T) {
	bundle, err := fetch(the.url + "/tile/entries/100")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(bundle, []byte(`"data_hash"`)) || bytes.Contains(bundle, []byte(`"n"`)) ||
		strings.Contains(string(bundle), `"salt"`) {
		t.Fatalf("%.600s", bundle)
	}
}
