package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/sealstream/sealstream/internal/canonical"
)

// pace computes when entries are due. It counts from the first one, so that a delay does not add
// up.
type pace struct {
	speed    float64       // +Inf is without pauses
	maxPause time.Duration // 0 is without a limit

	begun bool
	last  time.Time // time of receipt of the newest entry
	due   time.Time // when that entry was due
}

// parseSpeed parses a speed such as 1x, 0.5x or 10x. It parses max as +Inf.
func parseSpeed(s string) (float64, error) {
	if s == "max" {
		return math.Inf(1), nil
	}
	number, ok := strings.CutSuffix(s, "x")
	speed, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || !(speed >= 0.001 && speed <= 1e6) {
		return 0, fmt.Errorf("--speed %.40q is neither a speed from 0.001x to 1000000x, such as 10x, nor max", s)
	}
	return speed, nil
}

// until returns how long to wait before the next entry, which the log received at a time.
func (p *pace) until(receivedAt string) (time.Duration, error) {
	if math.IsInf(p.speed, 1) {
		return 0, nil
	}
	at, err := canonical.ParseTime(receivedAt)
	if err != nil {
		return 0, fmt.Errorf("received_at: %w", err)
	}
	now := time.Now()
	if !p.begun {
		p.begun, p.last, p.due = true, at, now
	}
	if at.After(p.last) { // false if the broker's clock was set back
		pause := time.Duration(min(float64(at.Sub(p.last))/p.speed, math.MaxInt64/2))
		if p.maxPause > 0 {
			pause = min(pause, p.maxPause)
		}
		p.due = p.due.Add(pause)
	}
	p.last = at
	return p.due.Sub(now), nil
}
