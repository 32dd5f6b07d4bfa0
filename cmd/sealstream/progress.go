package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/sealstream/sealstream/internal/size"
)

// inBytes is what a progress counts that shows sizes.
const inBytes = "bytes"

// progress draws a bar on a terminal, and draws nothing elsewhere.
type progress struct {
	w     io.Writer
	what  string    // what is counted
	total uint64    // 0 if it is not known
	last  time.Time // when the bar was drawn last
	began time.Time
	on    bool // w is a terminal
}

func (a *app) progress(what string, total uint64) *progress {
	return &progress{w: a.err, what: what, total: total, began: time.Now(), on: isTerminal(a.err)}
}

// at moves the bar. It draws at most ten times a second.
func (p *progress) at(n uint64) {
	if !p.on || time.Since(p.last) < 100*time.Millisecond {
		return
	}
	p.last = time.Now()
	rate := uint64(float64(n) / max(time.Since(p.began).Seconds(), 0.001))
	if p.total == 0 {
		fmt.Fprintf(p.w, "\r\x1b[K%s%s  (%s/s)", p.number(n), p.unit(), p.number(rate))
		return
	}
	const width = 30
	full := int(min(n, p.total) * width / p.total)
	fmt.Fprintf(p.w, "\r\x1b[K[%s%s] %s of %s%s  (%s/s)", strings.Repeat("█", full),
		strings.Repeat("░", width-full), p.number(n), p.number(p.total), p.unit(), p.number(rate))
}

// number returns an amount of what is counted, such as 120. Sizes have their unit: 3.5 MiB.
func (p *progress) number(n uint64) string {
	if p.what == inBytes {
		return size.Short(int64(min(n, math.MaxInt64)))
	}
	return strconv.FormatUint(n, 10)
}

func (p *progress) unit() string {
	if p.what == inBytes {
		return ""
	}
	return " " + p.what
}

// done removes the bar.
func (p *progress) done() {
	if p.on {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
