package main

import (
	"encoding/binary"
	"encoding/json"
	"testing"

	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/pkg/entry"
)

// TestOutline: of a tree of any size the outline stays small, gives the roots that it can, finds
// every fork in its blocks, and survives the state file.
func TestOutline(t *testing.T) {
	const size = 3*maxOutline + 5
	leaf := func(i uint64) entry.Hash { return entry.LeafHash(binary.BigEndian.AppendUint64(nil, i)) }
	grown := func(n, fork uint64) *outline {
		o := &outline{}
		for i := range n {
			if h := leaf(i); i < fork {
				o.append(h)
			} else {
				o.append(entry.Hash{1})
			}
		}
		return o
	}
	whole := grown(size, size)
	raw, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	kept := &outline{}
	if err := json.Unmarshal(raw, kept); err != nil || len(kept.blocks) > maxOutline || kept.level != 2 {
		t.Fatalf("%d blocks of level %d: %v", len(kept.blocks), kept.level, err)
	}
	var f merkle.Frontier
	for n := range uint64(size + 1) {
		root, ok := kept.root(n)
		if want := n%4 == 0 || n == size; ok != want || ok && root != f.Root() {
			t.Fatalf("size %d: %v, root %v", n, ok, root == f.Root())
		}
		f.Append(leaf(n))
	}
	if _, ok := kept.root(size + 3); ok {
		t.Error("a root beyond the tree")
	}
	for _, n := range []uint64{
		0, 1, 3, 4, 7, maxOutline - 1, maxOutline, maxOutline + 1, 2 * maxOutline, size - 1, size,
	} {
		if compared, _, same := kept.compare(grown(n, n)); !same || compared != n/4*4 {
			t.Errorf("a copy of size %d: %d compared, %v", n, compared, same)
		}
		if n < 4 {
			continue
		}
		for _, fork := range []uint64{0, n / 2, n/4*4 - 1} {
			if _, at, same := kept.compare(grown(n, fork)); same || at != fork/4*4 {
				t.Errorf("size %d, a fork at %d: same %v, at %d", n, fork, same, at)
			}
		}
	}
	small := grown(100, 100)
	for n := range uint64(101) {
		if compared, _, same := small.compare(grown(n, n)); !same || compared != n {
			t.Errorf("a small log, a copy of size %d: %d compared, %v", n, compared, same)
		}
		if n > 0 {
			if _, at, same := small.compare(grown(n, n-1)); same || at != n-1 {
				t.Errorf("a small log, a fork at %d: same %v, at %d", n-1, same, at)
			}
		}
	}
	for _, bad := range []string{
		`{}`, `{"size":1,"level":0,"blocks":"","rest":""}`, `{"size":1,"level":60}`,
		`{"size":3,"level":1,"blocks":"AA==","rest":""}`, `[]`,
	} {
		if err := json.Unmarshal([]byte(bad), &outline{}); err == nil && bad != `{}` {
			t.Errorf("%s is taken", bad)
		}
	}
}
