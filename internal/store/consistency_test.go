package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"

	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/sealer"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// treeOf makes the tree of a log, from its leaves alone.
func treeOf(t *testing.T, log *store.Log, vkey string) *merkle.Tree {
	t.Helper()
	tree := new(merkle.Tree)
	f := store.Follower{Log: log, Keys: []string{vkey}, Stop: true}
	for s, err := range f.Batches(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range s.Entries {
			tree.Append(entry.LeafHash(e.Leaf))
		}
	}
	return tree
}

// counting counts the messages that are read.
type counting struct {
	store.Stream
	n int
}

func (c *counting) Get(ctx context.Context, seq uint64) (entry.Message, error) {
	c.n++
	return c.Stream.Get(ctx, seq)
}

// TestConsistency: roots and proofs from SEALED are those of the tree, between any two sizes, with
// void messages among the batches; and few of them are read.
func TestConsistency(t *testing.T) {
	l := logtest.New(t, store.NewMemory(logtest.Name), func(c *sealer.Config) { c.MaxEntries = 5 })
	void := func(m entry.Message) {
		if _, err := l.Store.Sealed.Append(t.Context(), m, nil); err != nil {
			t.Fatal(err)
		}
	}
	for i, n := range []int{3, 1, 300, 41, 256, 2, 400, 1, 97} {
		l.Grow(n)
		last, err := l.Store.Sealed.Last(t.Context(), "audit.default.sealed")
		if err != nil {
			t.Fatal(err)
		}
		first, err := l.Store.Sealed.Get(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		switch i % 3 {
		case 0: // a batch that was said before, and junk
			void(first)
			void(entry.Message{Subject: first.Subject, Data: []byte("nothing\n")})
		case 1: // what a losing sealer wrote
			last.Header = maps.Clone(last.Header)
			last.Header["Sealstream-Payloads"] = []string{"9999"}
			void(last)
		}
	}
	tree := treeOf(t, l.Store, l.Key)
	sealed := &counting{Stream: l.Store.Sealed}
	log := *l.Store
	log.Sealed = sealed
	most, near := 0, 0
	for _, to := range []uint64{1, 2, 3, 255, 256, 257, 511, 700, 1024, 1025, tree.Size()} {
		for from := uint64(0); from <= to; from += 1 + to/23 {
			sealed.n = 0
			root, got, err := store.Consistency(t.Context(), &log, from, to)
			if most = max(most, sealed.n); from > 1050 {
				near = max(near, sealed.n)
			}
			want, _ := proof.Consistency(from, to, tree)
			if wantRoot, _ := tree.Root(from); err != nil || root != wantRoot || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("%d to %d: %v\n%v\nwant\n%v", from, to, err, got, want)
			}
		}
	}
	if t.Logf("%d and %d messages are read", most, near); most > 60 || near > 24 {
		t.Errorf("%d messages of SEALED are read for one proof, and %d near the end", most, near)
	}
	for _, sizes := range [][2]uint64{{5, tree.Size() + 1}, {tree.Size() + 1, tree.Size() + 2}} {
		if _, _, err := store.Consistency(t.Context(), &log, sizes[0], sizes[1]); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%v: %v, want ErrNotFound", sizes, err)
		}
	}
	if _, _, err := store.Consistency(t.Context(), &log, 9, 8); err == nil {
		t.Error("a larger tree is a prefix of a smaller one")
	}
}
