package canonical

import (
	"strings"
	"testing"
	"time"
)

// TestParseTime: the quick way gives what time.Parse gives.
func TestParseTime(t *testing.T) {
	for _, s := range []string{"0000-01-01T00:00:00Z", "1969-12-31T23:59:59.5Z", "2024-02-28T23:59:59.123456789Z",
		"2024-02-29T00:00:00Z", "2024-12-31T23:59:59.1234567891Z",
		"9999-12-30T23:59:59.999999999999Z", "2024-05-15T20:00:00.000Z", "2024-05-15T20:00:00.01Z"} {
		got, err := ParseTime(s)
		cut := strings.TrimSuffix(s, "Z")
		want, err2 := time.Parse(secondsLayout, cut[:min(len(cut), len(secondsLayout)+10)])
		if err != nil || err2 != nil || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%s: %v %v, want %v", s, got, err, want)
		}
	}
	for _, s := range []string{
		"", "2023-02-29T00:00:00Z", "2024-05-15T20:00:00+00:00", "2024-05-15T20:00:00.Z", "2024-05-15t20:00:00Z",
		"2024-13-01T00:00:00Z",
	} {
		if at, err := ParseTime(s); err == nil {
			t.Errorf("%s is taken for %v", s, at)
		}
	}
}
