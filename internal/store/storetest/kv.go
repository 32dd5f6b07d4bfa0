package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/sealstream/sealstream/internal/store"
)

func testKV(t *testing.T, l *store.Log) {
	ctx, kv, key := t.Context(), l.Cursors, "default/webhook/x001/dead/234"
	if _, _, err := kv.Get(ctx, key); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("Get: %v, want ErrNotFound", err)
	}
	if err := kv.Create(ctx, key, []byte("1")); err != nil {
		t.Fatal(err)
	}
	if err := kv.Create(ctx, key, []byte("2")); !errors.Is(err, store.ErrExists) {
		t.Fatalf("Create: %v, want ErrExists", err)
	}
	value, revision, err := kv.Get(ctx, key)
	if err != nil || string(value) != "1" {
		t.Fatalf("Get: %q, %v", value, err)
	}
	if err := kv.Update(ctx, key, []byte("3"), revision); err != nil {
		t.Fatal(err)
	}
	if err := kv.Update(ctx, key, []byte("4"), revision); !errors.Is(err, store.ErrConflict) {
		t.Fatalf("Update: %v, want ErrConflict", err)
	}
	if err := kv.Put(ctx, key, []byte(strings.Repeat("5", 8192))); err != nil {
		t.Fatal(err)
	}
	if value, _, err = kv.Get(ctx, key); err != nil || len(value) != 8192 {
		t.Fatalf("Get: %d bytes, %v", len(value), err)
	}
	if _, _, err := l.Head.Get(ctx, key); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("another bucket has the key too: %v", err)
	}
}

// testKVKeys: keys of all the forms that are used stand for themselves, in each bucket, and
// revisions belong to one key.
func testKVKeys(t *testing.T, l *store.Log) {
	keys := []string{
		"default",
		"default/tile/0/000",
		"default/tile/0/x001/x234/067",
		"default/tile/63/000",
		"default/sweep",
		"a-1/index",
		"a-1",
	}
	for name, kv := range map[string]store.KV{"head": l.Head, "cursors": l.Cursors} {
		for _, key := range keys {
			if err := kv.Create(t.Context(), key, []byte(name+key)); err != nil {
				t.Fatalf("%s %s: %v", name, key, err)
			}
		}
		for _, key := range keys {
			value, revision, err := kv.Get(t.Context(), key)
			if err != nil || string(value) != name+key {
				t.Fatalf("%s %s: %q, %v", name, key, value, err)
			}
			if err := kv.Put(t.Context(), keys[0], []byte("meanwhile")); err != nil {
				// another key's change is none of this one's
				t.Fatal(err)
			}
			if err := kv.Update(t.Context(), key, []byte("new"), revision); key != keys[0] && err != nil ||
				key == keys[0] && !errors.Is(err, store.ErrConflict) {
				t.Fatalf("%s %s: %v", name, key, err)
			}
		}
		if err := kv.Update(t.Context(), "none", nil, 7); !errors.Is(err, store.ErrConflict) {
			t.Fatalf("%s: update of a key that is not there: %v", name, err)
		}
	}
	if err := l.Head.Put(t.Context(), "empty", nil); err != nil {
		t.Fatal(err)
	}
	if value, _, err := l.Head.Get(t.Context(), "empty"); err != nil || len(value) != 0 {
		t.Fatalf("an empty value came as %q, %v", value, err)
	}
}

// testKVRace: of those who create, and of those who update from the same revision, one wins.
func testKVRace(t *testing.T, l *store.Log) {
	for round := range 20 {
		key := fmt.Sprintf("default/race/%d", round)
		won := make([]int, 2)
		race := func(which int, lost error, write func(w int) error) {
			var group sync.WaitGroup
			var mu sync.Mutex
			for w := range 4 {
				group.Go(func() {
					err := write(w)
					if err != nil && !errors.Is(err, lost) {
						t.Error(err)
					} else if err == nil {
						mu.Lock()
						defer mu.Unlock()
						won[which]++
					}
				})
			}
			group.Wait()
		}
		race(0, store.ErrExists, func(w int) error { return l.Cursors.Create(t.Context(), key, fmt.Append(nil, w)) })
		_, revision, err := l.Cursors.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		race(
			1,
			store.ErrConflict,
			func(w int) error { return l.Cursors.Update(t.Context(), key, fmt.Append(nil, w), revision) },
		)
		if won[0] != 1 || won[1] != 1 {
			t.Fatalf("%d created and %d updated", won[0], won[1])
		}
	}
}

// testKVCancel: what is asked with a context that is done is not done.
func testKVCancel(t *testing.T, l *store.Log) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Head.Put(ctx, "k", bytes.Repeat([]byte("v"), 10)); !errors.Is(err, context.Canceled) ||
		errors.Is(err, store.ErrAmbiguous) {
		t.Fatalf("Put: %v", err)
	}
	if _, _, err := l.Head.Get(ctx, "k"); !errors.Is(err, context.Canceled) {
		t.Fatalf("Get: %v", err)
	}
	if _, _, err := l.Head.Get(t.Context(), "k"); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("Get: %v, want ErrNotFound", err)
	}
}
