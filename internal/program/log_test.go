package program

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestLogger(t *testing.T) {
	var text, quiet, object, retries strings.Builder
	LogFlags{LogFormat: "text", Verbose: true}.Logger(&text).Info("started", "log", "default")
	LogFlags{LogFormat: "text"}.Warnings(&quiet).Info("started")
	r := LogFlags{LogFormat: "text"}.Logger(&retries)
	for pause := range time.Duration(5) {
		r.Warn("again", "cause", "EOF", "retry_in", pause)
		r.With("log", "x").Warn("again", "cause", "EOF", "retry_in", pause)
	}
	r.Warn("again", "cause", "reset", "retry_in", time.Second)
	r.Warn("lost")
	r.Warn("lost")
	if n := strings.Count(retries.String(), "\n"); n != 5 {
		t.Errorf("%d lines: %s", n, retries.String())
	}
	LogFlags{LogFormat: "json"}.Logger(&object).Warn("lost", "cause", "EOF", "after", time.Second)
	if !strings.Contains(text.String(), `msg=started log=default`) || quiet.Len() > 0 {
		t.Errorf("%q %q", text.String(), quiet.String())
	}
	var line struct{ Level, Msg, Cause, After string }
	if err := json.Unmarshal([]byte(object.String()), &line); err != nil || line.Msg != "lost" || line.Cause != "EOF" ||
		line.After != "1s" {
		t.Errorf("%s: %v", object.String(), err)
	}
}
