package segment

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// random makes rows in which every field has common and rare values, and some none.
func random(r *rand.Rand, n int) []Row {
	rows := make([]Row, n)
	times := []int64{math.MinInt64, math.MaxInt64, 0, -1, 1e18, -1e18}
	unit := []int64{1, 1000, 1e9}[r.IntN(3)]
	base := int64(r.Uint64() >> 3)
	for i := range rows {
		w := &rows[i]
		for f := range w.Text {
			if r.IntN(8) > 0 {
				w.Text[f] = fmt.Sprintf("%s/%d", []string{"", "a", "a/b", "ü\x00", "aa"}[r.IntN(5)],
					min(r.IntN(1+i), r.IntN(300)))
			}
		}
		for f := range w.Hashed {
			if r.IntN(8) > 0 {
				w.Hashed[f] = testKey.Hash(fmt.Sprint("trace", r.IntN(1+n/4)))
			}
		}
		w.ID = testKey.Hash(fmt.Sprint("id", r.IntN(n)))
		for c := range w.Values {
			if w.Values[c] = base + unit*int64(r.IntN(1000)); r.IntN(50) == 0 {
				w.Values[c] = times[r.IntN(len(times))]
			}
		}
	}
	return rows
}

var testKey = Key{1, 2, 3}

func built(t testing.TB, rows []Row) (*Builder, *Segment, []byte) {
	t.Helper()
	b := NewBuilder()
	for i := range rows {
		b.Add(&rows[i])
	}
	data, err := b.Encode(testKey, []byte(`{"of":"a test"}`), map[string][]byte{"own": {1, 2}, "empty": nil})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(data)
	if err != nil {
		t.Fatal(err)
	}
	return b, s, data
}

// fromFile opens the same segment once more, to be read in blocks that are never cached.
func fromFile(t testing.TB, data []byte) (s *Segment, file []byte) {
	t.Helper()
	s, err := Open(data)
	if err != nil {
		t.Fatal(err)
	}
	file = bytes.Clone(data)
	s.ReadFrom(bytes.NewReader(file), NewBlocks(0, testKey))
	return s, file
}

// match is Match of a segment that must not be damaged.
func (s *Segment) match(t testing.TB, w *Wanted, bits, spare *Bits) bool {
	t.Helper()
	any, err := s.Match(w, bits, spare)
	if err != nil {
		t.Fatal(err)
	}
	return any
}

func has(w *Wanted, row *Row) bool {
	for f, any := range w {
		if any.empty() {
			continue
		}
		ok := false
		for _, v := range any.Values {
			ok = ok ||
				v != "" &&
					(f < TextFields && row.Text[f] == v || f >= TextFields &&
						row.Hashed[f-TextFields] == testKey.Hash(v))
		}
		for _, v := range any.Prefixes {
			ok = ok || row.Text[f] != "" && strings.HasPrefix(row.Text[f], v)
		}
		if !ok {
			return false
		}
	}
	return true
}

func wanted(r *rand.Rand, rows []Row) (w Wanted) {
	for range r.IntN(4) {
		f := r.IntN(Fields)
		for range 1 + r.IntN(3) {
			v := "nothing"
			if from := rows[r.IntN(len(rows))]; f < TextFields && from.Text[f] != "" {
				v = from.Text[f]
			} else if f >= TextFields {
				v = fmt.Sprint("trace", r.IntN(1+len(rows)/4))
			}
			if f == PrefixField && r.IntN(2) == 0 {
				w[f].Prefixes = append(w[f].Prefixes, v[:r.IntN(len(v)+1)])
			} else {
				w[f].Values = append(w[f].Values, v)
			}
		}
	}
	return w
}

func list(b *Bits) (rows []int) {
	for row := b.Next(0); row >= 0; row = b.Next(row + 1) {
		rows = append(rows, row)
	}
	return rows
}

// TestMatch compares what is found, before and after it was written, with a look at every row.
func TestMatch(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 127, 128, 129, 1000, 5000, MaxRows} {
		rows := random(r, n)
		b, s, data := built(t, rows)
		filed, _ := fromFile(t, data)
		own, err := filed.Section("own")
		none, none2 := s.Section("none")
		if s.Rows != n || string(own) != "\x01\x02" || err != nil || none != nil || none2 != nil ||
			string(s.Owner) != `{"of":"a test"}` || s.HashKey() != testKey {
			t.Fatalf("%+v", s.Header)
		}
		bits, spare := new(Bits), new(Bits)
		for range min(60, 500_000/n) {
			w, from := wanted(r, rows), 0
			if r.IntN(2) == 0 {
				from = r.IntN(n)
			}
			var want, wantFrom []int
			for i := range rows {
				if has(&w, &rows[i]) {
					want = append(want, i)
					if i >= from {
						wantFrom = append(wantFrom, i)
					}
				}
			}
			bits.Fill(0, MaxRows) // which must not matter
			for _, s := range []*Segment{s, filed} {
				if any := s.match(t, &w, bits, spare); any != (len(want) > 0) || any && !slices.Equal(list(bits), want) {
					t.Fatalf("%d rows, %q: segment finds %d, there are %d", n, w, len(list(bits)), len(want))
				}
			}
			if any := b.Match(testKey, &w, from, bits, spare); any != (len(wantFrom) > 0) ||
				any && !slices.Equal(list(bits), wantFrom) {
				t.Fatalf("%d rows from %d, %q: builder finds %d, there are %d", n, from, w, len(list(bits)),
					len(wantFrom))
			}
		}
		for c := range Columns {
			for range 20 {
				lo, hi := rows[r.IntN(n)].Values[c], rows[r.IntN(n)].Values[c]
				lo, hi = min(lo, hi), max(lo, hi)
				*bits = Bits{}
				bits.Fill(0, n)
				s := []*Segment{s, filed}[r.IntN(2)]
				keep := func(row int, v int64) bool { return row%3 > 0 && v == rows[row].Values[c] }
				if err := s.Keep(c, bits, lo, hi, keep); err != nil {
					t.Fatal(err)
				}
				for i := range rows {
					v := rows[i].Values[c]
					if want := v > lo && v < hi || (v == lo || v == hi) && i%3 > 0; bits.Has(i) != want {
						t.Fatalf("row %d with %d, from %d to %d: %t", i, v, lo, hi, !want)
					}
				}
			}
		}
	}
}

// TestColumnsAndIDs reads back every number, every id and every value.
func TestColumnsAndIDs(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{1, 130, 3000} {
		rows := random(r, n)
		b, _, data := built(t, rows)
		s, _ := fromFile(t, data)
		byID := map[uint64][]int{}
		for i, row := range rows {
			byID[row.ID] = append(byID[row.ID], i)
			for c, v := range row.Values {
				if got, err := s.Value(c, i); err != nil || got != v || b.Value(c, i) != v {
					t.Fatalf("row %d: %d %d, want %d: %v", i, got, b.Value(c, i), v, err)
				}
			}
		}
		for id, want := range byID {
			var got, live []int
			s.WithID(id, func(row int) bool { got = append(got, row); return true })
			b.WithID(id, func(row int) bool { live = append(live, row); return true })
			if !slices.Equal(got, want) || !slices.Equal(live, want) {
				t.Fatalf("id: %v %v, want %v", got, live, want)
			}
		}
		for f := range TextFields {
			count, last := 0, ""
			s.Values(f, func(v []byte, rowsOf int) bool {
				if string(v) <= last {
					t.Fatalf("%q behind %q", v, last)
				}
				last, count = string(v), count+rowsOf
				return true
			})
			want := 0
			for _, row := range rows {
				if row.Text[f] != "" {
					want++
				}
			}
			if count != want {
				t.Fatalf("field %d: %d rows have a value, not %d", f, count, want)
			}
		}
	}
}

// TestBits compares the walks with a plain look.
func TestBits(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		var b Bits
		set := map[int]bool{}
		for range r.IntN(20) {
			row := []int{r.IntN(MaxRows), r.IntN(200), MaxRows - 1, 0, 63, 64}[r.IntN(6)]
			b.Set(row)
			set[row] = true
		}
		if b.Count() != len(set) {
			t.Fatalf("%d rows, want %d", b.Count(), len(set))
		}
		for range 20 {
			from := r.IntN(MaxRows)
			next, previous := -1, -1
			for row := range set {
				if row >= from && (next < 0 || row < next) {
					next = row
				}
				if row <= from {
					previous = max(previous, row)
				}
			}
			if b.Next(from) != next || b.Previous(from) != previous {
				t.Fatalf("from %d: %d %d, want %d %d", from, b.Next(from), b.Previous(from), next, previous)
			}
		}
	}
	var b Bits
	if b.Next(MaxRows) != -1 || b.Previous(-1) != -1 {
		t.Fatal("found outside")
	}
	b.Fill(3, 200)
	if b.Count() != 197 || b.Next(0) != 3 || b.Previous(MaxRows-1) != 199 {
		t.Fatalf("%d rows from %d", b.Count(), b.Next(0))
	}
}

// TestSame: equal rows make equal bytes.
func TestSame(t *testing.T) {
	rows := random(rand.New(rand.NewPCG(7, 8)), 3000)
	_, _, a := built(t, rows)
	_, _, b := built(t, rows)
	if !bytes.Equal(a, b) {
		t.Fatal("the same rows make other bytes")
	}
}

// sealed gives changed bytes the checksum that they must have to be looked at.
func sealed(data []byte) []byte {
	body := data[:len(data)-sha256.Size]
	sum := sha256.Sum256(body)
	return append(bytes.Clone(body), sum[:]...)
}

// TestDamaged changes and cuts a segment at places all over it.
func TestDamaged(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	_, _, data := built(t, random(r, 300))
	for n := 0; n < len(data); n += 1 + r.IntN(60) {
		if _, err := Open(data[:n]); !errors.Is(err, ErrDamaged) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
		changed := bytes.Clone(data)
		changed[n] ^= 1 << r.IntN(8)
		if _, err := Open(changed); !errors.Is(err, ErrDamaged) {
			t.Fatalf("byte %d changed: %v", n, err)
		}
	}
}

// TestDamagedWhileOpen flips each byte of the file of an open segment, and cuts the file: everything
// that is asked fails, or tells the same as before.
func TestDamagedWhileOpen(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	rows := random(r, 400)
	_, good, data := built(t, rows)
	asked := func(s *Segment) (told string, err error) {
		var all strings.Builder
		bits, spare := new(Bits), new(Bits)
		tell := func(what any, e error) {
			if err == nil {
				err = e
			}
			fmt.Fprintln(&all, what)
		}
		for f := range TextFields {
			tell(f, s.Values(f, func(v []byte, n int) bool { fmt.Fprintln(&all, string(v), n); return true }))
		}
		for _, i := range []int{0, 7, 399} {
			w := Wanted{}
			w[0].Values, w[PrefixField].Prefixes = []string{rows[i].Text[0]}, []string{"a"}
			any, e := s.Match(&w, bits, spare)
			if tell(any, e); any {
				tell(list(bits), nil)
			}
			v, e := s.Value(1, i)
			tell(v, e)
			tell(i, s.WithID(rows[i].ID, func(row int) bool { fmt.Fprintln(&all, row); return true }))
			bits.Fill(0, 400)
			tell(i, s.Keep(0, bits, rows[i].Values[0], rows[7].Values[0], func(int, int64) bool { return true }))
			tell(list(bits), nil)
			tell(i, s.Counts(2, bits, func(v []byte, n int) { fmt.Fprintln(&all, string(v), n) }))
		}
		tell("ids", s.IDs(func(hash uint64, row int) { fmt.Fprintln(&all, hash, row) }))
		own, e := s.Section("own")
		tell(own, e)
		return all.String(), err
	}
	want, err := asked(good)
	if err != nil {
		t.Fatal(err)
	}
	s, file := fromFile(t, data)
	if got, err := asked(s); err != nil || got != want {
		t.Fatalf("from the file: %v", err)
	}
	refused := 0
	for at := range file {
		if at%997 > 0 {
			continue
		}
		file[at] ^= 0x20
		got, err := asked(s)
		if err != nil && !errors.Is(err, ErrDamaged) || err == nil && got != want {
			t.Fatalf("byte %d of %d changed: %v", at, len(file), err)
		}
		if err != nil {
			refused++
		}
		file[at] ^= 0x20
	}
	if refused < len(file)/997 {
		t.Errorf("%d changes of %d were refused", refused, len(file)/997)
	}
	for n := 0; n < len(data); n += 1 + r.IntN(4000) {
		s, err := Open(data)
		if err != nil {
			t.Fatal(err)
		}
		s.ReadFrom(bytes.NewReader(data[:n]), NewBlocks(1<<20, testKey))
		if _, err := asked(s); !errors.Is(err, ErrDamaged) {
			t.Fatalf("cut to %d of %d: %v", n, len(data), err)
		}
	}
}

// FuzzOpen: whatever is in a file with the right checksum, it is refused, or everything can be asked of it.
func FuzzOpen(f *testing.F) {
	r := rand.New(rand.NewPCG(11, 12))
	for _, n := range []int{1, 40, 300} {
		_, _, data := built(f, random(r, n))
		f.Add(data[:len(data)-sha256.Size])
		for range 30 {
			changed := bytes.Clone(data[:len(data)-sha256.Size])
			for range 1 + r.IntN(3) {
				changed[r.IntN(len(changed))] = byte(r.IntN(256))
			}
			f.Add(changed)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := Open(sealed(append(bytes.Clone(body), make([]byte, sha256.Size)...)))
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		bits, spare := new(Bits), new(Bits)
		for f := range TextFields {
			s.Values(f, func(v []byte, _ int) bool {
				w := Wanted{}
				w[f].Values = []string{string(v)}
				if !s.match(t, &w, bits, spare) {
					t.Fatalf("value %q has no rows", v)
				}
				return true
			})
		}
		var w Wanted
		w[PrefixField].Prefixes = []string{"a", ""}
		s.match(t, &w, bits, spare)
		for row := range s.Rows {
			s.Value(0, row)
			s.WithID(uint64(row)*0x9e3779b97f4a7c15, func(int) bool { return true })
		}
	})
}
