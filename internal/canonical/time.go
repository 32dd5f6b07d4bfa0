package canonical

import (
	"errors"
	"strings"
	"time"
)

const (
	secondsLayout = "2006-01-02T15:04:05"
	// ReceivedLayout is the form of received_at: nine digits of a second's fraction, in UTC.
	ReceivedLayout = secondsLayout + ".000000000Z"
)

// ErrTime is the error of a text that is no RFC 3339 time.
var ErrTime = errors.New("not an RFC 3339 time")

// Time brings an RFC 3339 time to UTC, keeping the digits of its fraction as they were
// given (SPEC 2). time.Parse alone would not do: it takes commas for points, and nine digits are
// the most that it keeps.
func Time(s string) (string, error) {
	if isCanonical(s) {
		return s, nil
	}
	return convertTime(s)
}

func convertTime(s string) (string, error) {
	if len(s) < len(secondsLayout)+1 || s[10] != 'T' && s[10] != 't' ||
		!digitsAt(s, 0, 4, 5, 7, 8, 10, 11, 13, 14, 16, 17, 19) {
		return "", ErrTime
	}
	base, rest := s[:10]+"T"+s[11:19], s[19:]
	fraction := ""
	if rest[0] == '.' {
		n := 1
		for n < len(rest) && IsDigit(rest[n]) {
			n++
		}
		if n == 1 {
			return "", ErrTime
		}
		fraction, rest = rest[:n], rest[n:]
	}
	t, err := time.Parse(secondsLayout, base)
	if err != nil {
		return "", ErrTime
	}
	offset, err := parseOffset(rest)
	if err != nil {
		return "", err
	}
	if t = t.Add(-offset); t.Year() < 0 || t.Year() > 9999 {
		return "", errors.New("a time outside the years 0000 to 9999 in UTC")
	}
	return t.Format(secondsLayout) + fraction + "Z", nil
}

// isCanonical says of most times that are in canonical form already that they are.
func isCanonical(s string) bool {
	const n = len(secondsLayout)
	if len(s) < n+1 || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' || s[len(s)-1] != 'Z' ||
		!allDigits(s[:4]) {
		return false
	}
	if fraction := s[n : len(s)-1]; fraction != "" &&
		(fraction[0] != '.' || len(fraction) == 1 || !allDigits(fraction[1:])) {
		return false
	}
	month, ok1 := two(s, 5)
	day, ok2 := two(s, 8)
	hour, ok3 := two(s, 11)
	minute, ok4 := two(s, 14)
	second, ok5 := two(s, 17)
	return ok1 && ok2 && ok3 && ok4 && ok5 && 1 <= month && month <= 12 && 1 <= day &&
		(day <= 28 || day <= 30 && month != 2) &&
		hour < 24 &&
		minute < 60 &&
		second < 60
}

// two is the value of two digits.
func two(s string, i int) (int, bool) {
	return int(s[i]-'0')*10 + int(s[i+1]-'0'), IsDigit(s[i]) && IsDigit(s[i+1])
}

func allDigits(s string) bool {
	for i := range len(s) {
		if !IsDigit(s[i]) {
			return false
		}
	}
	return true
}

func parseOffset(s string) (time.Duration, error) {
	if s == "Z" || s == "z" {
		return 0, nil
	}
	if len(s) != 6 || s[0] != '+' && s[0] != '-' || s[3] != ':' || !digitsAt(s, 1, 3, 4, 6) || s[1:3] > "23" ||
		s[4:6] > "59" {
		return 0, ErrTime
	}
	hours, _ := two(s, 1)
	minutes, _ := two(s, 4)
	d := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if s[0] == '-' {
		d = -d
	}
	return d, nil
}

// digitsAt says whether s is made of digits in each [from, to) of the pairs.
func digitsAt(s string, pairs ...int) bool {
	for p := 0; p < len(pairs); p += 2 {
		for i := pairs[p]; i < pairs[p+1]; i++ {
			if !IsDigit(s[i]) {
				return false
			}
		}
	}
	return true
}

// FormatReceived writes a broker's time with nine digits (SPEC 2, received_at).
func FormatReceived(t time.Time) string { return t.UTC().Format(ReceivedLayout) }

// ParseTime reads a time of a leaf; digits beyond nanoseconds are cut, for comparing only.
func ParseTime(canonical string) (time.Time, error) {
	if isCanonical(canonical) {
		return timeOf(canonical), nil
	}
	if c, err := Time(canonical); err != nil || c != canonical {
		return time.Time{}, ErrTime
	}
	s := strings.TrimSuffix(canonical, "Z")
	if len(s) > len(secondsLayout)+10 {
		s = s[:len(secondsLayout)+10]
	}
	return time.Parse(secondsLayout, s)
}

// timeOf is ParseTime of what isCanonical knows.
func timeOf(s string) time.Time {
	century, _ := two(s, 0)
	year, _ := two(s, 2)
	month, _ := two(s, 5)
	day, _ := two(s, 8)
	hour, _ := two(s, 11)
	minute, _ := two(s, 14)
	second, _ := two(s, 17)
	nanos := 0
	for i := range 9 {
		nanos *= 10
		if at := len(secondsLayout) + 1 + i; at < len(s)-1 {
			nanos += int(s[at] - '0')
		}
	}
	return time.Date(100*century+year, time.Month(month), day, hour, minute, second, nanos, time.UTC)
}
