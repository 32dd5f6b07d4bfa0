package size

import (
	"math"
	"testing"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		text string
		want int64
	}{
		{"0", 0}, {"7", 7}, {"007", 7}, {"7B", 7}, {" 7 B ", 7},
		{"1KiB", 1 << 10}, {"50MiB", 50 << 20}, {"2 GiB", 2 << 30}, {"3TiB", 3 << 40},
		{"1kB", 1e3}, {"1KB", 1e3}, {"50MB", 50e6}, {"2GB", 2e9}, {"3 TB", 3e12},
		{"1.5KiB", 1536}, {".5MB", 500e3}, {"1e3MiB", 1000 << 20}, {"0.3B", 0},
		{"9223372036854775807", math.MaxInt64}, {"8388607TiB", 8388607 << 40}, {"999999999999999999", 999999999999999999},
	} {
		if n, err := Parse(c.text); err != nil || n != c.want {
			t.Errorf("%q: %d, %v, want %d", c.text, n, err, c.want)
		}
	}
	for _, text := range []string{
		"", " ", "B", "MiB", "-1", "-1MiB", "1 2", "1MiB2", "5XB", "1mib", "1M", "1MiBB", "NaN", "Inf", "1e30",
		"9223372036854775808", "8388608TiB", "99999999TiB",
	} {
		if n, err := Parse(text); err == nil {
			t.Errorf("%q: taken for %d", text, n)
		}
	}
}

// FuzzParse: what Parse reads is no negative number, and Text writes it so that Parse reads it again.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"50MiB", "1.5 GB", "9223372036854775807", "-1", "0x1p3KiB", "TiB"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := Parse(text)
		if err != nil {
			return
		}
		if again, err := Parse(Text(n)); err != nil || again != n || n < 0 {
			t.Errorf("%q is %d, written as %q, read as %d, %v", text, n, Text(n), again, err)
		}
	})
}

func TestShort(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 bytes", 1023: "1023 bytes", 1 << 10: "1 KiB", 1536 << 20: "1.5 GiB", 7 << 40: "7 TiB",
	} {
		if got := Short(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
