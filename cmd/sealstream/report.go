package main

import (
	"bytes"
	"io"
	"os"
	"time"
)

type reportCmd struct {
	evidenceFlags
	periodFlags
	Format string `help:"json, html (one file, to print or to keep) or md." enum:"json,html,md" default:"md"`
	Out    string `help:"File to write to. Default: standard output." short:"o" type:"path" placeholder:"FILE"`
}

func (*reportCmd) Help() string {
	return `The period is one of times of receipt. Default: the last 30 days.

Examples:
  sealstream report --format html -o report.html --key sealstream-data/log.pub
  sealstream report --since 2026-01-01 --until 2026-03-31`
}

// Run writes the report. Controls that lack evidence are part of it and do not change the exit
// status.
func (c *reportCmd) Run(a *app) error {
	now := time.Now()
	v, err := c.ready(a, c.periodFlags, now, 30*24*time.Hour)
	if err != nil {
		return err
	}
	r, err := v.Report(a.ctx, now)
	if err != nil {
		return a.internal(err, c.Debug)
	}
	write := r.Markdown
	switch {
	case c.Format == "html":
		write = r.HTML
	case c.Format == "json" || a.json:
		b := *a
		write = func(w io.Writer) error { b.out = w; return b.encode(r, true) }
	}
	if c.Out != "" {
		return a.internal(writeReport(c.Out, write), c.Debug)
	}
	return write(a.out)
}

// writeReport writes a file after the whole report was rendered without an error.
func writeReport(path string, write func(io.Writer) error) error {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}
