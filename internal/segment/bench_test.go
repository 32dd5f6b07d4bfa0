package segment

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// fleet makes segments of a fleet of 1,000 agents, whose numbers of rows follow Zipf's law, read
// from files through a cache that holds a tenth of them.
func fleet(b *testing.B, segments int) (list []*Segment) {
	const rows = 1 << 14
	r := rand.New(rand.NewPCG(16, 16))
	zipf := rand.NewZipf(r, 1.2, 1, 999)
	key := Key{16}
	blocks := NewBlocks(segments*rows*30/10, key)
	for s := range segments {
		builder := NewBuilder()
		for i := range rows {
			n := s*rows + i
			row := Row{ID: key.Hash(fmt.Sprint("id-", n)), Values: [Columns]int64{int64(n), int64(n), int64(n)}}
			row.Text[0] = fmt.Sprintf("did:web:agent-%03d.bench.example", zipf.Uint64())
			row.Text[1], row.Text[2] = "tool_invoked", "allow"
			row.Text[PrefixField] = fmt.Sprintf("/crm/contacts/%03d", r.IntN(1000))
			row.Hashed[0] = key.Hash(fmt.Sprint("trace-", n/2000*50+r.IntN(50)))
			row.Hashed[1] = key.Hash(fmt.Sprint("s-", r.IntN(64)))
			builder.Add(&row)
		}
		data, err := builder.Encode(key, []byte("{}"), nil)
		if err != nil {
			b.Fatal(err)
		}
		path := filepath.Join(b.TempDir(), "segment")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			b.Fatal(err)
		}
		seg, err := Open(data)
		if err != nil {
			b.Fatal(err)
		}
		file, err := os.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { file.Close() })
		seg.ReadFrom(file, blocks)
		list = append(list, seg)
	}
	return list
}

// BenchmarkMatch looks for what is rare, in every segment of a fleet: ns/segment is what a page
// costs for each segment that it has to look at.
func BenchmarkMatch(b *testing.B) {
	list := fleet(b, 100)
	agent := func(n int) AnyOf { return AnyOf{Values: []string{fmt.Sprintf("did:web:agent-%03d.bench.example", n)}} }
	for _, c := range []struct {
		name string
		of   func(n int) Wanted
	}{
		{"agent", func(n int) Wanted { return Wanted{0: agent(900 + n%100)} }},
		{"agent-resource", func(n int) Wanted {
			return Wanted{0: agent(300 + n%100), PrefixField: {Values: []string{fmt.Sprintf("/crm/contacts/%03d", n%1000)}}}
		}},
		{"agent-session", func(n int) Wanted { return Wanted{0: agent(900 + n%100), 8: {Values: []string{"s-3"}}} }},
		{"trace", func(n int) Wanted { return Wanted{7: {Values: []string{fmt.Sprint("trace-", n*997%40000)}}} }},
		{"absent", func(n int) Wanted { return Wanted{7: {Values: []string{fmt.Sprint("no trace ", n)}}} }},
	} {
		b.Run(c.name, func(b *testing.B) {
			var bits, spare Bits
			n := 0
			for b.Loop() {
				w := c.of(n)
				n++
				for _, s := range list {
					if _, err := s.Match(&w, &bits, &spare); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n*len(list)), "ns/segment")
		})
	}
	b.Run("id", func(b *testing.B) {
		n := 0
		for b.Loop() {
			hash := (&Key{16}).Hash(fmt.Sprint("id-", n*997%1_000_000))
			n++
			for _, s := range list {
				if err := s.WithID(hash, func(int) bool { return true }); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n*len(list)), "ns/segment")
	})
}
