package canonical

// HexDigits is the value of each lower-case hexadecimal digit, and 255 of all else.
var HexDigits = func() (values [256]byte) {
	for c := range values {
		values[c] = 255
	}
	for i, c := range []byte(LowerHex) {
		values[c] = byte(i)
	}
	return values
}()

// ParseHash reads the 64 lower-case hexadecimal digits of a SHA-256, and nothing else.
func ParseHash[T string | []byte](s T) (h [32]byte, ok bool) {
	if len(s) != 2*len(h) {
		return h, false
	}
	bad := byte(0)
	for i := range h {
		high, low := HexDigits[s[2*i]], HexDigits[s[2*i+1]]
		h[i] = high<<4 | low
		bad |= high | low
	}
	return h, bad <= 15
}
