package redact

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestFilterFindsAll: the filter yields each literal wherever it stands, in any case that it accepts,
// at the ends of the text too, and nothing else.
func TestFilterFindsAll(t *testing.T) {
	for set := uint64(1); set <= Newest; set++ {
		s := setOf(t, set)
		var literals []*literal
		for _, list := range s.filter.lists {
			for _, p := range list {
				if !slices.Contains(literals, p.lit) {
					literals = append(literals, p.lit)
				}
			}
		}
		if len(literals) < 50 {
			t.Fatalf("set %d has %d literals", set, len(literals))
		}
		r := rand.New(rand.NewPCG(set, 1))
		for n := range 3 * len(literals) {
			text := someText(r, literals[n%len(literals)], literals[r.IntN(len(literals))])
			var want []string
			for _, l := range literals {
				for at := range len(text) {
					if l.stands(text, at) {
						want = append(want, fmt.Sprint(l.text, l.what, " at ", at))
					}
				}
			}
			var got []string
			s.filter.each(text, func(l *literal, at int) bool {
				got = append(got, fmt.Sprint(l.text, l.what, " at ", at))
				return true
			}, func(int) bool { return true })
			slices.Sort(got)
			slices.Sort(want)
			if got, want = slices.Compact(got), slices.Compact(want); !slices.Equal(got, want) {
				t.Fatalf("set %d: %q has %q, want %q", set, text, got, want)
			}
		}
	}
}

// someText has two literals in it, with up to 20 other bytes before, between and behind them.
func someText(r *rand.Rand, list ...*literal) (text []byte) {
	other := func() {
		for range r.IntN(20) {
			if text = append(text, byte(r.IntN(256))); r.IntN(4) > 0 {
				text[len(text)-1] = "etaoin shrdlu-_./:0123456789ABKZ"[r.IntN(32)]
			}
		}
	}
	for _, l := range list {
		other()
		lit := l.text
		if l.fold && r.IntN(2) == 0 {
			lit = strings.ToUpper(lit)
		}
		text = append(text, lit...)
	}
	other()
	return text
}
