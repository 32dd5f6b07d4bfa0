package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
)

// pace says when entries are due. It counts from the first one, so that what delays one delays not all.
type pace struct {
	speed float64       // +Inf: without pauses
	most  time.Duration // longest pause; 0: any

	begun bool
	last  time.Time // when the newest entry was received
	due   time.Time // and when it was due here
}

// parseSpeed reads 1x, 0.5x, 10x or max.
func parseSpeed(s string) (float64, error) {
	if s == "max" {
		return math.Inf(1), nil
	}
	number, ok := strings.CutSuffix(s, "x")
	speed, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || !(speed >= 0.001 && speed <= 1e6) {
		return 0, fmt.Errorf("--speed %.40q is neither 1x, 10x nor the like (0.001x to 1000000x), nor max", s)
	}
	return speed, nil
}

// until is how long to wait for an entry that was received at a time; entries come in their order.
func (p *pace) until(receivedAt string) (time.Duration, error) {
	if math.IsInf(p.speed, 1) {
		return 0, nil
	}
	at, err := entry.ParseTime(receivedAt)
	if err != nil {
		return 0, fmt.Errorf("received_at: %w", err)
	}
	now := time.Now()
	if !p.begun {
		p.begun, p.last, p.due = true, at, now
	}
	if at.After(p.last) { // a broker's clock can be set back
		pause := time.Duration(min(float64(at.Sub(p.last))/p.speed, math.MaxInt64/2))
		if p.most > 0 {
			pause = min(pause, p.most)
		}
		p.due = p.due.Add(pause)
	}
	p.last = at
	return p.due.Sub(now), nil
}
