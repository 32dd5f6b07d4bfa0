package entry_test

import (
	"testing"

	"github.com/sealstream/sealstream/internal/draft"
	"github.com/sealstream/sealstream/internal/eventgen"
	"github.com/sealstream/sealstream/pkg/entry"
)

// benchEvents are events of everyday size, in the JSON format.
func benchEvents(b *testing.B) (raws [][]byte, drafts []draft.Draft, leaves [][]byte) {
	b.Helper()
	g := eventgen.New(1, eventgen.Options{Plain: true})
	for i := range uint64(256) {
		ev := g.Event()
		d := draft.Event(source(i, 0), ev)
		e, _ := d.Seal(i, entry.Hash{})
		raws, drafts, leaves = append(raws, ev.AppendJSON(nil)), append(drafts, d), append(leaves, e.Leaf)
	}
	return raws, drafts, leaves
}

func BenchmarkLeafHash(b *testing.B) {
	_, _, leaves := benchEvents(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		entry.LeafHash(leaves[i%len(leaves)])
	}
}

func BenchmarkParseEvent(b *testing.B) {
	raws, _, _ := benchEvents(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := entry.ParseEvent(raws[i%len(raws)]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPrepare is what the sealer does with an event outside of the order: draft, salt and data hash.
func BenchmarkPrepare(b *testing.B) {
	raws, _, _ := benchEvents(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		ev, err := entry.ParseEvent(raws[i%len(raws)])
		if err != nil {
			b.Fatal(err)
		}
		draft.Event(source(1, 0), ev)
	}
}

func BenchmarkSeal(b *testing.B) {
	_, drafts, _ := benchEvents(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		drafts[i%len(drafts)].Seal(uint64(i), entry.Hash{})
	}
}

func BenchmarkParseEntry(b *testing.B) {
	_, _, leaves := benchEvents(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := entry.ParseEntry(leaves[i%len(leaves)]); err != nil {
			b.Fatal(err)
		}
	}
}
