package query

import (
	"fmt"
	"testing"

	"github.com/sealstream/sealstream/pkg/api"
)

// TestBarren: marks stay with their filter while the log grows and other filters are asked, and
// filters that nobody asks are forgotten.
func TestBarren(t *testing.T) {
	filter := func(agent string) api.Filter { return api.Filter{Agent: []string{agent}} }
	var b barren
	m := b.of(nil, filter("a"), 3)
	m.set(2)
	m.set(70) // behind the end of what is kept
	if other := b.of(nil, filter("b"), 3); other.has(2) {
		t.Error("a filter has the marks of another one")
	}
	if other := b.of(&sight{key: "x"}, filter("a"), 3); other.has(2) {
		t.Error("a caller that sees something else has the same marks")
	}
	if m = b.of(nil, filter("a"), 3); !m.has(2) || m.has(1) || m.has(70) {
		t.Error("marks of the same filter")
	}
	if m = b.of(nil, filter("a"), 100); !m.has(2) || m.has(70) {
		t.Error("marks after the log has grown")
	}
	m.set(70)
	for i := range maxBarren - 1 {
		b.of(nil, filter(fmt.Sprint(i)), 100)
	}
	if m = b.of(nil, filter("a"), 100); !m.has(2) || !m.has(70) || m.has(71) {
		t.Error("marks of a filter that is asked again and again")
	}
	for i := range 2 * maxBarren {
		b.of(nil, filter(fmt.Sprint("other", i)), 100)
	}
	if m = b.of(nil, filter("a"), 100); m.has(2) {
		t.Error("marks of a filter that nobody has asked for")
	}
	if n := len(b.now) + len(b.before); n > 2*maxBarren {
		t.Errorf("%d filters are remembered", n)
	}
}
