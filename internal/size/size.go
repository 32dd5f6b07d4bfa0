// Package size reads and writes sizes in bytes, such as 50MiB.
package size

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// units are the suffixes of sizes, the binary ones first and the largest of them first.
var units = []struct {
	name  string
	bytes int64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"KB", 1e3}, {"B", 1},
}

// Parse reads a size: a number that is not negative, which may have a unit behind it, with or
// without spaces between. The units are B, kB, MB, GB and TB, which are powers of 1000, and KiB,
// MiB, GiB and TiB, which are powers of 1024. A fraction of a byte is dropped.
func Parse(text string) (int64, error) {
	number, unit := strings.TrimSpace(text), int64(1)
	for _, u := range units {
		if n, ok := strings.CutSuffix(number, u.name); ok {
			number, unit = strings.TrimSpace(n), u.bytes
			break
		}
	}
	if n, err := strconv.ParseInt(number, 10, 64); err == nil { // exact, where a float would round
		if n >= 0 && n <= math.MaxInt64/unit {
			return n * unit, nil
		}
	} else if f, err := strconv.ParseFloat(number, 64); err == nil && f >= 0 && f*float64(unit) < math.MaxInt64 {
		return int64(f * float64(unit)), nil
	}
	return 0, fmt.Errorf("%.40q is no size: a number of bytes, or of kB, MB, GB, TB, KiB, MiB, GiB or TiB", text)
}

// Text writes a size that Parse reads: a whole number of the largest binary unit that leaves it
// whole.
func Text(n int64) string {
	for _, u := range units[:4] {
		if n != 0 && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// Short writes a size for a person to read, rounded to four digits.
func Short(n int64) string {
	for _, u := range units[:4] {
		if n >= u.bytes {
			return fmt.Sprintf("%.4g %s", float64(n)/float64(u.bytes), u.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}
