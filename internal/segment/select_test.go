package segment

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestSelect compares what is selected, before and after it was written, with a look at every row.
func TestSelect(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 2))
	for _, n := range []int{1, 130, 4000} {
		rows := random(r, n)
		b, s, data := built(t, rows)
		filed, _ := fromFile(t, data)
		for range 200 {
			f, from := r.IntN(TextFields), r.IntN(n)
			var by AnyOf
			for range 1 + r.IntN(3) {
				v := rows[r.IntN(n)].Text[f]
				by.Values = append(by.Values, []string{v, "nothing", v + "x"}[r.IntN(3)])
				if r.IntN(2) == 0 {
					by.Prefixes = append(by.Prefixes, v[:r.IntN(len(v)+1)]+[]string{"", "zzz"}[r.IntN(2)])
				}
			}
			var want []int
			for i := range rows {
				v := rows[i].Text[f]
				starts := func(p string) bool { return strings.HasPrefix(v, p) }
				if i == 0 || v != "" && (slices.Contains(by.Values, v) || slices.ContainsFunc(by.Prefixes, starts)) {
					want = append(want, i)
				}
			}
			for _, s := range []*Segment{s, filed} {
				bits := new(Bits)
				bits.Set(0) // what is there stays
				if err := s.Select(f, by, bits); err != nil || !slices.Equal(list(bits), want) {
					t.Fatalf("%d rows, field %d, %q: segment selects %v, want %v, %v", n, f, by, list(bits), want, err)
				}
			}
			bits := new(Bits)
			bits.Set(0)
			want = slices.DeleteFunc(want, func(i int) bool { return i > 0 && i < from })
			if b.Select(f, by, from, bits); !slices.Equal(list(bits), want) {
				t.Fatalf("%d rows from %d, field %d, %q: builder selects %v, want %v", n, from, f, by, list(bits), want)
			}
		}
	}
}
