package canonical

import "math/bits"

// Text is looked at eight bytes at a time: most of what a log reads and writes is plain text, in
// which nothing is to be found. A byte is special if a difference borrows into its highest bit; the
// lowest such bit is exact, those above it may be echoes of the borrow.
const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
)

// eight are the eight bytes of s from i on, the first one lowest.
func eight[T string | []byte](s T, i int) uint64 {
	s = s[i : i+8]
	low := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24
	return low | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// escapable marks the bytes that a JSON string has escapes for: quote, backslash and controls.
func escapable(x uint64) uint64 {
	quote, slash := x^(lowBits*'"'), x^(lowBits*'\\')
	return ((x - lowBits*0x20) | (quote - lowBits) | (slash - lowBits)) &^ x & highBits
}

// ending marks quotes and backslashes.
func ending(x uint64) uint64 {
	quote, slash := x^(lowBits*'"'), x^(lowBits*'\\')
	return ((quote - lowBits) | (slash - lowBits)) &^ x & highBits
}

// controls marks the bytes below 0x20.
func controls(x uint64) uint64 { return (x - lowBits*0x20) &^ x & highBits }

// unusual marks the bytes that are not printable ASCII.
func unusual(x uint64) uint64 {
	del := x ^ (lowBits * 0x7f)
	return ((x - lowBits*0x20) | (del - lowBits) | x) & highBits
}

// lowest is the number of the first byte that is marked.
func lowest(mark uint64) int { return bits.TrailingZeros64(mark) / 8 }
