package program

import (
	"io"
	"log/slog"
)

// LogFlags say what a service logs, and how.
type LogFlags struct {
	Verbose   bool   `help:"Log more." short:"v"`
	LogFormat string `help:"Format of log lines: text or json." enum:"text,json" default:"text" env:"SEALSTREAM_LOG_FORMAT"`
}

// Logger returns a logger that writes lines to w: what happens, warnings and errors, and with
// --verbose what NATS says besides.
func (f LogFlags) Logger(w io.Writer) *slog.Logger { return f.from(w, slog.LevelInfo) }

// Warnings returns a logger that leaves out what happens as it should, for a person who sees that
// anyhow. With --verbose it is Logger.
func (f LogFlags) Warnings(w io.Writer) *slog.Logger { return f.from(w, slog.LevelWarn) }

func (f LogFlags) from(w io.Writer, level slog.Level) *slog.Logger {
	if f.Verbose {
		level = slog.LevelDebug
	}
	options := &slog.HandlerOptions{Level: level}
	if f.JSON() {
		options.ReplaceAttr = durations
		return slog.New(newRepeats(slog.NewJSONHandler(w, options)))
	}
	return slog.New(newRepeats(slog.NewTextHandler(w, options)))
}

// durations writes durations with their unit, as the text form does.
func durations(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

// JSON says whether lines are JSON objects.
func (f LogFlags) JSON() bool { return f.LogFormat == "json" }
