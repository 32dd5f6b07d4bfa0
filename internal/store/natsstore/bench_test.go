package natsstore_test

import (
	"testing"

	"github.com/sealstream/sealstream/internal/natsd"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams"
)

// relaxed is a log whose server does not sync, so that what is measured is the store and not the disk.
func relaxed(b *testing.B) *store.Log {
	b.Helper()
	s, err := natsd.Start(b.Context(), natsd.Config{
		StoreDir: b.TempDir(), Addr: "127.0.0.1:0", Relaxed: true, Log: "default",
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Shutdown)
	return open(b, s, streams.Config{Log: "default"})
}

// fill appends n messages of a size, 1024 at a time under way.
func fill(b *testing.B, s store.Stream, n, size int) {
	b.Helper()
	pending := make(chan store.Pending, 1024)
	done := make(chan error, 1)
	go func() {
		var failed error
		for p := range pending {
			if _, err := p(b.Context()); err != nil && failed == nil {
				failed = err
			}
		}
		done <- failed
	}()
	m := entry.Message{Subject: "audit.default.events.open", Data: make([]byte, size)}
	for range n {
		p, err := s.AppendAsync(b.Context(), m, nil)
		if err != nil {
			b.Fatal(err)
		}
		pending <- p
	}
	close(pending)
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

func drain(b *testing.B, s store.Stream, last uint64) {
	b.Helper()
	r, err := s.Read(b.Context(), 1)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	for seen := uint64(0); seen < last; {
		list, err := r.Next(b.Context(), 256)
		if err != nil {
			b.Fatal(err)
		}
		seen = list[len(list)-1].Seq
	}
}

func BenchmarkRead(b *testing.B) {
	for _, c := range []struct {
		name    string
		n, size int
	}{{"256B", 100_000, 256}, {"512KiB", 200, 512 << 10}} {
		b.Run(c.name, func(b *testing.B) {
			l := relaxed(b)
			fill(b, l.Events, c.n, c.size)
			b.SetBytes(int64(c.n * c.size))
			for b.Loop() {
				drain(b, l.Events, uint64(c.n))
			}
			b.ReportMetric(float64(c.n)*float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

func BenchmarkAppendAsync(b *testing.B) {
	l := relaxed(b)
	const n = 20_000
	for b.Loop() {
		fill(b, l.Events, n, 256)
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

func BenchmarkAppend(b *testing.B) {
	l := relaxed(b)
	for b.Loop() {
		if _, err := l.Events.Append(b.Context(),
			entry.Message{Subject: "audit.default.events.open", Data: make([]byte, 256)}, nil); err != nil {
			b.Fatal(err)
		}
	}
}
