package main

import (
	"bytes"
	"io"
	"os"
	"time"

	"github.com/sealstream/sealstream/pkg/compliance"
)

type reportCmd struct {
	evidenceFlags
	From   string `help:"First time of receipt, RFC 3339; none: 30 days ago." placeholder:"TIME"`
	To     string `help:"Last time of receipt, RFC 3339; none: now." placeholder:"TIME"`
	Format string `help:"json, html (one file, to print or to keep) or md." enum:"json,html,md" default:"md"`
	Out    string `help:"File to write it to; none: the terminal." short:"o" type:"path" placeholder:"FILE"`
}

func (*reportCmd) Help() string {
	return "Examples:\n  sealstream report --format html -o report.html --key sealstream-data/log.pub\n  sealstream report --from 2026-01-01T00:00:00Z --to 2026-03-31T23:59:59Z --format json"
}

// Run makes the report. That controls lack evidence is in it, and no reason for another exit status.
func (c *reportCmd) Run(a *app) error {
	now := time.Now()
	w, err := compliance.NewWindow(c.From, c.To)
	if err != nil {
		return a.wrongUse(err)
	}
	if c.From == "" && c.To == "" {
		w = compliance.WindowOf(now, 30*24*time.Hour)
	}
	v, err := c.verifier(a, w)
	if err != nil {
		return a.wrongUse(err)
	}
	if err := trustKeys(a, &v); err != nil {
		return a.internal(err, c.Debug)
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

// writeReport writes a file, once all of it could be made.
func writeReport(path string, write func(io.Writer) error) error {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}
