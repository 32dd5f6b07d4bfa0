package canonical

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// PercentDecode undoes what the CloudEvents HTTP binding does to header values; a % that encodes
// nothing is an error.
func PercentDecode(s string) (string, error) {
	if !strings.Contains(s, "%") {
		return s, nil
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b = append(b, s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", errors.New("incomplete percent-encoding")
		}
		n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", fmt.Errorf("%.3q is no percent-encoding", s[i:])
		}
		b = append(b, byte(n))
		i += 2
	}
	return string(b), nil
}

// PercentEncode is the inverse that senders of binary mode use: space, ", % and all that is not
// printable ASCII.
func PercentEncode(s string) string {
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		if c := s[i]; c > ' ' && c < 0x7f && c != '"' && c != '%' {
			b = append(b, c)
		} else {
			b = append(b, '%', "0123456789ABCDEF"[c>>4], "0123456789ABCDEF"[c&15])
		}
	}
	return string(b)
}
