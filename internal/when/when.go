// Package when reads the times that people type, and shows times to them.
//
// A time is one of:
//
//	2024-05-15T20:00:00Z        RFC 3339, with an offset or Z
//	2024-05-15T20:00:00         local time, also with a space for the T and without seconds
//	2024-05-15                  the day in local time
//	20:00, 20:00:30             that time today, in local time
//	now, today, yesterday       today and yesterday are days
//	90s, 15m, 1h, 7d, 2w        that long ago; units combine, as in 1h30m
//
// A day that begins a period means its first instant, and one that ends a period means its last, so
// that --since 2024-05-15 --until 2024-05-15 is that day.
package when

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ErrTime is wrapped by every error of Start and End.
var ErrTime = errors.New("not a time")

// forms says in errors what is accepted.
const forms = "use RFC 3339 (2024-05-15T20:00:00Z), a date (2024-05-15), a local time" +
	" (2024-05-15 20:00 or 20:00), now, today, yesterday, or a time ago (90s, 15m, 1h, 7d, 2w)"

// Start returns the time at which a period begins that begins with text. now is the present time,
// and its location is that of local times.
func Start(text string, now time.Time) (time.Time, error) {
	from, _, err := period(text, now)
	return from, err
}

// End returns the last instant of a period that ends with text. now is as for Start.
func End(text string, now time.Time) (time.Time, error) {
	_, to, err := period(text, now)
	return to, err
}

// Is reports whether text is a time.
func Is(text string) bool {
	_, _, err := period(text, time.Now())
	return err == nil
}

// period returns the first and the last instant of what text names: one instant, or a day.
func period(text string, now time.Time) (from, to time.Time, err error) {
	text = strings.TrimSpace(text)
	if from, to, ok := day(text, now); ok {
		return from, to, nil
	}
	if at, ok := instant(text, now); ok {
		return at, at, nil
	}
	return from, to, fmt.Errorf("%.40q: %w: %s", text, ErrTime, forms)
}

func day(text string, now time.Time) (from, to time.Time, ok bool) {
	back := 0
	switch strings.ToLower(text) {
	case "today":
	case "yesterday":
		back = 1
	default:
		at, err := time.ParseInLocation(time.DateOnly, text, now.Location())
		if err != nil {
			return from, to, false
		}
		now = at
	}
	year, month, date := now.Date()
	from = time.Date(year, month, date-back, 0, 0, 0, 0, now.Location())
	next := time.Date(year, month, date-back+1, 0, 0, 0, 0, now.Location()) // a day may have 23 hours
	return from, next.Add(-time.Nanosecond), true
}

func instant(text string, now time.Time) (time.Time, bool) {
	if strings.EqualFold(text, "now") {
		return now, true
	}
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil && !strings.Contains(text, ",") {
		return at, true
	}
	for _, layout := range []string{
		"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04",
	} {
		if at, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return at, true
		}
	}
	for _, layout := range []string{"15:04:05", "15:04"} {
		if at, err := time.Parse(layout, text); err == nil {
			year, month, date := now.Date()
			return time.Date(year, month, date, at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), now.Location()), true
		}
	}
	if ago, ok := duration(text); ok {
		return now.Add(-ago), true
	}
	return time.Time{}, false
}

// longest is the most that a time may lie back: a hundred years.
const longest = 100 * 365 * 24 * time.Hour

// units are those of time.ParseDuration from seconds on, and days and weeks. A day has 24 hours.
var units = map[byte]time.Duration{
	's': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour,
}

// duration reads lengths such as 1h30m and 7d.
func duration(text string) (time.Duration, bool) {
	var sum time.Duration
	for rest := text; rest != ""; {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		if digits == 0 || digits > 9 || digits == len(rest) {
			return 0, false
		}
		n, err := strconv.ParseInt(rest[:digits], 10, 64)
		unit := units[rest[digits]]
		if err != nil || unit == 0 || n > int64(longest/unit) {
			return 0, false
		}
		if sum += time.Duration(n) * unit; sum > longest {
			return 0, false
		}
		rest = rest[digits+1:]
	}
	return sum, text != ""
}

// Short returns a time as people read it in a list: the time of day if it is on now's day, the day
// besides if it is in now's year, and otherwise the date and the time without seconds. What is
// shorter than a second, or a minute, is cut off.
func Short(at, now time.Time) string {
	at = at.In(now.Location())
	switch y, m, d := at.Date(); {
	case y == now.Year() && m == now.Month() && d == now.Day():
		return at.Format("15:04:05")
	case y == now.Year():
		return at.Format("Jan 02 15:04:05")
	}
	return at.Format("2006-01-02 15:04")
}
