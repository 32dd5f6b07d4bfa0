package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/sealstream/sealstream/internal/store"
)

func random(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)})
	r.Read(b)
	return b
}

func readObject(t *testing.T, o store.Objects, name string) ([]byte, error) {
	t.Helper()
	r, err := o.Open(t.Context(), name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(iotest.HalfReader(r))
}

// testObjects: objects of all sizes come back as they were put, under names of their own, and a
// cancelled call does nothing.
func testObjects(t *testing.T, l *store.Log) {
	o := l.Archive
	if _, err := readObject(t, o, "default/00000000/segment.json"); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("Open: %v, want ErrNotFound", err)
	}
	sizes := map[string]int{
		"default/00000000/a": 0,
		"default/00000000/b": 1,
		"default/00000001/a": 512 << 10,
		"a-1/00000000/a":     3<<20 + 17,
	}
	for name, n := range sizes {
		if err := o.Put(t.Context(), name, iotest.OneByteReader(bytes.NewReader(random(n)))); err != nil {
			t.Fatal(err)
		}
	}
	for name, n := range sizes {
		got, err := readObject(t, o, name)
		if err != nil || !bytes.Equal(got, random(n)) {
			t.Fatalf("%s: %d bytes of %d, %v", name, len(got), n, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := o.Put(ctx, "default/c", bytes.NewReader(random(9))); !errors.Is(err, context.Canceled) {
		t.Fatalf("Put: %v", err)
	}
	if _, err := o.Open(ctx, "default/00000000/a"); !errors.Is(err, context.Canceled) {
		t.Fatalf("Open: %v", err)
	}
	if _, err := readObject(t, o, "default/c"); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("after a cancelled Put: %v", err)
	}
}

// testObjectsReplaced: a Put replaces whole or not at all, and a deleted object is gone, and may be
// put again.
func testObjectsReplaced(t *testing.T, l *store.Log) {
	o, name := l.Archive, "default/00000007/payloads.zst"
	trouble := errors.New("trouble")
	for _, n := range []int{2 << 20, 5} {
		if err := o.Put(t.Context(), name, bytes.NewReader(random(n))); err != nil {
			t.Fatal(err)
		}
		err := o.Put(t.Context(), name, io.MultiReader(bytes.NewReader(random(1<<20)), iotest.ErrReader(trouble)))
		if !errors.Is(err, trouble) {
			t.Fatalf("Put of a reader that fails: %v", err)
		}
		got, err := readObject(t, o, name)
		if err != nil || !bytes.Equal(got, random(n)) {
			t.Fatalf("%d bytes of %d, %v", len(got), n, err)
		}
	}
	for range 2 {
		if err := o.Delete(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		if _, err := readObject(t, o, name); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("after Delete: %v", err)
		}
	}
	if err := o.Put(t.Context(), name, bytes.NewReader(random(3))); err != nil {
		t.Fatal(err)
	}
	if got, err := readObject(t, o, name); err != nil || !bytes.Equal(got, random(3)) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
}
