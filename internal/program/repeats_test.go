package program

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestRepeats: a line about a retry comes once a minute, and says then how many were left out.
func TestRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text strings.Builder
		log := slog.New(newRepeats(slog.NewTextHandler(&text, nil)))
		for range 150 {
			log.Warn("again", "cause", "EOF", "retry_in", time.Second)
			time.Sleep(time.Second)
		}
		if lines := strings.Count(text.String(), "\n"); lines != 3 || strings.Count(text.String(), "left_out=59") != 2 {
			t.Errorf("%d lines: %s", lines, text.String())
		}
	})
}
