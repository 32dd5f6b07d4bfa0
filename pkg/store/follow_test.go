package store_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/sealer"
	"github.com/sealstream/sealstream/pkg/store"
)

// sealed makes a log in memory of n events, in batches of at most three entries, and its key.
func sealed(t *testing.T, n int) (*store.Log, string) {
	t.Helper()
	skey, vkey, err := proof.GenerateKey("test.example", "default")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := proof.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	l := store.NewMemory("default")
	cfg := sealer.Config{Log: l, Signer: signer, Secret: make([]byte, 32), MaxEntries: 3}
	if err := sealer.Create(t.Context(), cfg, true); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		body := fmt.Appendf(nil, `{"specversion":"1.0","id":"%d","source":"s","type":"t"}`, i)
		if _, err := l.Events.Append(t.Context(), entry.Message{Subject: "audit.default.events.open", Data: body}, nil); err != nil {
			t.Fatal(err)
		}
	}
	s, err := sealer.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	for e, err := range store.Follow(ctx, l, 0, vkey) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Index == uint64(n) {
			break
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return l, vkey
}

// TestFollowFromAnywhere begins at every index, with and without a key, and wants each entry from there on once.
func TestFollowFromAnywhere(t *testing.T) {
	const n = 20
	l, vkey := sealed(t, n)
	for from := range uint64(n + 1) {
		for _, keys := range [][]string{{vkey}, nil} {
			next := from
			for s, err := range (store.Follower{Log: l, Keys: keys, From: from, Stop: true}).Batches(t.Context()) {
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
		f := store.Follower{Log: l, Keys: []string{vkey}, From: from, Stop: true, Void: func(seq uint64, why error) { void = append(void, seq) }}
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
	r, err := store.Audit(t.Context(), l, proof.AuditConfig{Keys: []string{vkey}})
	if err == nil || r.Size != at.Batch.First {
		t.Fatalf("audit: size %d, %v; want a failure at %d", r.Size, err, at.Batch.First)
	}
	for _, err = range store.Follow(t.Context(), l, 0, vkey) {
	}
	if err == nil {
		t.Fatal("the hole was read over")
	}
}
