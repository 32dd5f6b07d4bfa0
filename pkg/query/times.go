package query

import (
	"cmp"
	"fmt"
	"math"
	"slices"
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

// longTimes are the times that a number of nanoseconds does not hold in full, by column and row.
type longTimes map[[2]int]string

// longTime is one of them; at is a place in a batch or in a part.
type longTime struct {
	At     int    `json:"at"`
	Column int    `json:"column"`
	Text   string `json:"text"`
}

func newLongTimes(list []longTime, rows int) (longTimes, error) {
	var t longTimes
	for _, l := range list {
		if l.At < 0 || l.At >= rows || l.Column != timestampColumn && l.Column != receivedColumn {
			return nil, fmt.Errorf("%w: long times", errPart)
		}
		if c, err := entry.CanonicalTime(l.Text); err != nil || c != l.Text {
			return nil, fmt.Errorf("%w: long times", errPart)
		}
		t.add(l.Column, l.At, l.Text)
	}
	return t, nil
}

func (t *longTimes) add(column, row int, text string) {
	if *t == nil {
		*t = longTimes{}
	}
	(*t)[[2]int{column, row}] = strings.Clone(text)
}

func (t longTimes) list() (list []longTime) {
	for at, text := range t {
		list = append(list, longTime{at[1], at[0], text})
	}
	slices.SortFunc(list, func(a, b longTime) int { return cmp.Or(a.At-b.At, a.Column-b.Column) })
	return list
}

// text is a time in full.
func (t longTimes) text(column, row int, nanos int64) string {
	if text, there := t[[2]int{column, row}]; there {
		return text
	}
	return entry.FormatReceived(time.Unix(0, nanos))
}

// span is a range of one column of times, both ends included; an empty end is open.
type span struct {
	column   int
	from, to string // canonical
	lo, hi   int64
}

func newSpan(f Filter) span {
	s := span{from: f.From, to: f.To, lo: math.MinInt64, hi: math.MaxInt64}
	if f.Time == Received {
		s.column = receivedColumn
	}
	if s.from != "" {
		s.lo, _ = nanosOf(s.from)
	}
	if s.to != "" {
		s.hi, _ = nanosOf(s.to)
	}
	return s
}

func (s *span) open() bool { return s.from == "" && s.to == "" }

// has says of a time whose nanoseconds lie from lo to hi whether it lies within.
func (s *span) has(nanos int64, text string) bool {
	return !(nanos == s.lo && s.from != "" && compareTimes(text, s.from) < 0 || nanos == s.hi && s.to != "" && compareTimes(text, s.to) > 0)
}
