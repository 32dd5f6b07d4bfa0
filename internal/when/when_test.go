package when_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/when"
)

// berlin has a day of 23 hours: 31 March 2024.
var berlin = func() *time.Location {
	l, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	return l
}()

func TestPeriods(t *testing.T) {
	now := time.Date(2024, 4, 1, 13, 30, 15, 5, berlin)
	for _, c := range []struct{ text, from, to string }{
		{"2024-05-15T20:00:00Z", "2024-05-15T20:00:00Z", "2024-05-15T20:00:00Z"},
		{"2024-05-15T20:00:00.123456789+02:00", "2024-05-15T18:00:00.123456789Z", "2024-05-15T18:00:00.123456789Z"},
		{"2024-01-15", "2024-01-14T23:00:00Z", "2024-01-15T22:59:59.999999999Z"},
		{"2024-01-15T10:00", "2024-01-15T09:00:00Z", "2024-01-15T09:00:00Z"},
		{"2024-01-15 10:00:07", "2024-01-15T09:00:07Z", "2024-01-15T09:00:07Z"},
		{"2024-07-15 10:00", "2024-07-15T08:00:00Z", "2024-07-15T08:00:00Z"},
		{"10:00", "2024-04-01T08:00:00Z", "2024-04-01T08:00:00Z"},
		{"10:00:30", "2024-04-01T08:00:30Z", "2024-04-01T08:00:30Z"},
		{"now", "2024-04-01T11:30:15.000000005Z", "2024-04-01T11:30:15.000000005Z"},
		{"today", "2024-03-31T22:00:00Z", "2024-04-01T21:59:59.999999999Z"},
		{"Yesterday", "2024-03-30T23:00:00Z", "2024-03-31T21:59:59.999999999Z"}, // 23 hours
		{"1h", "2024-04-01T10:30:15.000000005Z", "2024-04-01T10:30:15.000000005Z"},
		{"1h30m", "2024-04-01T10:00:15.000000005Z", "2024-04-01T10:00:15.000000005Z"},
		{"7d", "2024-03-25T11:30:15.000000005Z", "2024-03-25T11:30:15.000000005Z"},
		{" 2w ", "2024-03-18T11:30:15.000000005Z", "2024-03-18T11:30:15.000000005Z"},
		{"0s", "2024-04-01T11:30:15.000000005Z", "2024-04-01T11:30:15.000000005Z"},
	} {
		from, err := when.Start(c.text, now)
		if err != nil || from.UTC().Format(time.RFC3339Nano) != c.from {
			t.Errorf("Start(%q) = %v, %v, want %s", c.text, from.UTC().Format(time.RFC3339Nano), err, c.from)
		}
		to, err := when.End(c.text, now)
		if err != nil || to.UTC().Format(time.RFC3339Nano) != c.to {
			t.Errorf("End(%q) = %v, %v, want %s", c.text, to.UTC().Format(time.RFC3339Nano), err, c.to)
		}
	}
}

func TestNoTimes(t *testing.T) {
	for _, text := range []string{
		"", " ", "h", "7", "7x", "-1h", "1.5h", "1h ago", "tomorrow", "2024", "2024-13-01", "2024-02-30", "24:00",
		"2024-05-15T20:00:00,5Z", "99999999999d", "999999999d", "36500d36500d", "15.05.2024", "now()", "2024-05-15T",
	} {
		if at, err := when.Start(text, time.Now()); !errors.Is(err, when.ErrTime) || when.Is(text) {
			t.Errorf("Start(%q) = %v, %v", text, at, err)
		}
	}
}

func TestShort(t *testing.T) {
	now := time.Date(2024, 4, 1, 13, 30, 15, 0, berlin)
	for at, want := range map[string]string{
		"2024-04-01T11:30:14.999Z": "13:30:14",
		"2024-03-31T22:00:00Z":     "00:00:00",
		"2024-03-31T21:59:59Z":     "Mar 31 23:59:59",
		"2023-12-31T22:30:00Z":     "2023-12-31 23:30",
	} {
		parsed, err := time.Parse(time.RFC3339Nano, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := when.Short(parsed, now); got != want {
			t.Errorf("Short(%s) = %q, want %q", at, got, want)
		}
	}
}

// FuzzPeriod: whatever is read begins no later than it ends, and lies at most a day apart.
func FuzzPeriod(f *testing.F) {
	for _, seed := range []string{
		"now", "1h30m", "2024-05-15", "2024-05-15T20:00:00Z", "20:00", "yesterday", "9999-12-31",
	} {
		f.Add(seed)
	}
	now := time.Date(2024, 4, 1, 13, 30, 15, 5, berlin)
	f.Fuzz(func(t *testing.T, text string) {
		from, err := when.Start(text, now)
		to, endErr := when.End(text, now)
		if (err == nil) != (endErr == nil) {
			t.Fatalf("%q: %v and %v", text, err, endErr)
		}
		if err == nil && (to.Before(from) || to.Sub(from) > 25*time.Hour) {
			t.Fatalf("%q: from %v to %v", text, from, to)
		}
	})
}
