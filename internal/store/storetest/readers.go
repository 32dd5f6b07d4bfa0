package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// testReaderAhead: a reader that begins behind the end waits for that sequence; those before it are
// not its own.
func testReaderAhead(t *testing.T, l *store.Log) {
	add(t, l.Payloads, "1")
	for _, from := range []uint64{3, 6, 7} {
		r, err := l.Payloads.Read(t.Context(), from)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for seq := uint64(0); seq < from; {
			seq = add(t, l.Payloads, fmt.Sprint(from)) // one by one, so that the reader may see each
		}
		if list, err := r.Next(t.Context(), 10); err != nil || len(list) != 1 || list[0].Seq != from ||
			string(list[0].Data) != fmt.Sprint(from) {
			t.Fatalf("from %d: %+v, %v", from, list, err)
		}
	}
}

// testReaderPurged: what is purged under a reader is left out, and nothing else.
func testReaderPurged(t *testing.T, l *store.Log) {
	for i := range 3000 {
		if _, err := l.Payloads.AppendAsync(t.Context(), entry.Message{Subject: payloads, Data: fmt.Append(nil, i+1)},
			nil); err != nil {
			t.Fatal(err)
		}
	}
	add(t, l.Payloads, "3001")
	r, err := l.Payloads.Read(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	next, skipped := uint64(1), uint64(0)
	for round := 0; next <= 3001; round++ {
		list, err := r.Next(t.Context(), 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range list {
			if m.Seq < next || string(m.Data) != fmt.Sprint(m.Seq) {
				t.Fatalf("sequence %d came as %q after %d", m.Seq, m.Data, next-1)
			}
			skipped += m.Seq - next
			next = m.Seq + 1
		}
		if round == 2 {
			if err := l.Payloads.(store.Purger).PurgeBelow(t.Context(), 2500); err != nil {
				t.Fatal(err)
			}
		}
	}
	if skipped > 2499 {
		t.Fatalf("%d messages were left out, of 2499 that were purged", skipped)
	}
}

// testNextBytes: a long backlog of large messages comes in pieces.
func testNextBytes(t *testing.T, l *store.Log) {
	const n, size = 40, 1_000_000
	for range n {
		if _, err := l.Payloads.Append(t.Context(), entry.Message{Subject: payloads, Data: make([]byte, size)},
			nil); err != nil {
			t.Fatal(err)
		}
	}
	r, err := l.Payloads.Read(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for seen := 0; seen < n; {
		list, err := r.Next(t.Context(), 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(list)*size >= store.NextBytes+size {
			t.Fatalf("one Next gave %d messages of %d bytes", len(list), size)
		}
		seen += len(list)
	}
}

// testTwoReaders: readers do not know of each other, and Close ends one of them alone.
func testTwoReaders(t *testing.T, l *store.Log) {
	var readers []store.Reader
	for range 3 {
		r, err := l.Payloads.Read(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		readers = append(readers, r)
	}
	for i := range uint64(20) {
		add(t, l.Payloads, "x")
		if i == 10 {
			readers[0].Close()
			readers = readers[1:]
		}
		for _, r := range readers {
			if list, err := r.Next(t.Context(), 10); err != nil || len(list) != 1 || list[0].Seq != i+1 {
				t.Fatalf("message %d: %+v, %v", i+1, list, err)
			}
		}
	}
}

func testReaderWaits(t *testing.T, l *store.Log) {
	r, err := l.Payloads.Read(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	type result struct {
		list []entry.Message
		err  error
	}
	got := make(chan result)
	go func() {
		for range 3 {
			list, err := r.Next(t.Context(), 10)
			got <- result{list, err}
		}
	}()
	for i := range 3 {
		select {
		case early := <-got:
			t.Fatalf("Next returned %+v, %v before there was a message", early.list, early.err)
		default:
		}
		add(t, l.Payloads, fmt.Sprint(i))
		if r := <-got; r.err != nil || len(r.list) != 1 || r.list[0].Seq != uint64(i+1) {
			t.Fatalf("message %d: %+v, %v", i, r.list, r.err)
		}
	}
}

func testReaderGaps(t *testing.T, l *store.Log) {
	for i := range 10 {
		add(t, l.Payloads, fmt.Sprint(i+1))
	}
	for _, seq := range []uint64{3, 4, 8} {
		if err := l.Payloads.(store.Purger).SecureDelete(t.Context(), seq); err != nil {
			t.Fatal(err)
		}
	}
	var seqs []uint64
	for _, m := range Collect(t, l.Payloads, 3, 5) {
		seqs = append(seqs, m.Seq)
	}
	if want := []uint64{5, 6, 7, 9, 10}; !reflect.DeepEqual(seqs, want) {
		t.Fatalf("read %v, want %v", seqs, want)
	}
}

func testCancel(t *testing.T, l *store.Log) {
	ctx, cancel := context.WithCancel(t.Context())
	r, err := l.Payloads.Read(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	failed := make(chan error, 1)
	go func() { _, err := r.Next(ctx, 1); failed <- err }()
	cancel()
	select {
	case err := <-failed:
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("Next: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("Next goes on waiting")
	}
	if _, err := l.Payloads.Info(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("Info: %v", err)
	}
	if _, err := l.Payloads.Append(ctx, entry.Message{Subject: payloads}, nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("Append: %v", err)
	}
}
