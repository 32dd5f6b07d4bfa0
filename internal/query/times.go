package query

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/pkg/api"
)

// nanosOf returns a timestamp in nanoseconds since 1970 for comparison, and whether that is exact.
// A leaf's year is 0000 to 9999 and its fraction has any number of digits. What an int64 cannot
// hold is clamped to its range and cut to nine digits.
func nanosOf(text string) (nanos int64, all bool) {
	const most = math.MaxInt64/int64(time.Second) - 1
	t, err := canonical.ParseTime(text)
	switch s := t.Unix(); {
	case err != nil || s < -most: // a parsed entry always has a time
		return math.MinInt64, false
	case s > most:
		return math.MaxInt64, false
	}
	return t.UnixNano(), len(text) <= len("2006-01-02T15:04:05.000000000Z")
}

// longTimes holds the times that a number of nanoseconds cannot hold exactly, by column and row.
type longTimes map[[2]int]string

// longTime is one of them. At is a position in a batch or in a part.
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
		if c, err := canonical.Time(l.Text); err != nil || c != l.Text {
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

// text returns a time in full.
func (t longTimes) text(column, row int, nanos int64) string {
	if text, there := t[[2]int{column, row}]; there {
		return text
	}
	return canonical.FormatReceived(time.Unix(0, nanos))
}

// span is a range of one time column, both ends included. An empty end is open.
type span struct {
	column   int
	from, to string // canonical
	lo, hi   int64
}

func newSpan(f api.Filter) span {
	s := span{from: f.From, to: f.To, lo: math.MinInt64, hi: math.MaxInt64}
	if f.Time == api.Received {
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

// has reports whether a time is in the span. Its nanoseconds must be between lo and hi.
func (s *span) has(nanos int64, text string) bool {
	return !(nanos == s.lo && s.from != "" && api.CompareTimes(text, s.from) < 0 ||
		nanos == s.hi && s.to != "" && api.CompareTimes(text, s.to) > 0)
}
