package canonical

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
	"unicode/utf8"
)

// oddText is text with what the eight-byte tricks could miss: specials side by side, bytes whose
// highest bit is set, any alignment.
func oddText(r *rand.Rand) string {
	const odd = "aaaaaaaaaaaaaaaaaaaa\"\\\x1f\x20\x21\x23\x5b\x5d\x7e\x7f\x80\xa2\xdc\xff\x00\t\né"
	b := make([]byte, r.IntN(40))
	for i := range b {
		b[i] = odd[r.IntN(len(odd))]
	}
	return string(b)
}

func TestEightBytes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200000 {
		s := oddText(r)
		for i := 0; i+8 <= len(s); i++ {
			for _, c := range []struct {
				name string
				mark uint64
				is   func(c byte) bool
			}{
				{"escapable", escapable(eight(s, i)), func(c byte) bool { return c < 0x20 || c == '"' || c == '\\' }},
				{"ending", ending(eight(s, i)), func(c byte) bool { return c == '"' || c == '\\' }},
				{"controls", controls(eight(s, i)), func(c byte) bool { return c < 0x20 }},
				{"unusual", unusual(eight(s, i)), func(c byte) bool { return c < 0x20 || c >= 0x7f }},
			} {
				want := slices.IndexFunc([]byte(s[i:i+8]), c.is)
				if (want < 0) != (c.mark == 0) || want >= 0 && lowest(c.mark) != want {
					t.Fatalf("%s of %q: mark %x, the first is %d", c.name, s[i:i+8], c.mark, want)
				}
			}
		}
		if utf8.ValidString(s) {
			checkQuoted(t, s)
		}
		checkTextEnd(t, []byte(s))
	}
}

// checkQuoted reads back what AppendString writes, by others and by ours.
func checkQuoted(t *testing.T, s string) {
	t.Helper()
	quoted := AppendString(nil, s)
	var again string
	if err := json.Unmarshal(quoted, &again); err != nil || again != s {
		t.Fatalf("AppendString(%q) = %s", s, quoted)
	}
	c := Reader[string]{s: string(quoted)}
	if got := c.Text(); c.bad || got != s || c.i != len(quoted) {
		t.Fatalf("%s reads as %q, bad %v", quoted, got, c.bad)
	}
	b := Reader[[]byte]{s: quoted}
	if got, isText := b.AppendText([]byte("+")); b.bad || string(got) != "+"+s || isText != IsText([]byte(s)) {
		t.Fatalf("%s reads as bytes %q, bad %v, text %v", quoted, got, b.bad, isText)
	}
	f := NewScanner(quoted)
	defer f.Free()
	if inner, _, ok := f.Text(); !ok || f.i != len(quoted) || string(inner) != string(quoted[1:len(quoted)-1]) {
		t.Fatalf("%s: the scanner takes %q, %v", quoted, inner, ok)
	}
}

func TestCanonicalTimeFast(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const base, odd = "2026-03-30T23:59:59.123456789Z", "0123456789-:TZ.tz +"
	fast := 0
	for range 300000 {
		b := []byte(base[:20+r.IntN(len(base)-19)])
		b[len(b)-1] = 'Z'
		for range r.IntN(3) {
			b[r.IntN(len(b))] = odd[r.IntN(len(odd))]
		}
		if s := string(b); isCanonical(s) {
			fast++
			if c, err := convertTime(s); err != nil || c != s {
				t.Fatalf("%q is taken as canonical; it is %q, %v", s, c, err)
			}
		}
	}
	if fast < 1000 {
		t.Errorf("only %d times went the fast way", fast)
	}
}

// checkTextEnd compares TextEnd with a look at each byte.
func checkTextEnd(t *testing.T, s []byte) {
	t.Helper()
	for begin := range len(s) + 1 {
		want := begin
		for want < len(s) && s[want] != '"' {
			if s[want] == '\\' {
				want++
			}
			want++
		}
		if got := TextEnd(s, begin); got != min(want, len(s)) {
			t.Fatalf("the string in %q from %d on ends at %d, not %d", s, begin, want, got)
		}
	}
}
