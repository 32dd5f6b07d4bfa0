package agt_test

import (
	"testing"

	"github.com/sealstream/sealstream/internal/agt"
)

// BenchmarkTrail reads, checks and maps the lines of a trail.
func BenchmarkTrail(b *testing.B) {
	lines := trailLines(b)
	size := 0
	for _, l := range lines {
		size += len(l)
	}
	b.SetBytes(int64(size / len(lines)))
	for i := 0; b.Loop(); i++ {
		l, err := agt.ParseLine(lines[i%len(lines)])
		if err == nil {
			err = l.Check(trailKey)
		}
		if err != nil {
			b.Fatal(err)
		}
		if _, err := l.Event(true); err != nil {
			b.Fatal(err)
		}
	}
}
