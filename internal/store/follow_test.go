package store_test

import (
	"context"
	"testing"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/sealer"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// sealed makes a log in memory of n events, in batches of at most three entries, and its key.
func sealed(t *testing.T, n int) (*store.Log, string) {
	t.Helper()
	l := logtest.New(t, store.NewMemory(logtest.Name), func(c *sealer.Config) { c.MaxEntries = 3 })
	l.Grow(n)
	return l.Store, l.Key
}

// TestFollowFromAnywhere begins at every index, with and without a key, with right and with wrong
// guesses at where that is, and wants each entry from there on once.
func TestFollowFromAnywhere(t *testing.T) {
	const n = 20
	l, vkey := sealed(t, n)
	for from := range uint64(n + 1) {
		for near := range uint64(n) {
			keys := []string{vkey}
			if near == 1 {
				keys = nil
			}
			next := from
			f := store.Follower{Log: l, Keys: keys, From: from, Near: near, Stop: true}
			for s, err := range f.Batches(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				if s.Batch.Size <= from || s.Entries[0].Index > next {
					t.Fatalf("from %d: a batch of %d to %d, want %d", from, s.Entries[0].Index, s.Batch.Size-1, next)
				}
				next = s.Batch.Size
			}
			if next != n+1 {
				t.Fatalf("from %d: ended at %d", from, next)
			}
		}
	}
}

// TestFollowSkipsVoid: a message that does not continue the log is skipped and told of, wherever the walk begins.
func TestFollowSkipsVoid(t *testing.T) {
	l, vkey := sealed(t, 10)
	m, err := l.Sealed.Get(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Sealed.Append(t.Context(), m, nil); err != nil { // signed, but it was said before
		t.Fatal(err)
	}
	for from := range uint64(11) {
		var void []uint64
		next := from
		f := store.Follower{
			Log: l, Keys: []string{vkey}, From: from, Stop: true,
			Void: func(seq uint64, why error) { void = append(void, seq) },
		}
		for s, err := range f.Batches(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			next = s.Batch.Size
		}
		if next != 11 || len(void) != 1 {
			t.Fatalf("from %d: ended at %d, void %v", from, next, void)
		}
	}
}

// TestFollowNamesWhatIsMissing: a hole in SEALED is an error that names the index from which on nothing can be read.
func TestFollowNamesWhatIsMissing(t *testing.T) {
	l, vkey := sealed(t, 10)
	at, err := store.FindBatch(t.Context(), l, 5)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Sealed.(store.Purger).SecureDelete(t.Context(), at.Seq); err != nil {
		t.Fatal(err)
	}
	r, err := store.Audit(t.Context(), l, audit.Config{Keys: []string{vkey}})
	if err == nil || r.Size != at.Batch.First {
		t.Fatalf("audit: size %d, %v; want a failure at %d", r.Size, err, at.Batch.First)
	}
	for _, err = range store.Follow(t.Context(), l, 0, vkey) {
	}
	if err == nil {
		t.Fatal("the hole was read over")
	}
}

// counted counts the messages that are asked for one by one.
type counted struct {
	store.Stream
	gets int
}

func (c *counted) Get(ctx context.Context, seq uint64) (entry.Message, error) {
	c.gets++
	return c.Stream.Get(ctx, seq)
}

// TestFindBatchNear: a right guess takes one message, and a wrong one finds the same batch.
func TestFindBatchNear(t *testing.T) {
	l, _ := sealed(t, 60)
	c := &counted{Stream: l.Sealed}
	l.Sealed = c
	for index := range uint64(61) {
		want, err := store.FindBatch(t.Context(), l, index)
		if err != nil {
			t.Fatal(err)
		}
		for near := range want.Seq + 3 {
			c.gets = 0
			at, err := store.FindBatchNear(t.Context(), l, index, near)
			if err != nil || at.Seq != want.Seq || near == want.Seq && c.gets != 1 {
				t.Fatalf("index %d near %d: sequence %d in %d reads, %v", index, near, at.Seq, c.gets, err)
			}
		}
	}
}
