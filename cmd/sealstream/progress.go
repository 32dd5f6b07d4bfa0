package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// progress draws a bar on a terminal, and nothing anywhere else.
type progress struct {
	w     io.Writer
	what  string
	total uint64 // 0: not known
	last  time.Time
	began time.Time
	on    bool
}

func (a *app) progress(what string, total uint64) *progress {
	return &progress{w: a.err, what: what, total: total, began: time.Now(), on: isTerminal(a.err)}
}

// at moves the bar; it draws at most ten times a second.
func (p *progress) at(n uint64) {
	if !p.on || time.Since(p.last) < 100*time.Millisecond {
		return
	}
	p.last = time.Now()
	rate := float64(n) / max(time.Since(p.began).Seconds(), 0.001)
	if p.total == 0 {
		fmt.Fprintf(p.w, "\r\x1b[K%s %d  (%.0f/s)", p.what, n, rate)
		return
	}
	const width = 30
	full := int(min(n, p.total) * width / p.total)
	fmt.Fprintf(p.w, "\r\x1b[K%s [%s%s] %d/%d  (%.0f/s)", p.what, strings.Repeat("█", full), strings.Repeat("░", width-full), n, p.total, rate)
}

// done takes the bar away.
func (p *progress) done() {
	if p.on {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
