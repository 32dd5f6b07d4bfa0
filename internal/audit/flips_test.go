package audit_test

import (
	"os"
	"testing"

	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// TestFlips flips single bits of all that proves something of a log of 2,000 entries: of its
// leaves, payloads, tiles, checkpoint and proofs. A sample of them; with SEALSTREAM_EXHAUSTIVE set,
// every one. Whole directories of tiles are TestTileFlips'.
func TestFlips(t *testing.T) {
	w := generated(t, 7, 700)
	for seed := uint64(2); len(w.entries) < 2000; seed++ {
		w = generated(t, seed, 700*seed)
	}
	size := uint64(2000)
	var tree merkle.Tree
	for _, e := range w.entries[:size] {
		tree.Append(entry.LeafHash(e.Leaf))
	}
	root, err := tree.Root(size)
	if err != nil {
		t.Fatal(err)
	}
	note, err := w.signer.Sign(size, root)
	if err != nil {
		t.Fatal(err)
	}
	key := w.signer.VerifierKey()
	step := 997
	if os.Getenv("SEALSTREAM_EXHAUSTIVE") != "" {
		step = 1
	}
	next := 0 // the sample goes on from one to the next
	flip := func(raw []byte, passes func([]byte) bool) (n int) {
		t.Helper()
		for ; next < 8*len(raw); next += step {
			raw[next/8] ^= 1 << (next % 8)
			if passes(raw) {
				t.Errorf("bit %d of %d bytes: not detected: %.200q", next, len(raw), raw)
			}
			raw[next/8] ^= 1 << (next % 8)
			n++
		}
		next -= 8 * len(raw)
		return n
	}
	leaves, payloads, proofs, tiles, records := 0, 0, 0, 0, map[uint64]entry.Payload{}
	for _, body := range w.payloads {
		list, err := sealedlog.ParsePayloads(body)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range list {
			records[p.Index] = p
		}
	}
	for i, e := range w.entries[:size] {
		path, err := proof.Inclusion(uint64(i), size, &tree)
		if err != nil {
			t.Fatal(err)
		}
		leaves += flip(append([]byte(nil), e.Leaf...), func(leaf []byte) bool {
			return proof.CheckInclusion(entry.LeafHash(leaf), uint64(i), size, path, root) == nil
		})
		if p, ok := records[e.Index]; ok {
			payloads += flip(append(append([]byte(nil), p.Salt[:]...), p.Data...), func(raw []byte) bool {
				changed := entry.Payload{Index: p.Index, Salt: entry.Hash(raw[:len(p.Salt)]), Data: raw[len(p.Salt):]}
				return changed.Opens(e)
			})
		}
		if i%50 == 0 {
			file := proof.EntryProof{LeafIndex: uint64(i), MerkleProof: path, Checkpoint: string(note)}.FormatFile()
			proofs += flip(file, func(raw []byte) bool {
				f, err := proof.ParseFile(raw)
				if err == nil {
					_, err = f.Check(e.Leaf, key)
				}
				return err == nil
			})
		}
		h := entry.LeafHash(e.Leaf) // as it stands in a tile: with any other, the path leads elsewhere
		tiles += flip(append([]byte(nil), h[:]...), func(raw []byte) bool {
			return proof.CheckInclusion(entry.Hash(raw), uint64(i), size, path, root) == nil
		})
	}
	next, step = 0, min(step, 7)
	checkpoints := flip(note, func(raw []byte) bool { _, err := proof.OpenCheckpoint(raw, key); return err == nil })
	t.Logf("detected, all of them: %d flips of leaves, %d of payloads, %d of proof files, %d of hashes in tiles, "+
		"%d of the checkpoint", leaves, payloads, proofs, tiles, checkpoints)
}
