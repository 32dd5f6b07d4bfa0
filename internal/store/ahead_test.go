package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

func TestAheadKeepsOrder(t *testing.T) {
	s := store.NewMemoryStream()
	for i := range 5000 {
		if _, err := s.Append(t.Context(), entry.Message{Subject: "x", Data: fmt.Append(nil, i)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SecureDelete(t.Context(), 100); err != nil {
		t.Fatal(err)
	}
	seq := func(m entry.Message) uint64 { return m.Seq }
	want := uint64(10)
	for got, err := range store.Ahead(t.Context(), s, 10, 4000, seq) {
		if err != nil || got != want {
			t.Fatalf("%d, %v; want %d", got, err, want)
		}
		if want++; want == 100 {
			want++
		}
	}
	if want != 4001 {
		t.Fatalf("ended before %d", want)
	}
	for range store.Ahead(t.Context(), s, 4001, 4000, seq) {
		t.Fatal("yielded behind its end")
	}
}

// TestAheadStops: a caller that stops, and one whose context ends while it waits.
func TestAheadStops(t *testing.T) {
	s := store.NewMemoryStream()
	for range 500 {
		if _, err := s.Append(t.Context(), entry.Message{Subject: "x"}, nil); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for range store.Ahead(t.Context(), s, 1, 0, func(m entry.Message) uint64 { return m.Seq }) {
		if n++; n == 7 {
			break
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, err := range store.Ahead(ctx, s, 1, 0, func(m entry.Message) uint64 { return m.Seq }) {
		if n++; n == 507 {
			cancel()
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if n != 508 {
		t.Fatalf("%d steps, want 7, 500 and the error", n)
	}
}
