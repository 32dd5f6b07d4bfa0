package canonical_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/sealstream/sealstream/internal/canonical"
)

// TestReaderUnescapes: what AppendString writes is read as it was, wherever its escapes are.
func TestReaderUnescapes(t *testing.T) {
	pieces := []string{"a", "b", "c", "\u00e9", "\u20ac", "\U0001f600", `"`, `\`, "\n", "\t", "\x01", "\x1f", "/"}
	r := rand.New(rand.NewPCG(5, 5))
	for round := range 20_000 {
		var want []byte
		for range round % 40 {
			n := len(pieces)
			if r.IntN(3) > 0 {
				n = 3 // mostly without escapes
			}
			want = append(want, pieces[r.IntN(n)]...)
		}
		read := canonical.NewReader(string(append(canonical.AppendString([]byte(`{"x":`), want), '}')))
		if !read.Member("x") {
			t.Fatal("no member")
		}
		if got, _ := read.AppendText(nil); !bytes.Equal(got, want) || !read.End() {
			t.Fatalf("%q is read as %q", want, got)
		}
	}
}
