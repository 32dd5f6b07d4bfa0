package query

import (
	"math"
	"sort"
	"strings"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
)

// nanosOf is a timestamp as it is compared: nanoseconds since 1970, and whether that says all of it. A leaf's year runs from 0000 to
// 9999 and its fraction has any number of digits; what int64 does not hold is cut to its ends or to nine digits.
func nanosOf(canonical string) (nanos int64, all bool) {
	const most = math.MaxInt64/int64(time.Second) - 1
	t, err := entry.ParseTime(canonical)
	switch s := t.Unix(); {
	case err != nil || s < -most: // an entry that was parsed has a time
		return math.MinInt64, false
	case s > most:
		return math.MaxInt64, false
	}
	return t.UnixNano(), len(canonical) <= len("2006-01-02T15:04:05.000000000Z")
}

// compareTimes orders two canonical times, digit by digit.
func compareTimes(a, b string) int {
	const seconds = len("2006-01-02T15:04:05")
	if c := strings.Compare(a[:seconds], b[:seconds]); c != 0 {
		return c
	}
	return strings.Compare(fraction(a[seconds:]), fraction(b[seconds:]))
}

func fraction(s string) string { return strings.TrimRight(strings.Trim(s, ".Z"), "0") }

// longTime is a timestamp that nanosOf does not hold in full.
type longTime struct {
	index uint32
	text  string
}

// times is the column of timestamps. It only grows, so that a copy is a snapshot.
type times struct {
	nanos []int64
	long  []longTime // ascending by index
}

func (t *times) append(canonical string) {
	n, all := nanosOf(canonical)
	if !all {
		t.long = append(t.long, longTime{uint32(len(t.nanos)), strings.Clone(canonical)})
	}
	t.nanos = append(t.nanos, n)
}

// text is a timestamp in full. It is only needed for those that equal a bound.
func (t *times) text(index uint32) string {
	i := sort.Search(len(t.long), func(i int) bool { return t.long[i].index >= index })
	if i < len(t.long) && t.long[i].index == index {
		return t.long[i].text
	}
	return entry.FormatReceived(time.Unix(0, t.nanos[index]))
}

// span is a range of timestamps, both ends included; an empty end is open.
type span struct {
	from, to string // canonical
	lo, hi   int64
}

func newSpan(from, to string) span {
	s := span{from: from, to: to, lo: math.MinInt64, hi: math.MaxInt64}
	if from != "" {
		s.lo, _ = nanosOf(from)
	}
	if to != "" {
		s.hi, _ = nanosOf(to)
	}
	return s
}

func (s *span) open() bool { return s.from == "" && s.to == "" }

// has says whether the timestamp at index lies within.
func (s *span) has(t *times, index uint32) bool {
	switch n := t.nanos[index]; {
	case n < s.lo || n > s.hi:
		return false
	case n == s.lo && s.from != "" && compareTimes(t.text(index), s.from) < 0:
		return false
	case n == s.hi && s.to != "" && compareTimes(t.text(index), s.to) > 0:
		return false
	}
	return true
}
