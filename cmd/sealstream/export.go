package main

import (
	"fmt"
	"io"
	"os"
)

type exportCmd struct {
	filterFlags
	Format string `help:"jsonl: verifies offline; json: one document; cloudevents: a JSON array of CloudEvents." enum:"jsonl,json,cloudevents" default:"jsonl"`
	Out    string `help:"File to write to; none: the terminal." short:"o" type:"path" placeholder:"FILE"`
}

func (*exportCmd) Help() string {
	return "Examples:\n  sealstream export -o log.jsonl && sealstream verify log.jsonl --key log.pub\n  sealstream export --agent did:web:agent.example.com -o agent.jsonl"
}

// Run streams the export. One that breaks off leaves no file under the name that was asked for.
func (c *exportCmd) Run(a *app) error {
	q := c.values()
	q.Set("format", c.Format)
	body, err := a.open("/v1/export", q, "")
	if err != nil {
		return err
	}
	defer body.Close()
	if c.Out == "" {
		_, err := io.Copy(a.out, body)
		return brokenExport(err)
	}
	f, err := os.CreateTemp(dirOf(c.Out), ".sealstream-export-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	bar := a.progress("bytes", 0)
	n, err := io.Copy(f, &countingReader{body, 0, bar})
	bar.done()
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Chmod(f.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(f.Name(), c.Out)
	}
	if err != nil {
		return brokenExport(err)
	}
	fmt.Fprintf(a.err, "wrote %s, %d bytes\n", c.Out, n)
	return nil
}

func brokenExport(err error) error {
	if err != nil {
		return fmt.Errorf("the export broke off: %w", err)
	}
	return nil
}

// countingReader moves a progress bar.
type countingReader struct {
	r   io.Reader
	n   uint64
	bar *progress
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += uint64(n)
	c.bar.at(c.n)
	return n, err
}
