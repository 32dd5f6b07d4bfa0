package program

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// retryKey is the attribute of log lines that say when something is tried again.
const retryKey = "retry_in"

// repeatAfter is how long a line about a retry is not repeated.
const repeatAfter = time.Minute

// repeats is a slog.Handler that leaves out lines about retries which differ in their pause alone
// from one of the last minute. The next one says how many were left out.
type repeats struct {
	slog.Handler
	given string // attributes of With and groups, as text
	*repeated
}

// repeated is shared by the handlers that are made of one.
type repeated struct {
	mu   sync.Mutex
	seen map[string]*repeat
}

type repeat struct {
	since time.Time // when it was written
	left  int       // out, since then
}

func newRepeats(h slog.Handler) slog.Handler {
	return repeats{h, "", &repeated{seen: map[string]*repeat{}}}
}

// Handle implements slog.Handler.
func (h repeats) Handle(ctx context.Context, r slog.Record) error {
	retry := false
	var key strings.Builder
	key.WriteString(h.given + r.Message)
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == retryKey {
			retry = true
		} else {
			key.WriteString("\n" + a.String())
		}
		return true
	})
	if !retry {
		return h.Handler.Handle(ctx, r)
	}
	left, write := h.note(key.String(), r.Time)
	if !write {
		return nil
	}
	if left > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("left_out", left))
	}
	return h.Handler.Handle(ctx, r)
}

// note reports whether a line is to be written, and how many like it were not.
func (l *repeated) note(key string, now time.Time) (left int, write bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if x := l.seen[key]; x != nil && now.Sub(x.since) < repeatAfter {
		x.left++
		return 0, false
	} else if x != nil {
		left = x.left
	}
	for old, x := range l.seen {
		if now.Sub(x.since) >= 2*repeatAfter {
			delete(l.seen, old)
		}
	}
	l.seen[key] = &repeat{since: now}
	return left, true
}

// WithAttrs implements slog.Handler.
func (h repeats) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		h.given += a.String() + "\n"
	}
	h.Handler = h.Handler.WithAttrs(attrs)
	return h
}

// WithGroup implements slog.Handler.
func (h repeats) WithGroup(name string) slog.Handler {
	h.given += name + "\n"
	h.Handler = h.Handler.WithGroup(name)
	return h
}
