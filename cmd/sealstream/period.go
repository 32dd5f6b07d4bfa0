package main

import (
	"fmt"
	"time"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/when"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/compliance"
)

// periodFlags say from when to when, both included. Empty means open.
type periodFlags struct {
	Since string `help:"Earliest time: 1h, 7d, yesterday, 2024-05-15, 20:00 or 2024-05-15T20:00:00Z." aliases:"from" placeholder:"TIME"`
	Until string `help:"Latest time, in the same forms. A day includes its end." aliases:"to" placeholder:"TIME"`
}

// times returns the two times as the API takes them.
func (p periodFlags) times(now time.Time) (since, until string, err error) {
	if since, err = apiTime("since", p.Since, now, when.Start); err != nil {
		return "", "", err
	}
	if until, err = apiTime("until", p.Until, now, when.End); err != nil {
		return "", "", err
	}
	if since != "" && until != "" && api.CompareTimes(since, until) > 0 {
		return "", "", fmt.Errorf("--since %s lies after --until %s", p.Since, p.Until)
	}
	return since, until, nil
}

// window returns the period as the window of a compliance check, or the last span before now if the
// period is open at both ends. A span of 0 is all of the log.
func (p periodFlags) window(now time.Time, span time.Duration) (compliance.Window, error) {
	if p.Since == "" && p.Until == "" {
		return compliance.WindowOf(now, span), nil
	}
	since, until, err := p.times(now)
	if err != nil {
		return compliance.Window{}, err
	}
	return compliance.NewWindow(since, until)
}

// apiTime returns a time of a flag in the form of the API. A time of RFC 3339 keeps all its digits.
func apiTime(
	flag, text string, now time.Time, read func(string, time.Time) (time.Time, error),
) (string, error) {
	if text == "" {
		return "", nil
	}
	if c, err := canonical.Time(text); err == nil {
		return c, nil
	}
	at, err := read(text, now)
	if err != nil {
		return "", fmt.Errorf("--%s: %w", flag, err)
	}
	return at.UTC().Format(time.RFC3339Nano), nil
}
