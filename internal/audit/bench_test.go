package audit_test

import (
	"testing"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/sealedlog"
)

// BenchmarkChainNext reads a log batch by batch, 128 entries each, and tells of entries.
func BenchmarkChainNext(b *testing.B) {
	w := newWriter(b)
	for seq := uint64(2); seq < 66; seq++ {
		for p := range uint64(128) {
			w.plain(seq, p)
		}
		w.cut(seq, sealedlog.PlaceEnd)
	}
	key := w.signer.VerifierKey()
	entries := 0
	b.ReportAllocs()
	for b.Loop() {
		c := audit.NewChain(key)
		for _, m := range w.sealed {
			list, err := c.Next(m)
			if err != nil {
				b.Fatal(err)
			}
			entries += len(list)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(entries), "ns/entry")
}

// BenchmarkLog audits a log of 64 batches of 128 entries each, with its data.
func BenchmarkLog(b *testing.B) {
	w := newWriter(b)
	for seq := uint64(2); seq < 66; seq++ {
		for p := range uint64(128) {
			w.plain(seq, p)
		}
		w.cut(seq, sealedlog.PlaceEnd)
	}
	key := w.signer.VerifierKey()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.audit(w.sealed, w.payloads, key); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(w.entries)), "ns/entry")
}

// BenchmarkExport audits the export of a log of 64 batches of 128 entries each, with its data.
func BenchmarkExport(b *testing.B) {
	w := newWriter(b)
	for seq := uint64(2); seq < 66; seq++ {
		for p := range uint64(128) {
			w.plain(seq, p)
		}
		w.cut(seq, sealedlog.PlaceEnd)
	}
	lines := exportOf(b, w)
	b.ReportAllocs()
	for b.Loop() {
		_, err := audit.Export(audit.Config{Keys: []string{w.signer.VerifierKey()}}, func(yield func([]byte, error) bool) {
			for _, line := range lines {
				if !yield(line, nil) {
					return
				}
			}
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(w.entries)), "ns/entry")
}
